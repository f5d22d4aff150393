/** Writes down who did what, in the transaction that does it. */
import type { Activity, EventAction, EventSubject } from '../contract.js'
import type { LockedContainer } from './locks.js'
import type { Steps } from './steps.js'

export interface WrittenEvent extends EventSubject {
  readonly action: EventAction
  readonly at: number
  /** Facts of the store's own; those of the activity come on top. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** Does nothing where nobody says who did it. */
export function* writeEvent(activity: Activity | undefined, event: WrittenEvent): Steps<void> {
  if (activity === undefined) return
  const { actor, requestId = null, details } = activity
  yield {
    sql: `INSERT INTO events (at, action, actor_id, actor_name, via, token_id, path, entity_id, container_id, digest, tag, arch, request_id, details)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    values: [
      ...[event.at, event.action, actor.id, actor.name, actor.via, actor.tokenId ?? null],
      ...[event.path ?? null, event.entityId ?? null, event.containerId ?? null],
      ...[event.digest ?? null, event.tag ?? null, event.arch ?? null],
      ...[requestId, JSON.stringify({ ...event.details, ...details })],
    ],
  }
}

/** What an event in a container is about. */
export function inContainer({ id, entityId, path }: LockedContainer): EventSubject {
  return { path, entityId, containerId: id }
}

export interface TagMove {
  readonly containerId: string
  readonly at: number
  readonly arch: string
  readonly tag: string
  readonly digest: string | null
  readonly previous: string | null
}

/** A row of the history of a tag: written for every change, also where nobody says who made it. */
export function* writeHistory(activity: Activity | undefined, move: TagMove): Steps<void> {
  const via = activity?.cause ?? (move.digest === null ? 'delete' : 'api')
  yield {
    sql: 'INSERT INTO tag_history (container_id, at, by_id, by_name, arch, tag, digest, previous, via) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    values: [
      ...[move.containerId, move.at, activity?.actor.id ?? null, activity?.actor.name ?? null],
      ...[move.arch, move.tag, move.digest, move.previous, via],
    ],
  }
}
