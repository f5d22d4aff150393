/** Sidecars as they lie in the storage. */
import { expect } from 'vitest'
import { createStorageMark, storageMarkKey } from '../../src/core/blobs/storage-mark.js'
import { createSidecarWriter } from '../../src/core/sidecars/writer.js'
import type { StorageBackend } from '../../src/storage/blob/contract.js'
import type { MetadataStore } from '../../src/storage/metadata/contract.js'

export async function keysBelow(storage: StorageBackend, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of storage.list(prefix)) if (key !== storageMarkKey) keys.push(key)
  return keys.sort()
}

export const sidecarKeys = (storage: StorageBackend, part = ''): Promise<string[]> =>
  keysBelow(storage, `records/${part}`)

/** The one sidecar of this kind, or of this kind and id. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach into documents of any shape
export async function sidecarOf(storage: StorageBackend, part: string): Promise<any> {
  const [kind, id = ''] = part.split('/')
  const keys = (await sidecarKeys(storage, kind)).filter((key) => key.includes(`/${id}`))
  expect(keys).toHaveLength(1)
  const chunks: Uint8Array[] = []
  for await (const chunk of (await storage.get(keys[0] ?? '')).body) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString())
}

/** Waits until all sidecars are in step; `done` is what the writer must say. */
export async function drained(
  {
    storage,
    metadata,
    logs,
  }: { readonly storage: StorageBackend; readonly metadata: MetadataStore; readonly logs: object[] },
  done = true,
): Promise<void> {
  const logger = { warn: (facts: object, message?: string) => logs.push({ level: 'warn', facts, message }) }
  const settings = { logger } as never
  const storageMark = createStorageMark({ storage, metadata, settings })
  const writer = createSidecarWriter({ settings, storage, metadata, storageMark, inBackground: () => {} })
  expect(await writer.drain()).toBe(done)
}
