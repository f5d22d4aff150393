/** Browse: the lines to type, the images, and beside them one's own space. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Link, useLocation, useSearch } from 'wouter-preact'
import { api } from '../api/client.js'
import type { Container } from '../api/records.js'
import { pullLine, pushLine, signInLines, type Tool } from '../commands.js'
import { rich, t } from '../messages/messages.js'
import { type ContainerSort, ContainerTable, linePlace } from '../parts/container-table.js'
import { CommandLine } from '../parts/copy.js'
import { EventLine } from '../parts/event-line.js'
import { Icon } from '../parts/icon.js'
import { usePage } from '../parts/page.js'
import { SpaceMeter } from '../parts/small.js'
import { Empty, SignInLink } from '../parts/states.js'
import { TabPanel, Tabs } from '../parts/tabs.js'
import { useList, useLoaded } from '../state/loading.js'
import { session } from '../state/session.js'

const hiddenKey = 'sif-library.start'

function readHidden(): boolean {
  try {
    return localStorage.getItem(hiddenKey) === 'hidden'
  } catch {
    return false
  }
}

function keepHidden(hidden: boolean): void {
  try {
    if (hidden) localStorage.setItem(hiddenKey, 'hidden')
    else localStorage.removeItem(hiddenKey)
  } catch {
    // it is then shown again after a reload
  }
}

const tools: readonly { readonly id: Tool; readonly label: string }[] = [
  { id: 'apptainer', label: 'Apptainer' },
  { id: 'singularity', label: 'Singularity' },
]

interface StartProps {
  /** One whose line is shown. */
  readonly sample: Container | undefined
  readonly onHide: () => void
}

/** Three lines that work with this address. */
function Start({ sample, onHide }: StartProps): JSX.Element {
  const [tool, setTool] = useState<Tool>('apptainer')
  const me = session.value?.principal?.name
  const owner = me ?? session.value?.registry.defaults.entity ?? 'library'
  const place =
    sample === undefined
      ? { path: `${owner}/demo/hello`, selector: '1.0', anonymous: me === undefined }
      : linePlace(sample)
  return (
    <section class="card" aria-labelledby="start">
      <header>
        <h2 id="start">{t('start.title')}</h2>
        <Tabs
          label={t('start.tool')}
          tabs={tools}
          chosen={tool}
          onChoose={setTool}
          prefix="start"
          look="segments"
          className="spread"
        />
        <button type="button" class="ghost compact-button" onClick={onHide}>
          {t('start.hide')}
        </button>
      </header>
      <TabPanel prefix="start" chosen={tool} className="pad lines">
        <h3>{t('start.signIn')}</h3>
        <CommandLine
          text={signInLines(tool).join('\n')}
          label={t('start.signInLine')}
          copyLabel={t('start.copySignIn')}
          prompt={signInLines(tool).length === 1}
        />
        <h3>{t('start.pull')}</h3>
        <CommandLine text={pullLine(tool, place)} label={t('start.pullLine')} copyLabel={t('start.copyPull')} />
        <h3>{t('start.push')}</h3>
        <CommandLine
          text={pushLine(tool, 'tool.sif', `${owner}/tools/tool`, '1.0')}
          label={t('start.pushLine')}
          copyLabel={t('start.copyPush')}
        />
        <span />
        <p class="small muted underlined">
          {rich('start.asks', {
            link: <Link href={me === undefined ? '/sign-in' : '/tokens'}>{t('start.tokens')}</Link>,
          })}
        </p>
      </TabPanel>
    </section>
  )
}

function YourSpace(): JSX.Element {
  const spaces = useLoaded('spaces', () => api.spaces())
  const uploads = useLoaded('uploads', () => api.uploads.list({ mine: true, limit: 50 }))
  const underWay = uploads.data?.items.filter(({ state }) => state === 'open').length ?? 0
  return (
    <section class="card" aria-labelledby="space">
      <header>
        <h2 id="space">{t('browse.space')}</h2>
      </header>
      <div class="pad stack">
        {spaces.data?.length === 0 && <p class="small muted">{t('space.empty')}</p>}
        {spaces.data?.slice(0, 8).map(({ name, usedBytes, quotaBytes }) => (
          <SpaceMeter key={name} name={name} used={usedBytes} quota={quotaBytes} />
        ))}
        {underWay > 0 && (
          <p class="small muted underlined">
            {t('browse.uploads', { count: underWay })} <Link href="/upload">{t('browse.seeUploads')}</Link>
          </p>
        )}
      </div>
    </section>
  )
}

