import { textIn } from '../../../foreign.js'
import { isStorageError, StorageError, type StorageErrorCode } from '../errors.js'

/**
 * Codes of S3 and of its imitators, by what they mean to us (AWS "Error responses"; the others were
 * seen on MinIO and versitygw).
 */
const CODES: Readonly<Record<string, StorageErrorCode>> = {
  NoSuchKey: 'not-found',
  NotFound: 'not-found',
  NoSuchUpload: 'upload-not-found',
  InvalidPart: 'invalid-part',
  InvalidPartOrder: 'invalid-part',
  InvalidPartNumber: 'invalid-part',
  EntityTooSmall: 'invalid-part',
  InvalidRange: 'invalid-range',
  PreconditionFailed: 'exists',
  BadDigest: 'digest-mismatch',
  XAmzContentSHA256Mismatch: 'digest-mismatch',
  XAmzContentChecksumMismatch: 'digest-mismatch',
  IncompleteBody: 'size-mismatch',
  KeyTooLongError: 'invalid-key',
  XMinioInvalidObjectName: 'invalid-key',
  XMinioInvalidResourceName: 'invalid-key',
  XMinioStorageFull: 'no-space',
  XMinioAdminBucketQuotaExceeded: 'no-space',
  QuotaExceeded: 'no-space',
  NotImplemented: 'unsupported',
  AccessDenied: 'access-denied',
  SignatureDoesNotMatch: 'access-denied',
  InvalidAccessKeyId: 'access-denied',
  XAdminUserNotFound: 'access-denied',
  ExpiredToken: 'access-denied',
  InvalidToken: 'access-denied',
  UserSuspended: 'access-denied',
  RequestTimeTooSkewed: 'access-denied',
  AuthorizationHeaderMalformed: 'access-denied',
  AccountProblem: 'access-denied',
  CredentialsProviderError: 'access-denied',
  // The bucket is configuration: it must never look like a missing blob, or a sweep could take it
  // for one.
  NoSuchBucket: 'unavailable',
  PermanentRedirect: 'unavailable',
  // two conditional writes at once; AWS asks to try again
  ConditionalRequestConflict: 'unavailable',
  OperationAborted: 'unavailable',
  RequestTimeout: 'unavailable',
  TimeoutError: 'unavailable',
  SlowDown: 'unavailable',
  ServiceUnavailable: 'unavailable',
  InternalError: 'unavailable',
  AbortError: 'aborted',
}

const STATUS: Readonly<Record<number, StorageErrorCode>> = {
  401: 'access-denied',
  403: 'access-denied',
  404: 'not-found',
  408: 'unavailable',
  412: 'exists',
  416: 'invalid-range',
  429: 'unavailable',
  501: 'unsupported',
  507: 'no-space',
}

const NETWORK =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOTFOUND|EPROTO|ERR_TLS|ERR_SSL|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|CERT_|ERR_STREAM_PREMATURE_CLOSE)/

/** Errors that the same call will meet again: somebody must change the configuration. */
const LASTING = /^(NoSuchBucket|PermanentRedirect|EPROTO|ERR_TLS|ERR_SSL|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|CERT_)/

/** What an SDK error carries that is of use and free of secrets. */
export interface S3ErrorFacts {
  /** The store's code, a network code or the error's name. */
  readonly code: string
  readonly status: number | undefined
  readonly requestId: string | undefined
}

export function factsOf(error: unknown): S3ErrorFacts {
  const { name, Code, code, $metadata } = (typeof error === 'object' && error !== null ? error : {}) as {
    name?: unknown
    Code?: unknown
    code?: unknown
    $metadata?: { httpStatusCode?: number; requestId?: string }
  }
  const names = [Code, name === 'TimeoutError' || name === 'AbortError' ? name : code, name]
  return {
    code:
      names.find((value): value is string => typeof value === 'string' && value !== '' && value !== 'Error') ?? 'Error',
    status: $metadata?.httpStatusCode,
    requestId: $metadata?.requestId,
  }
}

/**
 * Any error of a call as the StorageError that stands for it. The message has operation, code and
 * status; no header, no URL, no signature.
 */
export function storageErrorFrom(
  error: unknown,
  call: { readonly operation: string; readonly key?: string; readonly bucket: string },
): StorageError {
  if (isStorageError(error)) return error
  const facts = factsOf(error)
  const code =
    CODES[facts.code] ??
    (facts.status === undefined ? undefined : STATUS[facts.status]) ??
    (isUnavailable(facts) ? 'unavailable' : 'internal')
  const answer = facts.status === undefined ? facts.code : `${facts.status} ${facts.code}`
  const message = textIn(error, 'message') ?? ''
  const text = message !== '' && message !== 'UnknownError' ? `: ${plain(message)}` : ''
  const target = facts.code === 'NoSuchBucket' ? ` (bucket ${call.bucket})` : ''
  return new StorageError(code, `${call.operation} failed with ${answer}${target}${text}`, {
    backend: 's3',
    key: call.key,
    retryable: code === 'unavailable' && !LASTING.test(facts.code),
    // The SDK's error is not passed on: it carries the answer's StringToSign, SignatureProvided and
    // the request's headers.
    cause: Object.assign(new Error(answer), facts),
  })
}

function isUnavailable(facts: S3ErrorFacts): boolean {
  return NETWORK.test(facts.code) || (facts.status !== undefined && facts.status >= 500)
}

function plain(message: string): string {
  const line = message
    .replace(/\s+/g, ' ')
    // no message of a store is known to repeat them, but a proxy in between may
    .replace(/(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"']+/gi, '$1…')
    .replace(/(Signature=|Credential=)[^,\s"']+/g, '$1…')
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
