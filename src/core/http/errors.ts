import { textIn } from '../../foreign.js'

export type LibraryErrorCode =
  | 'invalid-request'
  | 'invalid-name'
  | 'unauthorized'
  | 'forbidden'
  | 'cross-site'
  | 'expired-url'
  | 'quota-exceeded'
  | 'refused'
  | 'not-found'
  | 'not-offered'
  | 'method-not-allowed'
  | 'timeout'
  | 'conflict'
  | 'gone'
  | 'precondition-failed'
  | 'length-required'
  | 'too-large'
  | 'invalid-range'
  | 'too-many'
  | 'digest-mismatch'
  | 'size-mismatch'
  | 'invalid-image'
  | 'client-closed'
  | 'internal'
  | 'insufficient-storage'
  | 'unavailable'

/**
 * The errors of the registry: one table of codes, one class. They become responses in one place
 * (`pipeline.ts`).
 *
 * The message is written for the person at the command line: the clients print
 * `request did not succeed: MESSAGE (CODE StatusText)` (protocol 3.6).
 */
export const errorTable: Readonly<Record<LibraryErrorCode, { readonly status: number; readonly text: string }>> = {
  'invalid-request': { status: 400, text: 'The request is not valid; the message names the field.' },
  'invalid-name': { status: 400, text: 'A name, tag, hash or architecture breaks the grammar (protocol 2.1).' },
  unauthorized: { status: 401, text: 'No credentials, or bad ones, where a valid token would help.' },
  forbidden: { status: 403, text: 'The principal may see the resource, but not do this to it.' },
  'cross-site': {
    status: 403,
    text: 'A web page of another site sent this: open the registry by its public URL, or send a token in an Authorization header.',
  },
  'expired-url': { status: 403, text: 'A transfer URL is past its expiry, altered, or made for something else.' },
  'quota-exceeded': { status: 403, text: 'The entity would hold more bytes than it may.' },
  refused: { status: 403, text: 'A hook of the host refused.' },
  'not-found': { status: 404, text: 'There is no such thing, or the principal may not know of it.' },
  'not-offered': { status: 404, text: 'This server does not offer the service; clients fall back by themselves.' },
  'method-not-allowed': { status: 405, text: 'The path exists, but not with this method.' },
  timeout: { status: 408, text: 'The client stopped sending in the middle of a body.' },
  conflict: { status: 409, text: 'The state of the image or upload does not allow this now.' },
  gone: { status: 410, text: 'The upload was aborted, completed or has expired.' },
  'precondition-failed': {
    status: 412,
    text: 'It is not (any more) what the request says was seen: look at it again.',
  },
  'length-required': { status: 411, text: 'An upload needs a Content-Length.' },
  'too-large': { status: 413, text: 'The body or the image is larger than the limit.' },
  'invalid-range': { status: 416, text: 'The range starts past the end of the blob.' },
  'digest-mismatch': { status: 422, text: 'The bytes do not have the announced SHA-256.' },
  'size-mismatch': { status: 422, text: 'More or fewer bytes came than were announced.' },
  'invalid-image': { status: 422, text: 'The bytes are not what this registry accepts as an image.' },
  'too-many': { status: 429, text: 'Too many things are under way or unfinished; the message says which.' },
  'client-closed': { status: 499, text: 'The client left before the answer; only in logs and events.' },
  internal: { status: 500, text: 'A fault of the server; the request id leads to the log line.' },
  'insufficient-storage': { status: 507, text: 'The storage is full.' },
  unavailable: { status: 503, text: 'The storage or the metadata store does not answer now; try again.' },
}

export interface LibraryErrorOptions {
  readonly cause?: unknown
  /** Further response headers, lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  /** The member of the body, or the parameter, that is wrong. */
  readonly field?: string
  /** What is there instead of what the request took for granted. */
  readonly current?: unknown
}

/**
 * An error with a wire status. Hosts throw it from hooks too. Recognise it by
 * {@link isLibraryError}: each CJS entry point carries its own copy of the class.
 */
export class LibraryError extends Error {
  override readonly name = 'LibraryError'
  readonly code: LibraryErrorCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly field: string | undefined
  readonly current: unknown

  constructor(code: LibraryErrorCode, message: string = errorTable[code].text, options: LibraryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = errorTable[code].status
    this.headers = options.headers ?? {}
    this.field = options.field
    this.current = options.current
  }
}

/**
 * Headers of an answer to something that will work again in a moment: when to try again, in
 * seconds.
 */
export const retrySoon: Readonly<Record<string, string>> = { 'retry-after': '5' }

/** True for a LibraryError of any copy of this package; with `code`, only for that code. */
export function isLibraryError(error: unknown, code?: LibraryErrorCode): error is LibraryError {
  const found = textIn(error, 'name') === 'LibraryError' ? textIn(error, 'code') : undefined
  // a host may have an error of this name itself
  const isOurs = found !== undefined && typeof Reflect.get(error as object, 'status') === 'number'
  return isOurs && (code === undefined || found === code)
}
