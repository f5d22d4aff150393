/** An entity or a collection: what lies in it, its room, its settings. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Link } from 'wouter-preact'
import { api } from '../api/client.js'
import type { Collection, Entity } from '../api/records.js'
import { pushLine } from '../commands.js'
import { t } from '../messages/messages.js'
import { ContainerTable } from '../parts/container-table.js'
import { CommandLine } from '../parts/copy.js'
import { usePage } from '../parts/page.js'
import { PlaceSettings } from '../parts/place-settings.js'
import { PrivateChip, Size, SpaceMeter, When } from '../parts/small.js'
import { Empty, Skeleton, ViewFailure } from '../parts/states.js'
import { TabPanel, Tabs } from '../parts/tabs.js'
import { useList, useLoaded } from '../state/loading.js'

type Found =
  | { readonly kind: 'entity'; readonly entity: Entity }
  | { readonly kind: 'collection'; readonly collection: Collection }

function Collections({ entity }: { readonly entity: string }): JSX.Element | null {
  const list = useList(`collections ${entity}`, (cursor, signal) =>
    api.collections.list({ entity, cursor, sort: 'name' }, signal),
  )
  if (list.data === undefined || list.data.length === 0) return null
  return (
    <section class="card" aria-labelledby="collections">
      <header>
        <h2 id="collections">{t('place.collections')}</h2>
      </header>
      <div class="scroll">
        <table aria-labelledby="collections">
          <thead>
            <tr>
              <th scope="col">{t('browse.name')}</th>
              <th scope="col" class="number">
                {t('browse.size')}
              </th>
              <th scope="col">{t('browse.changed')}</th>
            </tr>
          </thead>
          <tbody>
            {list.data.map((collection) => (
              <tr key={collection.path}>
                <td>
                  <Link href={`/images/${collection.path}`} class="wrap-anywhere">
                    <b>{collection.name}</b>
                  </Link>{' '}
                  {collection.private && <PrivateChip />}
                  {collection.description !== '' && <div class="muted small cut">{collection.description}</div>}
                </td>
                <td class="number">{collection.usedBytes !== undefined && <Size bytes={collection.usedBytes} />}</td>
                <td class="nowrap">
                  <When date={collection.updatedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {list.more !== undefined && (
        <div class="pad more">
          <button type="button" disabled={list.isLoadingMore} onClick={list.more}>
            {t('action.more')}
          </button>
        </div>
      )}
    </section>
  )
}

function Images({ entity, collection }: { readonly entity: string; readonly collection?: string }): JSX.Element {
  const list = useList(`containers ${entity} ${collection ?? ''}`, (cursor, signal) =>
    api.containers.list({ entity, collection, cursor, sort: '-updatedAt', limit: 50 }, signal),
  )
  const empty = (
    <Empty title={t('place.empty')}>
      <p>{t('place.emptyText')}</p>
      <CommandLine
        text={pushLine('apptainer', 'tool.sif', `${entity}/${collection ?? 'tools'}/tool`, '1.0')}
        label={t('start.pushLine')}
        copyLabel={t('start.copyPush')}
      />
    </Empty>
  )
  return (
    <section class="card" aria-labelledby="images">
      <header>
        <h2 id="images">{t('place.containers')}</h2>
      </header>
      <ContainerTable list={list} empty={empty} />
    </section>
  )
}

interface PlaceParams {
  readonly params: { readonly entity?: string; readonly collection?: string }
}

export function Place({ params: { entity = '', collection } }: PlaceParams): JSX.Element {
  const path = collection === undefined ? entity : `${entity}/${collection}`
  const heading = usePage(path)
  const [tab, setTab] = useState<'images' | 'settings'>('images')
  const found = useLoaded<Found>(path, async (signal) =>
    collection === undefined
      ? { kind: 'entity', entity: await api.entities.get(entity, signal) }
      : { kind: 'collection', collection: await api.collections.get(path, signal) },
  )
  if (found.error !== undefined) return <ViewFailure error={found.error} again={found.reload} />
  if (found.data === undefined) return found.isSlow ? <Skeleton /> : <div aria-busy="true" />
  const record = found.data.kind === 'entity' ? found.data.entity : found.data.collection
  const can = record.can ?? []
  const isPrivate = found.data.kind === 'entity' ? found.data.entity.defaultPrivate : found.data.collection.private
  const used = found.data.kind === 'entity' ? found.data.entity : undefined

  const update = async (change: { readonly description?: string; readonly private?: boolean }): Promise<void> => {
    const { private: flag, ...others } = change
    if (found.data?.kind === 'entity')
      await api.entities.update(
        entity,
        { ...others, ...(flag !== undefined && { defaultPrivate: flag }) },
        record.version,
      )
    else await api.collections.update(path, change, record.version)
    found.reload()
  }
  const content = (
    <div class="stack">
      {collection === undefined && <Collections entity={entity} />}
      <Images entity={entity} {...(collection !== undefined && { collection })} />
    </div>
  )
  return (
    <>
      <nav aria-label={t('container.breadcrumb')} class="breadcrumb">
        {collection === undefined ? (
          t('place.entity')
        ) : (
          <>
            <Link href={`/images/${entity}`}>{entity}</Link> <span aria-hidden="true">/</span>
          </>
        )}
      </nav>
      <div class="heading">
        <div>
          <div class="row">
            <h1 tabIndex={-1} ref={heading}>
              {record.name}
            </h1>
            {isPrivate && <PrivateChip />}
          </div>
          {record.description !== '' && <p class="muted">{record.description}</p>}
        </div>
      </div>
      <div class={used?.usedBytes === undefined ? 'stack' : 'columns'}>
        <div class="stack">
          {can.includes('manage') ? (
            <>
              <Tabs
                label={path}
                prefix="place"
                chosen={tab}
                onChoose={setTab}
                tabs={[
                  { id: 'images', label: t('place.containers') },
                  { id: 'settings', label: t('place.settings') },
                ]}
              />
              <TabPanel prefix="place" chosen={tab}>
                {tab === 'images' ? (
                  content
                ) : (
                  <div class="card pad">
                    <PlaceSettings
                      path={path}
                      description={record.description}
                      isPrivate={isPrivate}
                      switchLabel={collection === undefined ? t('place.defaultPrivate') : t('chip.private')}
                      update={update}
                      reload={found.reload}
                    />
                  </div>
                )}
              </TabPanel>
            </>
          ) : (
            content
          )}
        </div>
        {used?.usedBytes !== undefined && (
          <aside class="stack">
            <section class="card" aria-labelledby="used">
              <header>
                <h2 id="used">{t('place.used')}</h2>
              </header>
              <div class="pad">
                <SpaceMeter name={used.name} used={used.usedBytes} quota={used.quotaBytes ?? null} />
              </div>
            </section>
          </aside>
        )}
      </div>
    </>
  )
}
