import { textIn } from '../../../foreign.js'
import { isStorageError, StorageError, type StorageErrorCode } from '../errors.js'

export const NAME = 'filesystem'

const CODES: Readonly<Record<string, StorageErrorCode>> = {
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EFBIG: 'no-space',
  EACCES: 'access-denied',
  EPERM: 'access-denied',
  EROFS: 'access-denied',
  ENAMETOOLONG: 'invalid-key',
  EMFILE: 'unavailable',
  ENFILE: 'unavailable',
  ENOMEM: 'unavailable',
  EAGAIN: 'unavailable',
  EBUSY: 'unavailable',
  ESTALE: 'unavailable',
  ETIMEDOUT: 'unavailable',
}

/** The code of an error of the operating system (`ENOENT`), if it is one. */
export function systemCode(error: unknown): string | undefined {
  return textIn(error, 'code')
}

/** The call that the operating system refused (`link`), if it was one. */
export function systemCall(error: unknown): string | undefined {
  return textIn(error, 'syscall')
}

/** True when a file or a folder on the way to it is not there. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

export function failure(
  code: StorageErrorCode,
  message: string,
  details: { readonly key?: string | undefined; readonly cause?: unknown; readonly retryable?: boolean } = {},
): StorageError {
  return new StorageError(code, message, {
    backend: NAME,
    key: details.key,
    retryable: details.retryable,
    cause: details.cause,
  })
}

/**
 * Runs `action`; whatever it throws becomes a StorageError: `no-space`, `access-denied`,
 * `unavailable`, otherwise `internal`.
 */
export async function guarded<T>(key: string | undefined, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw toStorageError(error, key)
  }
}

export function toStorageError(error: unknown, key?: string): StorageError {
  if (isStorageError(error)) return error
  const code = systemCode(error)
  // The message of a system error names paths of this machine: it stays in the cause.
  return failure(CODES[code ?? ''] ?? 'internal', `the file system failed (${code ?? 'unknown'})`, {
    key,
    cause: error,
  })
}
