/** The table of images: of everything, of a place, of a search. */
import type { ComponentChildren, JSX } from 'preact'
import type { Container } from '../api/records.js'
import { pullLine } from '../commands.js'
import { count } from '../format.js'
import { t } from '../messages/messages.js'
import type { LoadedList } from '../state/loading.js'
import { session } from '../state/session.js'
import { copyText } from './copy.js'
import { Icon } from './icon.js'
import { moveInRows } from './keys.js'
import { Scroll } from './scroll.js'
import { Bars, PathLink, PrivateChip, Seal, Size, When } from './small.js'
import { Failure, Skeleton } from './states.js'

export type ContainerSort = 'name' | '-updatedAt' | '-pulls' | '-usedBytes'

/** Whether the line must name the registry: who is signed in has an entry of it. */
export const isAnonymous = (): boolean => session.value?.principal == null

export const linePlace = (container: Container) => ({
  path: container.path,
  selector: container.latest?.tag ?? 'latest',
  arch: container.latest?.arch,
  anonymous: isAnonymous(),
})

interface HeaderProps {
  readonly label: string
  readonly sort: ContainerSort
  readonly chosen: ContainerSort
  readonly onSort: ((sort: ContainerSort) => void) | undefined
  readonly className?: string
}

/** A heading that sorts; the server does it, over the whole list. */
function Header({ label, sort, chosen, onSort, className }: HeaderProps): JSX.Element {
  if (onSort === undefined)
    return (
      <th scope="col" class={className}>
        {label}
      </th>
    )
  const isChosen = sort === chosen
  const direction = sort.startsWith('-') ? 'descending' : 'ascending'
  return (
    <th scope="col" class={className} aria-sort={isChosen ? direction : undefined}>
      <button type="button" onClick={() => onSort(sort)}>
        {label}
        {isChosen && <span aria-hidden="true">{direction === 'descending' ? ' ↓' : ' ↑'}</span>}
      </button>
    </th>
  )
}

/** Enter on a row selects and copies its line; a click opens it. */
function copyOnEnter(event: KeyboardEvent, container: Container): void {
  if (event.key !== 'Enter' || !(event.target instanceof HTMLAnchorElement)) return
  void copyText(pullLine('apptainer', linePlace(container)))
}

function Row({ container }: { readonly container: Container }): JSX.Element {
  const { path, latest, archs } = container
  return (
    <tr onKeyDown={(event) => copyOnEnter(event, container)}>
      <td>
        <PathLink path={path} /> {(container.private || container.privateByCollection) && <PrivateChip />}
        {container.description !== '' && <div class="muted small cut">{container.description}</div>}
      </td>
      <td class="secondary">
        {latest === null ? (
          <span class="muted small">{t('browse.noTag')}</span>
        ) : (
          <>
            <span class="tag" title={latest.tag}>
              {latest.tag}
            </span>{' '}
            <Seal signed={latest.signed} />
            <div class="muted small">{archs.join(' · ')}</div>
          </>
        )}
      </td>
      <td class="number secondary">
        <Size bytes={latest?.size ?? 0} />
      </td>
      <td class="number secondary">
        <div class="pulls">
          <Bars
            values={container.pullDays}
            label={t('browse.pullsOf', { name: container.name })}
            width={62}
            height={18}
          />
          <span>{count(container.pulls30)}</span>
        </div>
      </td>
      <td class="nowrap">
        <When date={container.updatedAt} />
        {container.changedBy !== null && <div class="muted small">{container.changedBy}</div>}
      </td>
      <td class="number">
        {latest !== null && (
          <button
            type="button"
            class="ghost compact-button"
            aria-label={t('browse.copyOf', { path })}
            onClick={() => void copyText(pullLine('apptainer', linePlace(container)))}
          >
            <Icon name="copy" />
          </button>
        )}
      </td>
    </tr>
  )
}

interface TableProps {
  readonly list: LoadedList<Container>
  readonly sort?: ContainerSort
  readonly onSort?: (sort: ContainerSort) => void
  /** Shown where the list is empty. */
  readonly empty: ComponentChildren
  /** What is known of the number of all. */
  readonly total?: string | undefined
}

export function ContainerTable({ list, sort = '-updatedAt', onSort, empty, total }: TableProps): JSX.Element {
  if (list.data === undefined) {
    if (list.error !== undefined)
      return (
        <div class="pad">
          <Failure error={list.error} again={list.reload} />
        </div>
      )
    return list.isSlow ? <Skeleton rows={8} /> : <div class="pad" aria-busy="true" />
  }
  if (list.data.length === 0 && list.more === undefined) return <>{empty}</>
  const headers = { chosen: sort, onSort }
  return (
    <>
      <Scroll label={t('browse.tableRegion')}>
        <table aria-label={t('browse.table')} aria-busy={list.isLoading}>
          <thead>
            <tr>
              <Header label={t('browse.name')} sort="name" {...headers} />
              <th scope="col" class="secondary">
                {t('browse.latest')}
              </th>
              <Header label={t('browse.size')} sort="-usedBytes" className="number secondary" {...headers} />
              <Header label={t('browse.pulls')} sort="-pulls" className="number secondary" {...headers} />
              <Header label={t('browse.changed')} sort="-updatedAt" {...headers} />
              <th scope="col">
                <span class="hidden-text">{t('browse.actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody onKeyDown={moveInRows}>
            {list.data.map((container) => (
              <Row key={container.path} container={container} />
            ))}
          </tbody>
        </table>
      </Scroll>
      {list.error !== undefined && (
        <div class="pad">
          <Failure error={list.error} />
        </div>
      )}
      {(list.more !== undefined || total !== undefined) && (
        <div class="pad more">
          {list.more !== undefined && (
            <button type="button" disabled={list.isLoadingMore} onClick={list.more}>
              {t('action.more')}
            </button>
          )}
          {total !== undefined && <span class="muted small">{total}</span>}
        </div>
      )}
    </>
  )
}
