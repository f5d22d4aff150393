/** Hooks are awaited and may refuse; events are told after the fact and cannot break a request. */
import type { ContainerRecord, ImageRecord } from '../../storage/metadata/contract.js'
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
 * Called before the thing happens. To refuse, throw `new LibraryError('refused', 'the reason, for the person at the command line')` (or another code); any other
 * throw is a 500 whose text stays in the log.
 */
export interface LibraryHooks {
  /** Before an entity, collection or container is made. */
  beforeCreate?(context: HookContext & { readonly kind: 'entity' | 'collection' | 'container' }): Awaitable
  /** Before bytes are accepted: an image record is made (`size` not known yet) or an upload is started. */
  beforePush?(context: HookContext & { readonly digest: string; readonly size?: number }): Awaitable
  /** The bytes are proven and not visible yet. */
  beforePublish?(
    context: HookContext & {
      readonly image: ImageRecord
      readonly container: ContainerRecord
      readonly size: number
      readonly arch: string | null
    },
  ): Awaitable
  beforeTag?(
    context: HookContext & { readonly image: ImageRecord; readonly tag: string; readonly arch: string },
  ): Awaitable
  beforeDelete?(
    context: HookContext & { readonly image: ImageRecord; readonly tag?: string; readonly arch?: string },
  ): Awaitable
  /** Before bytes of an image are handed out (not for its metadata), or shared with a container of the same principal, which a refusal makes send them. */
  beforePull?(context: HookContext & { readonly image: ImageRecord; readonly container: ContainerRecord }): Awaitable
}

interface ImageEvent {
  readonly path: string
  readonly imageId: string
  readonly digest: string
  /** `id` of the principal; null for an anonymous one. */
  readonly principal: string | null
}

interface UploadEvent {
  readonly uploadId: string
  readonly imageId: string
  /** Bytes that were announced. */
  readonly size: number
  /** `id` of the principal; null for an anonymous one. */
  readonly principal: string | null
}

export interface LibraryEvents {
  'image.published': ImageEvent & { readonly size: number; readonly arch: string | null }
  'image.pulled': ImageEvent & { readonly size: number }
  'image.deleted': ImageEvent
  /** A check found other bytes than were pushed; the image is hidden. */
  'image.damaged': Omit<ImageEvent, 'principal'>
  'tag.moved': ImageEvent & {
    readonly tag: string
    readonly arch: string
    readonly previousImageId: string | undefined
  }
  /** By a deletion that named the tag; a deletion of the image takes its tags along without a word. */
  'tag.removed': ImageEvent & { readonly tag: string; readonly arch: string }
  'upload.started': UploadEvent
  'upload.completed': UploadEvent
  'upload.aborted': UploadEvent & { readonly reason: 'client' | 'expired' | 'failed' | 'replaced' }
  'request.failed': {
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
  ...{ 'upload.started': true, 'upload.completed': true, 'upload.aborted': true, 'request.failed': true },
} satisfies Record<LibraryEventName, true>
export const eventNames: readonly LibraryEventName[] = Object.keys(everyEvent) as LibraryEventName[]
export type LibraryListeners = {
  readonly [Name in LibraryEventName]?: (event: LibraryEvents[Name]) => void | Promise<void>
}
export type EmitEvent = <Name extends LibraryEventName>(name: Name, event: LibraryEvents[Name]) => void
