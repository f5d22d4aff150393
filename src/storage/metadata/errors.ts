import { textIn } from '../../foreign.js'

/** What went wrong in a metadata store, without any HTTP status. */
export type MetadataErrorCode =
  | 'exists'
  | 'name-held'
  | 'parent-missing'
  | 'image-missing'
  | 'quota-exceeded'
  | 'limit-exceeded'
  | 'schema-too-new'
  | 'driver-missing'
  | 'unavailable'
  | 'closed'
  | 'internal'

/** Which number was reached; of a `limit-exceeded`. */
export type MetadataLimit = 'records' | 'pending-images' | 'tags' | 'uploads-of-principal' | 'uploads-of-image'

/**
 * The one error type that a MetadataStore throws. Recognise it by {@link isMetadataError}: each CJS
 * entry point carries its own copy of the class.
 */
export class MetadataError extends Error {
  override readonly name = 'MetadataError'
  readonly code: MetadataErrorCode
  /** The same call may succeed later. */
  readonly retryable: boolean
  /** Of a `limit-exceeded`: which limit the caller gave was reached. */
  readonly limit: MetadataLimit | undefined

  constructor(
    code: MetadataErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryable?: boolean; readonly limit?: MetadataLimit } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? code === 'unavailable'
    this.limit = options.limit
  }
}

/** True for a MetadataError of any copy of this package; with `code`, only for that code. */
export function isMetadataError(error: unknown, code?: MetadataErrorCode): error is MetadataError {
  const found = textIn(error, 'name') === 'MetadataError' ? textIn(error, 'code') : undefined
  return found !== undefined && (code === undefined || found === code)
}
