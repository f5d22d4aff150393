/** What clients read of errors of storages and metadata stores: one line for each code. */
import { describe, expect, it } from 'vitest'
import { toLibraryError } from '../../../src/core/http/error-mapping.js'
import { LibraryError } from '../../../src/core/http/errors.js'
import { StorageError, type StorageErrorCode } from '../../../src/storage/blob/errors.js'
import { MetadataError, type MetadataErrorCode, type MetadataLimit } from '../../../src/storage/metadata/errors.js'

const seen = (error: unknown): readonly [number, string, string | undefined] => {
  const mapped = toLibraryError(error, 'r1')
  return [mapped.status, mapped.message, mapped.headers['retry-after']]
}
const storage = (code: string, cause?: unknown) =>
  new StorageError(code as StorageErrorCode, 'inner words', { backend: 'fs', cause })
const metadata = (code: string, limit?: MetadataLimit) =>
  new MetadataError(code as MetadataErrorCode, 'alice has 3 tags', limit === undefined ? {} : { limit })

const storageAnswers: Readonly<Record<StorageErrorCode, readonly [number, RegExp, string?]>> = {
  'size-mismatch': [422, /^more or fewer bytes came/],
  'digest-mismatch': [422, /send them again$/],
  'upload-exhausted': [410, /sent too often: push again$/],
  'upload-not-found': [410, /^the upload is gone/],
  'not-found': [410, /^the bytes of the upload are gone/],
  'invalid-range': [416, /starts past the end/],
  'no-space': [507, /full/],
  aborted: [499, /left before the answer/],
  unavailable: [503, /try again/, '5'],
  exists: [500, /^the storage failed \(request r1\)$/],
  'invalid-key': [500, /^the storage failed/],
  'invalid-part': [500, /^the storage failed/],
  'access-denied': [500, /^the storage failed/],
  unsupported: [500, /^the storage failed/],
  internal: [500, /^the storage failed/],
}
const metadataAnswers: Readonly<Record<MetadataErrorCode, readonly [number, RegExp, string?]>> = {
  'quota-exceeded': [403, /^alice has 3 tags$/],
  'limit-exceeded': [403, /^alice has 3 tags: it may hold no more/],
  'name-held': [409, /^alice has 3 tags$/],
  'parent-missing': [409, /deleted in the meantime/],
  'image-missing': [409, /deleted in the meantime/],
  unavailable: [503, /try again/, '5'],
  closed: [503, /try again/, '5'],
  exists: [500, /^the metadata store failed \(request r1\)$/],
  'schema-too-new': [500, /^the metadata store failed/],
  'driver-missing': [500, /^the metadata store failed/],
  internal: [500, /^the metadata store failed/],
}

describe('an error of', () => {
  it.each(Object.entries(storageAnswers))('the storage: %s', (code, [status, message, retryAfter]) => {
    expect(seen(storage(code))).toEqual([status, expect.stringMatching(message), retryAfter])
  })

  it.each(Object.entries(metadataAnswers))('the metadata store: %s', (code, [status, message, retryAfter]) => {
    expect(seen(metadata(code))).toEqual([status, expect.stringMatching(message), retryAfter])
  })

  it.each([
    ['tags', 403, undefined],
    ['records', 403, undefined],
    ['pending-images', 429, '60'],
    ['uploads-of-principal', 429, '60'],
    ['uploads-of-image', 429, '60'],
  ] as const)('the limit %s', (limit, status, retryAfter) => {
    expect(seen(metadata('limit-exceeded', limit))).toEqual([status, expect.stringContaining(': '), retryAfter])
  })

  it('a body that was wrapped on its way is itself again', () => {
    const timeout = new LibraryError('timeout')
    expect(toLibraryError(storage('aborted', timeout), 'r1')).toBe(timeout)
    expect(toLibraryError(timeout, 'r1')).toBe(timeout)
  })

  it('a code that this version does not know is a fault, whatever the word is', () => {
    for (const code of ['new-code', 'constructor', 'toString', '__proto__']) {
      expect(seen(storage(code))).toEqual([500, 'the storage failed (request r1)', undefined])
      expect(seen(metadata(code))).toEqual([500, 'the metadata store failed (request r1)', undefined])
    }
    expect(seen(new Error('a secret'))).toEqual([500, 'an internal fault (request r1)', undefined])
  })
})
