/** Usage: who uses the space, by place and over time. */
import { hierarchy, treemap } from 'd3-hierarchy'
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Link, useLocation, useSearch } from 'wouter-preact'
import { api } from '../api/client.js'
import type { Usage as UsageRecord, UsageStep } from '../api/records.js'
import { count, dayOf, size } from '../format.js'
import { t } from '../messages/messages.js'
import { usePage } from '../parts/page.js'
import { Scroll } from '../parts/scroll.js'
import { Bars, Fill, Size, SpaceMeter } from '../parts/small.js'
import { Empty, Failure, Skeleton } from '../parts/states.js'
import { useLoaded } from '../state/loading.js'
import { isAdmin, session } from '../state/session.js'

interface Block {
  readonly path: string
  readonly usedBytes: number
}

interface TreemapProps {
  readonly blocks: readonly Block[]
  readonly onOpen: (path: string) => void
}

/** Areas by size. The table beside it says the same in words. */
function Treemap({ blocks, onOpen }: TreemapProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(600)
  const height = 320
  useEffect(() => {
    if (place.current === null) return
    const watch = new ResizeObserver(([entry]) => entry !== undefined && setWidth(entry.contentRect.width))
    watch.observe(place.current)
    return () => watch.disconnect()
  }, [])
  const root = hierarchy<{ readonly children?: readonly Block[] } & Partial<Block>>({ children: blocks })
    .sum(({ usedBytes = 0 }) => usedBytes)
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0))
  const leaves = treemap<{ readonly children?: readonly Block[] } & Partial<Block>>()
    .size([width, height])
    .paddingInner(2)(root)
    .leaves()
  return (
    <div class="treemap" ref={place}>
      {leaves.map(({ x0, x1, y0, y1, data }) => (
        <Tile
          key={data.path}
          box={{ left: x0, top: y0, width: x1 - x0, height: y1 - y0 }}
          path={data.path ?? ''}
          bytes={data.usedBytes ?? 0}
          onOpen={onOpen}
        />
      ))}
    </div>
  )
}

interface TileProps {
  readonly box: { readonly left: number; readonly top: number; readonly width: number; readonly height: number }
  readonly path: string
  readonly bytes: number
  readonly onOpen: (path: string) => void
}

function Tile({ box, path, bytes, onOpen }: TileProps): JSX.Element {
  const tile = useRef<HTMLButtonElement>(null)
  useLayoutEffect(() => {
    if (tile.current === null) return
    for (const [side, value] of Object.entries(box)) tile.current.style.setProperty(side, `${value}px`)
  })
  const fits = box.width > 60 && box.height > 34
  const isOthers = path === ''
  const label = isOthers ? t('usage.others') : path
  return (
    <button
      type="button"
      ref={tile}
      title={`${label}, ${size(bytes)}`}
      aria-label={`${label}, ${size(bytes)}`}
      disabled={isOthers}
      // the table beside it has the same links: one tab stop for each thing
      tabIndex={-1}
      onClick={() => onOpen(path)}
    >
      {fits && (
        <>
          <b>{isOthers ? label : path.split('/').at(-1)}</b>
          <span class="muted">{size(bytes)}</span>
        </>
      )}
    </button>
  )
}

