/** Admin: the registry in numbers, quotas, uploads under way. */
import type { JSX } from 'preact'
import { useId, useState } from 'preact/hooks'
import { Link, useLocation } from 'wouter-preact'
import { api } from '../api/client.js'
import type { Entity, Upload } from '../api/records.js'
import { count, size } from '../format.js'
import { t } from '../messages/messages.js'
import { Confirm } from '../parts/dialog.js'
import { usePage } from '../parts/page.js'
import { Scroll } from '../parts/scroll.js'
import { Size, When } from '../parts/small.js'
import { Empty, Failure, Skeleton } from '../parts/states.js'
import { TabPanel, Tabs } from '../parts/tabs.js'
import { announce } from '../state/announce.js'
import { useList, useLoaded } from '../state/loading.js'
import { session } from '../state/session.js'

const sections = ['overview', 'quotas', 'uploads'] as const
type Section = (typeof sections)[number]

function Overview(): JSX.Element {
  const stats = useLoaded('stats', () => api.stats())
  const registry = session.value?.registry
  if (stats.error !== undefined) return <Failure error={stats.error} again={stats.reload} />
  if (stats.data === undefined) return <Skeleton rows={4} />
  return (
    <dl class="facts pad">
      <dt>{t('admin.address')}</dt>
      <dd class="mono">{registry?.url}</dd>
      <dt>{t('admin.version')}</dt>
      <dd>{registry?.version}</dd>
      <dt>{t('admin.containers')}</dt>
      <dd>{count(stats.data.containers)}</dd>
      <dt>{t('admin.images')}</dt>
      <dd>{count(stats.data.images)}</dd>
      <dt>{t('admin.bytes')}</dt>
      <dd>
        <Size bytes={stats.data.bytes} />
      </dd>
    </dl>
  )
}

const gigabyte = 1e9

function QuotaDialog(props: {
  readonly entity: Entity
  readonly onDone: () => void
  readonly onClose: () => void
}): JSX.Element {
  const { entity, onDone, onClose } = props
  const id = useId()
  const [text, setText] = useState(entity.quotaBytes == null ? '' : String(entity.quotaBytes / gigabyte))
  return (
    <Confirm
      title={t('admin.quotaOf', { name: entity.name })}
      button={t('action.save')}
      danger={false}
      run={async () => {
        const quotaBytes = text.trim() === '' ? null : Math.round(Number(text.replace(',', '.')) * gigabyte)
        await api.entities.update(entity.name, { quotaBytes }, entity.version)
        announce(t('admin.quotaSet', { name: entity.name }))
        onDone()
      }}
      onClose={onClose}
    >
      <div class="field">
        <label for={id}>{t('admin.quotaHint')}</label>
        <input
          id={id}
          inputMode="decimal"
          pattern="[0-9]*[.,]?[0-9]*"
          value={text}
          onInput={({ currentTarget: { value } }) => setText(value)}
        />
      </div>
    </Confirm>
  )
}

function Quotas(): JSX.Element {
  const list = useList('entities', (cursor, signal) => api.entities.list({ sort: '-usedBytes', cursor }, signal))
  const [changing, setChanging] = useState<Entity>()
  if (list.data === undefined)
    return list.error === undefined ? <Skeleton /> : <Failure error={list.error} again={list.reload} />
  if (list.data.length === 0) return <Empty title={t('usage.empty')} />
  return (
    <>
      <Scroll label={t('admin.quotaRegion')}>
        <table aria-label={t('admin.quotaTable')}>
          <thead>
            <tr>
              <th scope="col">{t('admin.entity')}</th>
              <th scope="col" class="number">
                {t('usage.used')}
              </th>
              <th scope="col" class="number">
                {t('usage.quota')}
              </th>
              <th scope="col">
                <span class="hidden-text">{t('browse.actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.data.map((entity) => (
              <tr key={entity.name}>
                <td class="wrap-anywhere">
                  <Link href={`/images/${entity.name}`}>{entity.name}</Link>
                </td>
                <td class="number">{entity.usedBytes !== undefined && <Size bytes={entity.usedBytes} />}</td>
                <td class="number">{entity.quotaBytes == null ? '∞' : size(entity.quotaBytes)}</td>
                <td class="number">
                  <button
                    type="button"
                    class="compact-button"
                    aria-label={t('admin.quotaOf', { name: entity.name })}
                    onClick={() => setChanging(entity)}
                  >
                    {t('admin.setQuota')}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {list.more !== undefined && (
        <div class="pad more">
          <button type="button" disabled={list.isLoadingMore} onClick={list.more}>
            {t('action.more')}
          </button>
        </div>
      )}
      {changing !== undefined && (
        <QuotaDialog entity={changing} onDone={list.reload} onClose={() => setChanging(undefined)} />
      )}
    </>
  )
}

function Uploads(): JSX.Element {
  const list = useList('all uploads', (cursor) => api.uploads.list({ cursor }))
  const [ending, setEnding] = useState<Upload>()
  if (list.data === undefined)
    return list.error === undefined ? <Skeleton /> : <Failure error={list.error} again={list.reload} />
  const underWay = list.data.filter(({ state }) => state === 'open' || state === 'completing')
  if (underWay.length === 0) return <Empty title={t('admin.noUploads')} />
  return (
    <>
      <Scroll label={t('admin.uploadRegion')}>
        <table aria-label={t('admin.uploadTable')}>
          <thead>
            <tr>
              <th scope="col">{t('browse.name')}</th>
              <th scope="col" class="number">
                {t('browse.size')}
              </th>
              <th scope="col">{t('admin.expires')}</th>
              <th scope="col">
                <span class="hidden-text">{t('browse.actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {underWay.map((upload) => (
              <tr key={upload.id}>
                <td class="wrap-anywhere">{upload.path}</td>
                <td class="number">
                  <Size bytes={upload.size} />
                </td>
                <td class="nowrap">
                  <When date={upload.expiresAt} />
                </td>
                <td class="number">
                  <button
                    type="button"
                    class="compact-button danger"
                    aria-label={t('admin.abort', { path: upload.path })}
                    onClick={() => setEnding(upload)}
                  >
                    {t('upload.giveUp')}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {ending !== undefined && (
        <Confirm
          title={t('admin.abort', { path: ending.path })}
          button={t('upload.giveUp')}
          run={async () => {
            await api.uploads.abort(ending.id)
            announce(t('admin.aborted', { path: ending.path }))
            list.reload()
          }}
          onClose={() => setEnding(undefined)}
        >
          <p>{size(ending.size)}</p>
        </Confirm>
      )}
    </>
  )
}

interface AdminParams {
  readonly params: Readonly<Record<string, string | undefined>>
}

export function Admin({ params }: AdminParams): JSX.Element {
  const heading = usePage(t('admin.title'))
  const [, navigate] = useLocation()
  const section: Section = sections.find((name) => name === params.section) ?? 'overview'
  return (
    <>
      <div class="heading">
        <h1 tabIndex={-1} ref={heading}>
          {t('admin.title')}
        </h1>
      </div>
      <div class="card">
        <Tabs
          label={t('admin.sections')}
          prefix="admin"
          chosen={section}
          onChoose={(id) => navigate(id === 'overview' ? '/admin' : `/admin/${id}`, { replace: true })}
          tabs={sections.map((id) => ({ id, label: t(`admin.${id}`) }))}
        />
        <TabPanel prefix="admin" chosen={section}>
          {section === 'overview' && <Overview />}
          {section === 'quotas' && <Quotas />}
          {section === 'uploads' && <Uploads />}
        </TabPanel>
      </div>
    </>
  )
}
