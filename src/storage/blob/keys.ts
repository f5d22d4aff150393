import { StorageError } from './errors.js'

const SEGMENT = /^[A-Za-z0-9._-]{1,255}$/

/**
 * True for a relative, `/`-separated key of `[A-Za-z0-9._-]` segments (1 to 255 characters each,
 * 1024 in all), none of them `.` or `..`.
 */
export function isValidKey(key: string): boolean {
  return (
    key.length <= 1024 &&
    key.split('/').every((segment) => SEGMENT.test(segment) && segment !== '.' && segment !== '..')
  )
}

/**
 * Throws `invalid-key` for a key that the contract does not allow: the last wall before a path or
 * an object name is made of it.
 */
export function assertKey(key: string, backend: string): void {
  if (!isValidKey(key))
    throw new StorageError(
      'invalid-key',
      'the key must be relative, of segments made of letters, digits, ".", "_" and "-"',
      { backend, key },
    )
}
