/**
 * `sif-library`: a `library://` registry for Singularity and Apptainer images that mounts into any
 * Node server.
 * @module
 */
export { type Accounts, type CreateTokenOptions, createAccounts } from './auth/accounts.js'
export { type MemberName, type Members, roles } from './auth/members.js'
export {
  type Action,
  type AuthHooks,
  type AuthorizeQuestion,
  actions,
  allowAll,
  bearerToken,
  type Grant,
  ownerPolicy,
  type Principal,
  type Resource,
  scopesAllow,
  type Visibility,
} from './auth/policy.js'
export { endedSessionCookie, sessionCookie } from './auth/session-cookie.js'
export type { Sessions } from './auth/sessions.js'
export type { TokenInfo } from './auth/token-info.js'
export { compareStorageMarks, type StorageMarkState } from './blobs/storage-mark.js'
export type { LibraryExtension } from './extension.js'
export type {
  EmitEvent,
  EventFacts,
  EventOrigin,
  LibraryEventName,
  LibraryEvents,
  LibraryHooks,
  LibraryListener,
  LibraryListeners,
} from './hooks/hooks.js'
export { eventNames } from './hooks/hooks.js'
export {
  errorTable,
  isLibraryError,
  LibraryError,
  type LibraryErrorCode,
  type LibraryErrorOptions,
} from './http/errors.js'
export type { Logger } from './http/logger.js'
export type { LibraryRequest, LibraryResponse, RequestBody } from './http/messages.js'
export type { ImageInspection } from './images/inspect-reference.js'
export type { VerifiedItem } from './images/verify-image.js'
export { createLibrary, type Library } from './library.js'
export type { LibraryLimits } from './limits.js'
export { formatBytes } from './model/format-bytes.js'
export type { PathVisibility, VisibilityOptions } from './namespaces/visibility.js'
export type { LibraryOptions } from './options.js'
export type { ReindexOptions, ReindexProgress, ReindexResult } from './sidecars/reindex.js'
export type { ReindexItem } from './sidecars/reindex-context.js'
export { placeOfStore } from './transfers/redirects.js'
export {
  type CopiedItem,
  type CopyOutcome,
  type CopyStorageOptions,
  type CopyStorageResult,
  copyStorage,
} from './upkeep/copy-storage.js'
export type { ExplainOptions, Explanation } from './upkeep/explain.js'
export type { InspectAllOptions, InspectAllResult, InspectedItem } from './upkeep/inspect.js'
export type { SweepOptions, SweepProgress, SweepResult, SweptItem } from './upkeep/sweep.js'
export type { UpkeepOptions } from './upkeep/timers.js'
export type { VerifyOptions, VerifyResult } from './upkeep/verify.js'
export { packageVersion } from './version.js'