function Recently(): JSX.Element | null {
  const events = useLoaded('recently', (signal) => api.events({ limit: 5 }, signal))
  // people who manage no place have no activity to see
  if (events.data === undefined || events.data.items.length === 0) return null
  return (
    <section class="card" aria-labelledby="recently">
      <header>
        <h2 id="recently">{t('browse.recently')}</h2>
        <Link class="spread small" href="/activity">
          {t('browse.allActivity')}
        </Link>
      </header>
      <ul class="feed underlined">
        {events.data.items.map((event) => (
          <li key={event.seq}>
            <EventLine event={event} />
          </li>
        ))}
      </ul>
    </section>
  )
}

type Which = 'all' | 'mine' | 'private'

const archs = ['amd64', 'arm64', 'arm', '386', 'ppc64le', 's390x', 'riscv64']

export function Browse(): JSX.Element {
  const [, navigate] = useLocation()
  const parameters = new URLSearchParams(useSearch())
  const [isHidden, setHidden] = useState(readHidden)
  const heading = usePage(t('browse.title'))
  const isSignedIn = session.value?.principal != null

  const which = (parameters.get('show') ?? 'all') as Which
  const arch = parameters.get('arch') ?? ''
  const sort = (parameters.get('sort') ?? '-updatedAt') as ContainerSort
  const change = (name: string, value: string, usual: string): void => {
    const next = new URLSearchParams(parameters)
    if (value === usual) next.delete(name)
    else next.set(name, value)
    navigate(next.size === 0 ? '/' : `/?${next.toString()}`, { replace: true })
  }
  const list = useList(`${which} ${arch} ${sort} ${session.value?.principal?.id ?? ''}`, (cursor, signal) =>
    api.containers.list(
      {
        ...(which === 'mine' && { mine: true }),
        ...(which === 'private' && { private: true }),
        ...{ arch, sort, cursor, limit: 50 },
      },
      signal,
    ),
  )
  const stats = useLoaded(`stats ${session.value?.principal?.id ?? ''}`, () => api.stats())
  const isFiltered = which !== 'all' || arch !== ''
  const hide = (hidden: boolean): void => {
    keepHidden(hidden)
    setHidden(hidden)
  }

  const empty = isFiltered ? (
    <Empty title={t('browse.nothing')}>
      <button type="button" onClick={() => navigate('/')}>
        {t('browse.clear')}
      </button>
    </Empty>
  ) : (
    <Empty title={t('browse.empty')}>
      <p>{isSignedIn ? t('browse.emptyText') : t('browse.emptyAnonymous')}</p>
      {isSignedIn ? (
        <CommandLine
          text={pushLine('apptainer', 'tool.sif', `${session.value?.principal?.name ?? 'library'}/tools/tool`, '1.0')}
          label={t('start.pushLine')}
          copyLabel={t('start.copyPush')}
        />
      ) : (
        <SignInLink />
      )}
    </Empty>
  )

  return (
    <div class="stack">
      {!isHidden && <Start sample={list.data?.find(({ latest }) => latest !== null)} onHide={() => hide(true)} />}
      <div class={isSignedIn ? 'columns' : 'stack'}>
        <section class="card" aria-labelledby="images">
          <header>
            <h1 id="images" class="card-title" tabIndex={-1} ref={heading}>
              {t('browse.title')}
            </h1>
            {stats.data !== undefined && (
              <span class="muted small">{t('browse.count', { count: stats.data.containers })}</span>
            )}
            <div class="row spread">
              {isHidden && (
                <button type="button" class="ghost compact-button" onClick={() => hide(false)}>
                  {t('start.show')}
                </button>
              )}
              {isSignedIn && (
                // biome-ignore lint/a11y/useSemanticElements: a fieldset takes no part in a flexible row
                <div class="segments" role="group" aria-label={t('browse.which')}>
                  {(['all', 'mine', 'private'] as const).map((choice) => (
                    <button
                      type="button"
                      key={choice}
                      aria-pressed={which === choice}
                      onClick={() => change('show', choice, 'all')}
                    >
                      {t(`browse.${choice}`)}
                    </button>
                  ))}
                </div>
              )}
              <select
                class="compact"
                aria-label={t('browse.arch')}
                value={arch}
                onChange={({ currentTarget: { value } }) => change('arch', value, '')}
              >
                <option value="">{t('browse.anyArch')}</option>
                {archs.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
              {isSignedIn && (
                <Link href="/upload" class="button primary">
                  <Icon name="upload" />
                  {t('nav.upload')}
                </Link>
              )}
            </div>
          </header>
          <ContainerTable list={list} sort={sort} onSort={(next) => change('sort', next, '-updatedAt')} empty={empty} />
        </section>
        {isSignedIn && (
          <aside class="stack">
            <YourSpace />
            <Recently />
          </aside>
        )}
      </div>
    </div>
  )
}