function Growth({ entity }: { readonly entity: string }): JSX.Element | null {
  const from = new Date(Date.now() - 89 * 86_400_000).toISOString().slice(0, 10)
  const steps = useLoaded<readonly UsageStep[]>(`growth ${entity}`, (signal) =>
    api.usage.history(entity, { from, step: 'day' }, signal),
  )
  if (steps.data === undefined || steps.data.length === 0) return null
  return (
    <section class="card" aria-labelledby="growth">
      <header>
        <h2 id="growth">{t('usage.growth')}</h2>
      </header>
      <div class="pad stack">
        <Bars
          values={steps.data.map(({ usedBytes }) => usedBytes)}
          label={t('usage.growthChart')}
          width={268}
          height={64}
          className="spark chart"
        />
        <details>
          <summary class="small">{t('usage.asTable')}</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">{t('usage.day')}</th>
                <th scope="col" class="number">
                  {t('usage.used')}
                </th>
              </tr>
            </thead>
            <tbody>
              {[...steps.data].reverse().map((step) => (
                <tr key={step.from}>
                  <td>{dayOf(step.from)}</td>
                  <td class="number">{size(step.usedBytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      </div>
    </section>
  )
}

export function Usage(): JSX.Element {
  const heading = usePage(t('usage.title'))
  const [, navigate] = useLocation()
  const spaces = useLoaded('spaces', () => api.spaces())
  const given = new URLSearchParams(useSearch()).get('under')
  const names = spaces.data?.map(({ name }) => name) ?? []
  const me = session.value?.principal?.name ?? ''
  const usual = isAdmin() ? '' : names.includes(me) ? me : names[0]
  const under = given ?? usual
  const entity = under?.split('/')[0] ?? ''
  const open = (path: string): void =>
    navigate(path.split('/').length > 2 ? `/images/${path}` : `/usage?under=${encodeURIComponent(path)}`)
  const space = spaces.data?.find(({ name }) => name === entity)
  return (
    <>
      <div class="heading">
        <div>
          <h1 tabIndex={-1} ref={heading}>
            {t('usage.title')}
          </h1>
          <p class="muted">{t('usage.lead')}</p>
        </div>
        <select
          class="compact"
          aria-label={t('usage.place')}
          value={entity}
          onChange={({ currentTarget: { value } }) => navigate(`/usage?under=${encodeURIComponent(value)}`)}
        >
          {isAdmin() && <option value="">{t('usage.registry')}</option>}
          {[...new Set([...names, ...(entity === '' ? [] : [entity])])].map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      {under === undefined ? (
        spaces.isLoading ? (
          <Skeleton />
        ) : (
          <div class="card">
            <Empty title={t('space.empty')} />
          </div>
        )
      ) : (
        <div class={entity === '' ? 'stack' : 'columns'}>
          <Largest under={under} onOpen={open} />
          <aside class="stack">
            {space !== undefined && (
              <section class="card" aria-labelledby="room">
                <header>
                  <h2 id="room">{t('usage.used')}</h2>
                </header>
                <div class="pad stack">
                  <SpaceMeter name={space.name} used={space.usedBytes} quota={space.quotaBytes} />
                  {space.reservedBytes > 0 && (
                    <p class="small muted">
                      {t('usage.reserved')}: <Size bytes={space.reservedBytes} />
                    </p>
                  )}
                </div>
              </section>
            )}
            {entity !== '' && <Growth entity={entity} />}
          </aside>
        </div>
      )}
    </>
  )
}

interface LargestProps {
  readonly under: string
  readonly onOpen: (path: string) => void
}

function Largest({ under, onOpen }: LargestProps): JSX.Element {
  const found = useLoaded<UsageRecord>(`usage ${under}`, (signal) =>
    api.usage.get({ ...(under !== '' && { under }), top: 20 }, signal),
  )
  if (found.error !== undefined) return <Failure error={found.error} again={found.reload} />
  if (found.data === undefined) return <Skeleton />
  const { children, others, usedBytes, images } = found.data
  if (usedBytes === 0)
    return (
      <div class="card">
        <Empty title={t('usage.empty')} />
      </div>
    )
  const blocks = [...children, ...(others.usedBytes > 0 ? [{ path: '', ...others }] : [])]
  return (
    <div class="stack">
      <section class="card" aria-labelledby="map">
        <header>
          <h2 id="map" class="wrap-anywhere">
            {under === '' ? t('usage.registry') : under}
          </h2>
          <span class="muted small">
            {size(usedBytes)}, {t('container.images', { count: images })}
          </span>
          {under.includes('/') && (
            <Link class="spread small" href={`/usage?under=${encodeURIComponent(under.split('/')[0] ?? '')}`}>
              {under.split('/')[0]}
            </Link>
          )}
        </header>
        <div class="pad" aria-hidden="true">
          <Treemap blocks={blocks} onOpen={onOpen} />
        </div>
      </section>
      <section class="card" aria-labelledby="largest">
        <header>
          <h2 id="largest">{t('usage.table')}</h2>
        </header>
        <Scroll label={t('usage.tableRegion')}>
          <table aria-labelledby="largest">
            <thead>
              <tr>
                <th scope="col">{t('browse.name')}</th>
                <th scope="col" class="number">
                  {t('usage.used')}
                </th>
                <th scope="col" class="secondary">
                  {t('usage.share')}
                </th>
                <th scope="col" class="number">
                  {t('usage.images')}
                </th>
              </tr>
            </thead>
            <tbody>
              {blocks.map((block) => (
                <tr key={block.path}>
                  <td class="wrap-anywhere">
                    {block.path === '' ? (
                      <span class="muted">{t('usage.others')}</span>
                    ) : (
                      <Link
                        href={
                          block.path.split('/').length > 2
                            ? `/images/${block.path}`
                            : `/usage?under=${encodeURIComponent(block.path)}`
                        }
                      >
                        {block.path}
                      </Link>
                    )}
                  </td>
                  <td class="number">
                    <Size bytes={block.usedBytes} />
                  </td>
                  <td class="secondary">
                    <div class="meter" aria-hidden="true">
                      <Fill share={block.usedBytes / usedBytes} />
                    </div>
                  </td>
                  <td class="number">{count(block.images)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </section>
    </div>
  )
}
