/**
 * `sif-library/storage`: what somebody needs who writes a StorageBackend.
 * @module
 */
export type * from './contract.js'
export { isStorageError, StorageError, type StorageErrorCode, type StorageErrorOptions } from './errors.js'
export { assertKey } from './keys.js'
export { type ReadBodyOptions, readBody, resolveRange, throwIfAborted } from './streams.js'
