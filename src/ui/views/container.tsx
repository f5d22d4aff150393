/** A container: how to pull it, its tags with their history, what its images hold, its settings. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Link, useLocation } from 'wouter-preact'
import { ApiError, api } from '../api/client.js'
import type { Container, DeletionPreview, Image, Tag } from '../api/records.js'
import { pushLine } from '../commands.js'
import { count, dateTime, shortHash, size, when } from '../format.js'
import { t } from '../messages/messages.js'
import { CommandLine, CopyButton } from '../parts/copy.js'
import { Confirm } from '../parts/dialog.js'
import { Icon } from '../parts/icon.js'
import { Menu } from '../parts/menu.js'
import { usePage } from '../parts/page.js'
import { PlaceSettings } from '../parts/place-settings.js'
import { Bars, PrivateChip, Seal, Size, StateChip } from '../parts/small.js'
import { Empty, Failure, Skeleton, ViewFailure } from '../parts/states.js'
import { TabPanel, Tabs } from '../parts/tabs.js'
import { announce } from '../state/announce.js'
import { useLoaded } from '../state/loading.js'
import { EventList } from './activity.js'
import { type DetailsTab, ImageDetails } from './container/image-details.js'
import { PullCard } from './container/pull-card.js'
import { TagTable } from './container/tag-table.js'

interface ContainerParams {
  readonly params: {
    readonly entity?: string
    readonly collection?: string
    readonly container?: string
    readonly digest?: string
  }
}

/** What the page shows of a container: itself, its tags (newest first), and the image that a path names by its hash. */
interface Shown {
  readonly container: Container
  readonly tags: readonly Tag[]
  readonly image: Image | undefined
}

async function load(path: string, digest: string | undefined, signal: AbortSignal): Promise<Shown> {
  const [container, tags, image] = await Promise.all([
    api.containers.get(path, signal),
    api.tags.list(path, { limit: 200, sort: '-updatedAt' }, signal),
    digest === undefined ? undefined : api.images.get(path, digest, signal),
  ])
  return { container, tags: tags.items, image }
}

type TabName = 'tags' | DetailsTab | 'activity' | 'settings'

const isOfImage = (tab: TabName): tab is DetailsTab => tab === 'definition' || tab === 'labels' || tab === 'contents'

