/**
 * `sif-library`: a `library://` registry for Singularity and Apptainer images that mounts into any Node server.
 * @module
 */
export { type Accounts, type CreateTokenOptions, createAccounts, type TokenInfo } from './accounts.js'
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
} from './auth.js'
export { errorTable, isLibraryError, LibraryError, type LibraryErrorCode, type LibraryErrorOptions } from './errors.js'
export type { ExplainOptions, Explanation } from './explain.js'
export type { LibraryEventName, LibraryEvents, LibraryHooks, LibraryListeners } from './hooks.js'
export { createLibrary, type Library } from './library.js'
export type { LibraryRequest, LibraryResponse, RequestBody } from './messages.js'
export type { LibraryLimits, LibraryOptions, Logger } from './options.js'
export type { ReindexItem, ReindexOptions, ReindexProgress, ReindexResult } from './reindex.js'
export { compareStorageMarks, type StorageMarkState } from './storage-mark.js'
export type { SweepOptions, SweepProgress, SweepResult, SweptItem } from './sweep.js'
export type { VerifiedItem, VerifyOptions, VerifyResult } from './verify.js'
export { packageVersion } from './version.js'
export type { PathVisibility } from './visibility.js'
