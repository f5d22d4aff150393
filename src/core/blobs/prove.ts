/** Proving bytes by reading them back once. */
import { createHash } from 'node:crypto'
import type { StorageBackend } from '../../storage/blob/contract.js'
import { StorageError } from '../../storage/blob/errors.js'
import type { ReadRate } from './read-rate.js'

interface ExpectedBlob {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly sha256: string
  readonly signal?: AbortSignal
  /** Told of the bytes that were read; of all of them where the storage proved them itself. */
  readonly onRead?: (bytes: number) => void
}

/**
 * Reads a blob. Throws StorageError `not-found`, `size-mismatch` or `digest-mismatch` unless `key`
 * holds exactly these bytes.
 */
export async function proveByReading(
  storage: StorageBackend,
  blob: ExpectedBlob & { readonly rate?: ReadRate },
): Promise<void> {
  const { key, signal, rate, onRead } = blob
  const content = await storage.get(key, signal === undefined ? {} : { signal })
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of content.body) {
    hash.update(chunk)
    size += chunk.length
    onRead?.(chunk.length)
    await rate?.spend(chunk.length)
  }
  if (size !== blob.size)
    throw new StorageError('size-mismatch', `${size} bytes where ${blob.size} were expected`, {
      backend: storage.name,
      key,
    })
  if (hash.digest('hex') !== blob.sha256)
    throw new StorageError('digest-mismatch', 'other bytes than expected', { backend: storage.name, key })
}

/**
 * Reads a blob back, or asks the backend's cheaper way. Throws StorageError `digest-mismatch`,
 * `size-mismatch`, `not-found`.
 */
export async function proveBlob(storage: StorageBackend, blob: ExpectedBlob): Promise<void> {
  const { key, onRead, ...expected } = blob
  if (storage.prove === undefined) return proveByReading(storage, blob)
  await storage.prove(key, expected)
  onRead?.(blob.size)
}
