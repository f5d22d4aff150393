/** What the registry itself writes into the storage, beside the images: sidecars and the mark. */
import { createHash } from 'node:crypto'
import type { StorageBackend } from '../../storage/blob/contract.js'

/** Throws StorageError `exists` where the key is taken. */
export async function putSmall(storage: StorageBackend, key: string, content: Buffer): Promise<void> {
  const body = (async function* () {
    yield content
  })()
  await storage.put(key, body, { size: content.length, sha256: createHash('sha256').update(content).digest('hex') })
}
