/** What every handler may use: made once by `createLibrary`, never changed. */
import type { StorageBackend } from '../storage/blob/contract.js'
import type { MetadataStore } from '../storage/metadata/contract.js'
import type { AuthHooks } from './auth/policy.js'
import type { StorageMark } from './blobs/storage-mark.js'
import type { BlobKeeper } from './blobs/why-kept.js'
import type { Readiness } from './discovery/readiness.js'
import type { EmitEvent, LibraryHooks } from './hooks/hooks.js'
import type { BodyBudget } from './http/body-budget.js'
import type { Cursors } from './images/cursors.js'
import type { Settings } from './settings.js'
import type { SidecarWriter } from './sidecars/writer.js'
import type { Receiving } from './transfers/receiving.js'
import type { Transfers } from './transfers/urls.js'

export interface Services {
  readonly settings: Settings
  readonly storage: StorageBackend
  readonly metadata: MetadataStore
  readonly auth: AuthHooks
  readonly hooks: LibraryHooks
  readonly emit: EmitEvent
  /** Where the bytes of an upload or a pull go: to the object store, or through us. */
  readonly transfers: Transfers
  /** Seals the cursors of a search. */
  readonly cursors: Cursors
  /** Settles once schema and storage are prepared. */
  readonly ready: () => Promise<void>
  /** Whether they are: most requests need not wait. */
  readonly isReady: () => boolean
  /** Whether metadata and storage answer; remembered for some seconds. */
  readonly readiness: () => Promise<Readiness>
  /** Once `close` was called: what is ours is answered with 503. */
  readonly isClosing: () => boolean
  /** Work that outlives its request; `close` waits for it, and its errors are logged. */
  readonly inBackground: (work: () => Promise<unknown>) => void
  /** Fires when `close` is called: work that may stop early does. */
  readonly stopping: AbortSignal
  /** Whether the storage is the one of this registry. */
  readonly storageMark: StorageMark
  /** Who may object to the deletion of a blob that no image has. */
  readonly keepers: readonly BlobKeeper[]
  /** Counts a pull of an image in its container. */
  readonly countDownload: (containerId: string, imageId: string) => void
  /** Keeps the sidecars in step with the metadata store. */
  readonly sidecars: SidecarWriter
  /** The bytes of uploads that are coming. */
  readonly receiving: Receiving
  /** Room for the JSON bodies that are being read. */
  readonly bodies: BodyBudget
  /** The OpenAPI document, made on first use. */
  readonly openapi: () => object
}
