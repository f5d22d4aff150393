/**
 * `sif-library`: a `library://` registry for Singularity and Apptainer images that mounts into any Node server.
 * @module
 */
export { type Accounts, type CreateTokenOptions, createAccounts, type TokenInfo } from './auth/accounts.js'
export {
  type Action,
  type AuthHooks,
  type AuthorizeQuestion,
  allowAll,
  bearerToken,
  ownerPolicy,
  type Principal,
  type Resource,
  scopesAllow,
  type Visibility,
} from './auth/policy.js'
export { compareStorageMarks, type StorageMarkState } from './blobs/storage-mark.js'
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
export type { LibraryRequest, LibraryResponse, RequestBody } from './http/messages.js'
export { createLibrary, type Library } from './library.js'
export { formatBytes } from './model/format-bytes.js'
export type { PathVisibility } from './namespaces/visibility.js'
export type { LibraryLimits, LibraryOptions, Logger } from './options.js'
export type { ReindexItem, ReindexOptions, ReindexProgress, ReindexResult } from './sidecars/reindex.js'
export type { ExplainOptions, Explanation } from './upkeep/explain.js'
export type { SweepOptions, SweepProgress, SweepResult, SweptItem } from './upkeep/sweep.js'
export type { VerifiedItem, VerifyOptions, VerifyResult } from './upkeep/verify.js'
export { packageVersion } from './version.js'
