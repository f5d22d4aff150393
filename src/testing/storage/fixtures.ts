import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import type { BlobContent, ByteStream, PutOptions, StorageBackend } from '../../storage/blob/contract.js'
import { isStorageError, type StorageErrorCode } from '../../storage/blob/errors.js'

/** Bytes that no two calls with different seeds share, the same on every run. */
export function makeBytes(size: number, seed = 1): Buffer {
  const iv = Buffer.alloc(16)
  iv.writeUInt32BE(seed, 0)
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), iv).update(Buffer.alloc(size))
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Yields copies (a chunk belongs to the receiver) in chunks of the given sizes, taken in turn. */
export async function* streamBytes(
  bytes: Uint8Array,
  chunkSizes: readonly number[] = [65536],
): ByteStream & AsyncGenerator<Uint8Array> {
  for (let offset = 0, turn = 0; offset < bytes.length; turn += 1) {
    const end = offset + (chunkSizes[turn % chunkSizes.length] ?? 65536)
    yield Uint8Array.from(bytes.subarray(offset, end))
    offset = end
  }
}

/** Yields the bytes, then throws. */
export async function* streamThenThrow(bytes: Uint8Array, error: Error): AsyncGenerator<Uint8Array> {
  yield* streamBytes(bytes)
  throw error
}

/** Yields the bytes, calls `then`, and never ends: what a client does that stalls. */
export async function* streamThenHang(bytes: Uint8Array, then: () => void): AsyncGenerator<Uint8Array> {
  yield* streamBytes(bytes)
  then()
  await new Promise<never>(() => {})
}

/**
 * Collects a body and spoils every chunk behind itself: a chunk belongs to the receiver, so that
 * must harm nobody.
 */
export async function readContent(content: BlobContent): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of content.body) {
    chunks.push(Buffer.from(chunk))
    chunk.fill(0xee)
  }
  const bytes = Buffer.concat(chunks)
  assert.equal(bytes.length, content.length, 'length is what the body yields')
  return bytes
}

export function describeBytes(bytes: Uint8Array): PutOptions {
  return { size: bytes.length, sha256: sha256(bytes) }
}

/** Compares without printing megabytes. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what = 'bytes'): void {
  assert.equal(actual.length, expected.length, `${what}: length`)
  assert.equal(sha256(actual), sha256(expected), `${what}: SHA-256`)
}

/** The action must fail with a StorageError of one of these codes that names the backend. */
export async function assertStorageError(
  backend: StorageBackend,
  codes: StorageErrorCode | readonly StorageErrorCode[],
  action: Promise<unknown>,
): Promise<Error> {
  const wanted = typeof codes === 'string' ? [codes] : codes
  const error = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error !== undefined, `resolved, but ${wanted.join(' or ')} was expected`)
  if (!isStorageError(error)) throw error
  assert.ok(wanted.includes(error.code), `${error.code} instead of ${wanted.join(' or ')}: ${error.message}`)
  assert.equal(error.backend, backend.name, 'the error names the backend')
  return error
}

/** Fails when the action takes longer than `milliseconds`. */
export async function within<T>(milliseconds: number, action: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `not done after ${milliseconds} ms` })),
      milliseconds,
    )
  })
  try {
    return await Promise.race([action, late])
  } finally {
    clearTimeout(timer)
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
