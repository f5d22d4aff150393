/**
 * What people and the registry did: events, the history of tags, and what was pulled and used on
 * each day. Times are milliseconds since 1970, sizes are bytes, a day is the number of days since
 * 1970-01-01 (UTC).
 */

/** How somebody proved who they are; `system`: the registry's own work, such as a sweep. */
export type ActorVia = 'token' | 'session' | 'host' | 'operator' | 'system' | 'anonymous'

/** Who did something, as they were called then: ids and names of a host may mean nothing later. */
export interface Actor {
  /** Id of the principal; null for an anonymous one and for the registry's own work. */
  readonly id: string | null
  readonly name: string | null
  readonly via: ActorVia
  /** Id of the token or of the session that was used. Default: null. */
  readonly tokenId?: string | null
}

/** By what a tag was changed. */
export type TagCause = 'push' | 'api' | 'rollback' | 'delete' | 'policy'

/**
 * Who makes a change, given to the method of the store that makes it: the store writes the event in
 * the same transaction. Without it the change is made and no event is written; the history of tags
 * is written all the same.
 */
export interface Activity {
  readonly actor: Actor
  /** Default: null. */
  readonly requestId?: string | null
  /** By what tags are changed. Default: `delete` where images or tags are deleted, else `api`. */
  readonly cause?: TagCause
  /** Further facts, for the event's `details`; a small JSON object. */
  readonly details?: Readonly<Record<string, unknown>>
}

export type EventAction =
  | 'image.published'
  | 'image.changed'
  | 'image.deleted'
  | 'image.damaged'
  | 'tag.moved'
  | 'tag.removed'
  | 'entity.created'
  | 'entity.changed'
  | 'entity.deleted'
  | 'collection.created'
  | 'collection.changed'
  | 'collection.deleted'
  | 'container.created'
  | 'container.changed'
  | 'container.deleted'
  | 'upload.started'
  | 'upload.completed'
  | 'upload.aborted'
  | 'user.added'
  | 'user.changed'
  | 'user.removed'
  | 'token.created'
  | 'token.revoked'
  | 'session.created'
  | 'session.ended'
  | 'member.changed'
  | 'quota.changed'
  | 'policy.changed'
  | 'policy.ran'
  | 'sweep.ran'
  | 'verify.ran'
  | 'webhook.disabled'

/** What an event is about. Default of each member: null. */
export interface EventSubject {
  /** `entity`, `entity/collection` or `entity/collection/container`. */
  readonly path?: string | null
  readonly entityId?: string | null
  readonly containerId?: string | null
  readonly digest?: string | null
  readonly tag?: string | null
  readonly arch?: string | null
}

export interface EventRecord extends Required<EventSubject> {
  /**
   * Later events have greater numbers, and none is ever used again. Of two that were written at the
   * same time either may be seen first.
   */
  readonly seq: number
  readonly at: number
  readonly action: EventAction
  readonly actor: Required<Actor>
  readonly requestId: string | null
  readonly details: Readonly<Record<string, unknown>>
}

/** One change of one tag; it stays when the image goes. */
export interface TagHistoryRecord {
  /** Later changes have greater numbers. */
  readonly seq: number
  readonly at: number
  /** Principal id and name of who changed it; null = not known, or the registry itself. */
  readonly by: { readonly id: string | null; readonly name: string | null }
  readonly arch: string
  readonly tag: string
  /** What it has pointed at since; null = it was removed. */
  readonly digest: string | null
  /** What it pointed at before; null = there was no such tag. */
  readonly previous: string | null
  readonly via: TagCause
  /** Whether the container has a published or unproven image with that `digest` now. */
  readonly present: boolean
}

/**
 * Pulls of what is counted: of an image, of a container, of an entity, or of the whole registry
 * (`id` is then `all`).
 */
export type PullScope = 'image' | 'container' | 'entity' | 'all'

export interface PullDay {
  readonly id: string
  readonly day: number
  readonly pulls: number
}

/** What an entity held at the end of a day on which it changed. */
export interface UsageDay {
  readonly day: number
  readonly usedBytes: number
  readonly images: number
}

export interface Totals {
  readonly containers: number
  /** Those that have bytes. */
  readonly images: number
  /** Each image counted where it is, as in `usedBytes` of an entity. */
  readonly bytes: number
}

/** Kept with every change, never counted when asked for. */
export interface RegistryTotals {
  readonly all: Totals
  /** Of containers that are not private, nor their collection. */
  readonly public: Totals
}
