/** Proving bytes by reading them back once. */
import { createHash } from 'node:crypto'
import type { StorageBackend } from '../storage/blob/contract.js'
import { StorageError } from '../storage/blob/errors.js'

/** Throws StorageError `not-found`, `size-mismatch` or `digest-mismatch` unless `key` holds exactly these bytes. */
export async function proveByReading(
  storage: StorageBackend,
  blob: { readonly key: string; readonly size: number; readonly sha256: string; readonly signal?: AbortSignal },
): Promise<void> {
  const { key } = blob
  const content = await storage.get(key, blob.signal === undefined ? {} : { signal: blob.signal })
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of content.body) {
    hash.update(chunk)
    size += chunk.length
  }
  if (size !== blob.size) throw new StorageError('size-mismatch', `${size} bytes where ${blob.size} were expected`, { backend: storage.name, key })
  if (hash.digest('hex') !== blob.sha256) throw new StorageError('digest-mismatch', 'other bytes than expected', { backend: storage.name, key })
}

/** Reads a blob back, or asks the backend's cheaper way. Throws StorageError `digest-mismatch`, `size-mismatch`, `not-found`. */
export async function proveBlob(
  storage: StorageBackend,
  blob: { readonly key: string; readonly size: number; readonly sha256: string; readonly signal?: AbortSignal },
): Promise<void> {
  const { key, ...expected } = blob
  if (storage.prove !== undefined) return storage.prove(key, expected)
  return proveByReading(storage, blob)
}
