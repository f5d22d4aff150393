import { textIn } from '../../foreign.js'

/**
 * What went wrong in a backend, without any HTTP status. The registry decides what a client reads.
 */
export type StorageErrorCode =
  | 'not-found'
  | 'exists'
  | 'invalid-key'
  | 'invalid-range'
  | 'invalid-part'
  | 'upload-not-found'
  | 'upload-exhausted'
  | 'size-mismatch'
  | 'digest-mismatch'
  | 'aborted'
  | 'no-space'
  | 'access-denied'
  | 'unavailable'
  | 'unsupported'
  | 'internal'

export interface StorageErrorOptions {
  /** Name of the backend. */
  readonly backend: string
  readonly key?: string
  readonly cause?: unknown
  /** The same call may succeed later. Default: true for `unavailable`, otherwise false. */
  readonly retryable?: boolean
}

/**
 * The one error type that a StorageBackend throws. Recognise it by {@link isStorageError}: each CJS
 * entry point carries its own copy of the class.
 */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  readonly backend: string
  readonly key: string | undefined
  readonly retryable: boolean

  constructor(code: StorageErrorCode, message: string, options: StorageErrorOptions) {
    super(`${options.backend}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.backend = options.backend
    this.key = options.key
    this.retryable = options.retryable ?? code === 'unavailable'
  }
}

/** True for a StorageError of any copy of this package; with `code`, only for that code. */
export function isStorageError(error: unknown, code?: StorageErrorCode): error is StorageError {
  const found = textIn(error, 'name') === 'StorageError' ? textIn(error, 'code') : undefined
  return found !== undefined && (code === undefined || found === code)
}
