/** Hooks are awaited and may refuse; events are told after the fact and cannot break a request. */
import type { SifInspection } from '../../sif/index.js'
import type { ContainerRecord, ImageRecord } from '../../storage/metadata/contract.js'
import type { AccountEvents } from '../auth/account-events.js'
import type { Principal } from '../auth/policy.js'
import type { LibraryErrorCode } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'

type Awaitable = void | Promise<void>

interface HookContext {
  readonly principal: Principal | null
  readonly request: LibraryRequest
  /** `entity/collection/container`, or a part of it for `beforeCreate`. */
  readonly path: string
}

/**
 * Called before the thing happens. To refuse, throw
 * `new LibraryError('refused', 'the reason, for the person at the command line')` (or another
 * code); any other throw is a 500 whose text stays in the log.
 */
export interface LibraryHooks {
  /** Before an entity, collection or container is made. */
  beforeCreate?(context: HookContext & { readonly kind: 'entity' | 'collection' | 'container' }): Awaitable
  /**
   * Before bytes are accepted: an image record is made (`size` not known yet) or an upload is
   * started.
   */
  beforePush?(context: HookContext & { readonly digest: string; readonly size?: number }): Awaitable
  /** The bytes are proven and not visible yet. */
  beforePublish?(
    context: HookContext & {
      readonly image: ImageRecord
      readonly container: ContainerRecord
      readonly size: number
      readonly arch: string | null
      /**
       * What the file says of itself: labels, definition file, claimed signatures. Look at
       * `sif.state` first.
       */
      readonly sif: SifInspection
    },
  ): Awaitable
  beforeTag?(
    context: HookContext & { readonly image: ImageRecord; readonly tag: string; readonly arch: string },
  ): Awaitable
  beforeDelete?(
    context: HookContext & { readonly image: ImageRecord; readonly tag?: string; readonly arch?: string },
  ): Awaitable
  /**
   * Before bytes of an image are handed out (not for its metadata), or shared with a container of
   * the same principal, which a refusal makes send them.
   */
  beforePull?(context: HookContext & { readonly image: ImageRecord; readonly container: ContainerRecord }): Awaitable
}

/** What every event has beside its own facts: when it was, and who did it. */
export interface EventOrigin {
  /** Milliseconds since 1970. */
  readonly at: number
  /**
   * `id` of the principal; null for an anonymous one, and where no request did it: a sweep, the
   * host's own code.
   */
  readonly principal: string | null
  /**
   * `name` of the principal; null where `principal` is, and where only the id is recorded: an
   * upload that expired.
   */
  readonly principalName: string | null
  /**
   * Address that the request came from (behind a proxy, the proxy's); null where no request did it.
   */
  readonly remote: string | null
}

interface ImageEvent extends EventOrigin {
  readonly path: string
  readonly imageId: string
  readonly digest: string
}

interface UploadEvent extends EventOrigin {
  readonly uploadId: string
  readonly imageId: string
  /** Bytes that were announced. */
  readonly size: number
}

type AccountEventsWithOrigin = {
  readonly [Name in keyof AccountEvents]: EventOrigin & AccountEvents[Name]
}

export interface LibraryEvents extends AccountEventsWithOrigin {
  'image.published': ImageEvent & {
    readonly size: number
    readonly arch: string | null
    /**
     * No text of the file: definition files and environments may hold secrets. `library.inspect`
     * shows them.
     */
    readonly sif: Pick<SifInspection, 'state' | 'kind' | 'signed' | 'encrypted'>
  }
  'image.pulled': ImageEvent & { readonly size: number }
  'image.deleted': ImageEvent
  /** A check found other bytes than were pushed; the image is hidden. */
  'image.damaged': ImageEvent
  'tag.moved': ImageEvent & {
    readonly tag: string
    readonly arch: string
    readonly previousImageId: string | undefined
  }
  /**
   * By a deletion that named the tag; a deletion of the image takes its tags along without a word.
   */
  'tag.removed': ImageEvent & { readonly tag: string; readonly arch: string }
  'upload.started': UploadEvent
  'upload.completed': UploadEvent
  'upload.aborted': UploadEvent & { readonly reason: 'client' | 'expired' | 'failed' | 'replaced' }
  /** `library.visibility` changed it. */
  'visibility.changed': EventOrigin & {
    readonly kind: 'entity' | 'collection' | 'container'
    readonly path: string
    readonly private: boolean
  }
  /** With everything in it: its images and tags have no events of their own. */
  'place.deleted': EventOrigin & {
    readonly kind: 'entity' | 'collection' | 'container'
    readonly path: string
  }
  /**
   * An answer is ready, of success or of failure; bytes of a streamed body are still to be sent.
   */
  'request.completed': EventOrigin & {
    readonly requestId: string
    /** Name of the row of the route table. */
    readonly route: string | undefined
    readonly method: string
    readonly status: number
    /** Milliseconds until the answer was ready. */
    readonly ms: number
    /** Bytes of the body, where they are known: its `content-length`. */
    readonly bytes: number | undefined
  }
  'request.failed': EventOrigin & {
    readonly requestId: string
    readonly route: string | undefined
    readonly code: LibraryErrorCode
    readonly status: number
    readonly error: unknown
  }
}

export type LibraryEventName = keyof LibraryEvents
const everyEvent = {
  ...{
    'image.published': true,
    'image.pulled': true,
    'image.deleted': true,
    'image.damaged': true,
    'tag.moved': true,
    'tag.removed': true,
  },
  ...{ 'upload.started': true, 'upload.completed': true, 'upload.aborted': true, 'visibility.changed': true },
  ...{ 'place.deleted': true },
  ...{ 'user.added': true, 'user.changed': true, 'user.removed': true },
  ...{ 'token.created': true, 'token.revoked': true, 'session.created': true, 'session.ended': true },
  ...{ 'member.changed': true },
  ...{ 'request.failed': true, 'request.completed': true },
} satisfies Record<LibraryEventName, true>
export const eventNames: readonly LibraryEventName[] = Object.keys(everyEvent) as LibraryEventName[]
export type LibraryListener<Name extends LibraryEventName> = (event: LibraryEvents[Name]) => void | Promise<void>
export type LibraryListeners = { readonly [Name in LibraryEventName]?: LibraryListener<Name> }

/**
 * What the place that emits an event knows of it; `principal` only where it is not the one of the
 * request.
 */
export type EventFacts<Name extends LibraryEventName> = Omit<LibraryEvents[Name], keyof EventOrigin> & {
  readonly principal?: string | null
}
/** `by`: who asked, with which request; absent where nobody did. */
export type EmitEvent = <Name extends LibraryEventName>(
  name: Name,
  facts: EventFacts<Name>,
  by?: { readonly principal: Principal | null; readonly request: LibraryRequest },
) => void