export function ContainerView({ params }: ContainerParams): JSX.Element {
  const path = `${params.entity}/${params.collection}/${params.container}`
  const digest = params.digest?.replace(/^sha256[:.]/, '')
  const heading = usePage(path)
  const [wantedTab, setTab] = useState<TabName>('tags')
  const [choice, setChoice] = useState<{ readonly tag: string; readonly arch: string }>()
  const [preview, setPreview] = useState<DeletionPreview>()
  const [menuError, setMenuError] = useState<ApiError>()
  const [, navigate] = useLocation()
  const found = useLoaded(`${path} ${digest ?? ''}`, (signal) => load(path, digest, signal))
  if (found.error !== undefined) return <ViewFailure error={found.error} again={found.reload} />
  if (found.data === undefined) return found.isSlow ? <Skeleton /> : <div aria-busy="true" />

  const { container, tags, image } = found.data
  const can = container.can ?? []
  const isPrivate = container.private || container.privateByCollection
  const chosen =
    tags.find(({ tag, arch }) => tag === choice?.tag && arch === choice.arch) ??
    tags.find(({ tag }) => tag === choice?.tag) ??
    tags.find(({ tag, arch }) => tag === container.latest?.tag && arch === container.latest.arch) ??
    tags[0]
  const shownDigest = image?.digest ?? chosen?.digest
  const shownName = image === undefined ? `${chosen?.tag} ${chosen?.arch}` : shortHash(image.digest)

  const askToDelete = async (): Promise<void> => {
    setMenuError(undefined)
    try {
      setPreview(await api.containers.preview(path))
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      setMenuError(error)
    }
  }
  const tabs: readonly { readonly id: TabName; readonly label: JSX.Element }[] = [
    {
      id: 'tags',
      label: (
        <>
          {t('container.tags')} <span class="count">{count(tags.length)}</span>
        </>
      ),
    },
    ...(shownDigest !== undefined && can.includes('pull')
      ? [
          { id: 'definition' as const, label: <>{t('details.definition')}</> },
          { id: 'labels' as const, label: <>{t('details.labels')}</> },
          { id: 'contents' as const, label: <>{t('details.contents')}</> },
        ]
      : []),
    ...(can.includes('manage')
      ? [
          { id: 'activity' as const, label: <>{t('container.activity')}</> },
          { id: 'settings' as const, label: <>{t('container.settings')}</> },
        ]
      : []),
  ]
  // another container, or its last image gone: the tab may be gone too
  const tab = tabs.some(({ id }) => id === wantedTab) ? wantedTab : 'tags'

  return (
    <>
      <nav aria-label={t('container.breadcrumb')} class="breadcrumb">
        <Link href={`/images/${container.entity}`}>{container.entity}</Link> <span aria-hidden="true">/</span>{' '}
        <Link href={`/images/${container.entity}/${container.collection}`}>{container.collection}</Link>{' '}
        <span aria-hidden="true">/</span>
      </nav>
      <div class="heading">
        <div>
          <div class="row">
            <h1 tabIndex={-1} ref={heading}>
              {container.name}
            </h1>
            {isPrivate ? (
              <PrivateChip />
            ) : (
              <span class="chip">
                <Icon name="globe" />
                {t('chip.public')}
              </span>
            )}
            {chosen?.signed === true && (
              <span class="chip good">
                <Icon name="seal" />
                {t('chip.signed')}
              </span>
            )}
          </div>
          {container.description !== '' && <p class="muted">{container.description}</p>}
        </div>
        <div class="row">
          {shownDigest !== undefined && (
            <a class="button" href={api.images.downloadUrl(path, shownDigest)} download>
              <Icon name="download" />
              {t('container.download')}
            </a>
          )}
          {can.includes('push') && (
            <Link class="button" href={`/upload?path=${encodeURIComponent(path)}`}>
              <Icon name="upload" />
              {t('container.upload')}
            </Link>
          )}
          {can.includes('delete') && (
            <Menu
              label={t('container.more')}
              buttonClass=""
              items={[{ label: t('container.delete'), danger: true, onSelect: () => void askToDelete() }]}
            >
              <Icon name="more" />
            </Menu>
          )}
        </div>
      </div>
      {menuError !== undefined && <Failure error={menuError} />}
      {(chosen !== undefined || image !== undefined) && (
        <PullCard
          container={container}
          tags={tags}
          chosen={chosen}
          image={image}
          isPrivate={isPrivate}
          onChoose={(next) => {
            setChoice(next)
            if (image !== undefined) navigate(`/images/${path}`)
          }}
        />
      )}
      <div class="columns">
        <div class="stack">
          <section class="card" aria-label={t('container.about')}>
            <Tabs label={t('container.about')} tabs={tabs} chosen={tab} onChoose={setTab} prefix="about" />
            <TabPanel prefix="about" chosen={tab}>
              {tab === 'tags' &&
                (tags.length === 0 && container.images === 0 ? (
                  <Empty title={t('container.empty')}>
                    <p>{t('container.emptyText')}</p>
                    <CommandLine
                      text={pushLine('apptainer', 'tool.sif', path, '1.0')}
                      label={t('start.pushLine')}
                      copyLabel={t('start.copyPush')}
                    />
                  </Empty>
                ) : (
                  <TagTable container={container} tags={tags} reload={found.reload} />
                ))}
              {isOfImage(tab) && shownDigest !== undefined && (
                <ImageDetails path={path} digest={shownDigest} name={shownName} tab={tab} />
              )}
              {tab === 'activity' && <EventList query={{ container: path }} />}
              {tab === 'settings' && (
                <div class="pad">
                  <PlaceSettings
                    path={path}
                    description={container.description}
                    isPrivate={container.private}
                    switchLabel={t('container.privateSwitch')}
                    hint={
                      container.privateByCollection
                        ? t('container.byCollection')
                        : container.private
                          ? t('container.privateText', { entity: container.entity })
                          : t('container.publicText')
                    }
                    update={async (change) => {
                      await api.containers.update(path, change, container.version)
                      found.reload()
                    }}
                    reload={found.reload}
                  />
                </div>
              )}
            </TabPanel>
          </section>
        </div>
        <aside class="stack">
          {shownDigest !== undefined && <Facts path={path} digest={shownDigest} title={shownName} />}
          <Pulls container={container} />
        </aside>
      </div>
      {preview !== undefined && (
        <Confirm
          title={t('container.deleteTitle', { path })}
          button={t('container.delete')}
          typed={path}
          run={async () => {
            await api.containers.delete(path)
            announce(t('container.deleted', { path }))
            navigate(`/images/${container.entity}/${container.collection}`)
          }}
          onClose={() => setPreview(undefined)}
        >
          <p>
            {t('container.deleteText', {
              images: t('container.images', { count: preview.images }),
              tags: t('container.tagCount', { count: preview.tags }),
              bytes: size(preview.bytes),
            })}
          </p>
          {container.pulls30 > 0 && <p>{t('container.deletePulls', { count: container.pulls30 })}</p>}
        </Confirm>
      )}
    </>
  )
}

