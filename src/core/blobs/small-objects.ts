/**
 * Small objects that the registry keeps in the storage beside the images, such as sidecars and the
 * mark.
 */
import { createHash } from 'node:crypto'
import type { ByteRange, StorageBackend } from '../../storage/blob/contract.js'

/** Throws StorageError `exists` where the key is taken. */
export async function putSmall(storage: StorageBackend, key: string, content: Buffer): Promise<void> {
  const body = (async function* () {
    yield content
  })()
  await storage.put(key, body, { size: content.length, sha256: createHash('sha256').update(content).digest('hex') })
}

/**
 * Reads a whole object into memory. Throws StorageError as `get` does, and an Error for an object
 * of more than `maxBytes`, whose body is closed unread.
 */
export async function getSmall(storage: StorageBackend, key: string, maxBytes: number): Promise<Buffer> {
  const { body, size } = await storage.get(key)
  if (size > maxBytes) {
    // an open body holds a file, or a connection to the store
    await body[Symbol.asyncIterator]().return?.()
    throw new Error(`it has ${size} bytes`)
  }
  return collect(body)
}

/**
 * Reads a range of an object, both ends inclusive, 0-based; shorter where the object ends. Throws
 * as `get` does; `signal` ends the call.
 */
export async function getRange(
  storage: StorageBackend,
  key: string,
  { start, end, signal }: ByteRange & { readonly signal?: AbortSignal | undefined },
): Promise<Buffer> {
  const { body } = await storage.get(key, { range: { start, end }, signal })
  return collect(body)
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  // copied: a backend may fill the buffer of a chunk again
  for await (const chunk of body) chunks.push(Uint8Array.from(chunk))
  return Buffer.concat(chunks)
}
