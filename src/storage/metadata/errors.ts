import { textIn } from '../../foreign.js'

/** What went wrong in a metadata store, without any HTTP status. */
export type MetadataErrorCode =
  | 'exists'
  | 'parent-missing'
  | 'image-missing'
  | 'quota-exceeded'
  | 'schema-too-new'
  | 'driver-missing'
  | 'unavailable'
  | 'closed'
  | 'internal'

/** The one error type that a MetadataStore throws. Recognise it by {@link isMetadataError}: each CJS entry point carries its own copy of the class. */
export class MetadataError extends Error {
  override readonly name = 'MetadataError'
  readonly code: MetadataErrorCode
  /** The same call may succeed later. */
  readonly retryable: boolean

  constructor(
    code: MetadataErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryable?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? code === 'unavailable'
  }
}

/** True for a MetadataError of any copy of this package; with `code`, only for that code. */
export function isMetadataError(error: unknown, code?: MetadataErrorCode): error is MetadataError {
  const found = textIn(error, 'name') === 'MetadataError' ? textIn(error, 'code') : undefined
  return found !== undefined && (code === undefined || found === code)
}