interface FactsProps {
  readonly path: string
  readonly digest: string
  readonly title: string
}

/** What is known of one image. */
function Facts({ path, digest, title }: FactsProps): JSX.Element {
  const found = useLoaded(`${path} ${digest}`, (signal) => api.images.get(path, digest, signal))
  const image = found.data
  return (
    <section class="card" aria-labelledby="facts">
      <header>
        <h2 id="facts" class="wrap-anywhere">
          {title}
        </h2>
        {image !== undefined && <StateChip state={image.state} />}
      </header>
      {found.error !== undefined && (
        <div class="pad">
          <Failure error={found.error} again={found.reload} />
        </div>
      )}
      {image === undefined && found.error === undefined && <Skeleton rows={4} />}
      {image !== undefined && (
        <dl class="facts pad">
          <dt>{t('container.size')}</dt>
          <dd>
            <Size bytes={image.size} />
          </dd>
          <dt>{t('container.sha256')}</dt>
          <dd>
            <span class="mono" title={image.digest}>
              {image.digest.slice(0, 8)}…{image.digest.slice(-6)}
            </span>
            <CopyButton text={image.digest} label={t('container.copyDigest')} />
          </dd>
          {image.publishedAt !== null && (
            <>
              <dt>{t('container.pushed')}</dt>
              <dd>{dateTime(image.publishedAt)}</dd>
            </>
          )}
          {image.pushedBy !== null && (
            <>
              <dt>{t('container.by')}</dt>
              <dd>{image.pushedBy}</dd>
            </>
          )}
          <dt>{t('container.signed')}</dt>
          <dd>
            {image.signed === null ? (
              t('container.unknown')
            ) : image.signed ? (
              <>
                <Seal signed /> {image.fingerprints.map((print) => print.slice(-16)).join(', ') || t('container.yes')}
              </>
            ) : (
              t('container.no')
            )}
          </dd>
          <dt>{t('container.encrypted')}</dt>
          <dd>
            {image.encrypted === null ? t('container.unknown') : t(image.encrypted ? 'container.yes' : 'container.no')}
          </dd>
          <dt>{t('container.pulls')}</dt>
          <dd>{count(image.pulls)}</dd>
        </dl>
      )}
    </section>
  )
}

function Pulls({ container }: { readonly container: Container }): JSX.Element {
  return (
    <section class="card" aria-labelledby="pulls">
      <header>
        <h2 id="pulls">{t('container.pulls')}</h2>
        <span class="muted small">{t('container.days30')}</span>
      </header>
      <div class="pad">
        <div class="big">{count(container.pulls30)}</div>
        <Bars
          values={container.pullDays}
          label={t('browse.pullsOf', { name: container.name })}
          width={268}
          height={56}
          className="spark chart"
        />
        <p class="small muted">
          {t('container.allPulls', { count: container.pulls })},{' '}
          {container.lastPulledAt === null
            ? t('container.neverPulled')
            : t('container.lastPull', { when: when(container.lastPulledAt) })}
        </p>
      </div>
    </section>
  )
}
