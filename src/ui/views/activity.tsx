/** Activity: who did what, newest first. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useLocation, useSearch } from 'wouter-preact'
import { api } from '../api/client.js'
import { t } from '../messages/messages.js'
import { EventLine } from '../parts/event-line.js'
import { usePage } from '../parts/page.js'
import { Empty, Failure, Skeleton } from '../parts/states.js'
import { useList, useLoaded } from '../state/loading.js'
import { isAdmin, session } from '../state/session.js'

const actions = [
  ...['image.published', 'image.deleted', 'tag.moved', 'tag.removed'],
  ...['container.created', 'container.changed', 'container.deleted'],
  ...['upload.started', 'upload.completed', 'upload.aborted', 'token.created', 'token.revoked'],
]

/** Events of a place, or of everything where `where` is empty. */
export function EventList({ query }: { readonly query: Readonly<Record<string, string | boolean>> }): JSX.Element {
  const list = useList(JSON.stringify(query), (cursor, signal) => api.events({ ...query, cursor, limit: 50 }, signal))
  const isNarrowed = query.action !== undefined || query.actor !== undefined
  if (list.data === undefined)
    return list.error === undefined ? (
      <Skeleton />
    ) : (
      <div class="pad">
        <Failure error={list.error} again={list.reload} />
      </div>
    )
  if (list.data.length === 0) return <Empty title={isNarrowed ? t('activity.nothing') : t('activity.empty')} />
  return (
    <>
      <ul class="feed underlined" aria-label={t('activity.list')}>
        {list.data.map((event) => (
          <li key={event.seq}>
            <EventLine event={event} />
          </li>
        ))}
      </ul>
      {list.more !== undefined && (
        <div class="pad more">
          <button type="button" disabled={list.isLoadingMore} onClick={list.more}>
            {t('action.more')}
          </button>
        </div>
      )}
    </>
  )
}

export function Activity(): JSX.Element {
  const heading = usePage(t('activity.title'))
  const [, navigate] = useLocation()
  const parameters = new URLSearchParams(useSearch())
  const spaces = useLoaded('spaces', () => api.spaces())
  const names = spaces.data?.map(({ name }) => name) ?? []
  const usual = isAdmin() ? '' : (session.value?.principal?.name ?? names[0] ?? '')
  const entity = parameters.get('entity') ?? (isAdmin() || names.includes(usual) ? usual : (names[0] ?? usual))
  const action = parameters.get('action') ?? ''
  const actor = parameters.get('actor') ?? ''
  const [person, setPerson] = useState(actor)
  const withSystem = parameters.get('system') === 'true'
  const change = (name: string, value: string): void => {
    const next = new URLSearchParams(parameters)
    if (value === '') next.delete(name)
    else next.set(name, value)
    navigate(`/activity?${next.toString()}`, { replace: true })
  }
  return (
    <>
      <div class="heading">
        <div>
          <h1 tabIndex={-1} ref={heading}>
            {t('activity.title')}
          </h1>
          <p class="muted">{t('activity.lead')}</p>
        </div>
      </div>
      <div class="card">
        <header>
          <select
            class="compact"
            aria-label={t('activity.place')}
            value={entity}
            onChange={({ currentTarget: { value } }) => change('entity', value)}
          >
            {isAdmin() && <option value="">{t('usage.registry')}</option>}
            {[...new Set([...names, ...(entity === '' ? [] : [entity])])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <select
            class="compact"
            aria-label={t('activity.action')}
            value={action}
            onChange={({ currentTarget: { value } }) => change('action', value)}
          >
            <option value="">{t('activity.any')}</option>
            {actions.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <form
            onSubmit={(event) => {
              event.preventDefault()
              change('actor', person.trim())
            }}
          >
            <input
              class="compact"
              aria-label={t('activity.person')}
              placeholder={t('activity.person')}
              value={person}
              onInput={({ currentTarget: { value } }) => setPerson(value)}
              onBlur={() => change('actor', person.trim())}
            />
          </form>
          <label class="row small spread">
            <input
              type="checkbox"
              checked={withSystem}
              onChange={({ currentTarget: { checked } }) => change('system', checked ? 'true' : '')}
            />
            {t('activity.system')}
          </label>
        </header>
        <EventList
          query={{
            ...(entity !== '' && { entity }),
            ...(action !== '' && { action }),
            ...(actor !== '' && { actor }),
            ...(withSystem && { system: true }),
          }}
        />
      </div>
    </>
  )
}
