/** One event, as a sentence. */
import type { ComponentChildren, JSX } from 'preact'
import { Link } from 'wouter-preact'
import type { ActivityEvent } from '../api/records.js'
import { shortHash } from '../format.js'
import { isMessageKey, type MessageKey, rich, t } from '../messages/messages.js'
import { When } from './small.js'

/** The sentence of an action: its own, or that of its verb (`container.created` → created). */
function sentenceOf(action: string): MessageKey {
  const verb = `event.${action.split('.').at(-1)}`
  if (isMessageKey(`event.${action}`)) return `event.${action}` as MessageKey
  return isMessageKey(verb) ? verb : 'event.other'
}

function who({ name, via }: ActivityEvent['actor']): string {
  if (name !== null) return name
  return via === 'system' || via === 'operator' ? t('activity.registryItself') : t('activity.somebody')
}

/** The path without what people know anyway: the name of a container, the whole of others. */
function placeOf(path: string | null): ComponentChildren {
  if (path === null) return null
  return (
    <Link href={`/images/${path}`} title={path}>
      {path}
    </Link>
  )
}

export function EventLine({ event }: { readonly event: ActivityEvent }): JSX.Element {
  const { action, actor, path, digest, tag, arch, at } = event
  return (
    <>
      {rich(sentenceOf(action), {
        who: <b>{who(actor)}</b>,
        place: placeOf(path),
        hash: <span class="mono">{digest === null ? '' : shortHash(digest)}</span>,
        tag: tag === null ? '' : <span class="tag">{tag}</span>,
        action,
      })}
      <div class="muted small">
        <When date={at} />
        {arch !== null && `, ${arch}`}
      </div>
    </>
  )
}
