/** A step of the sweep that failed (no right to list uploads, say) kept the later ones from ever running; and a sweep took the parts of whoever else used the bucket. */
import { afterEach, expect, it } from 'vitest'
import type { MultipartCapability, StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { faulty } from '../../support/faulty.js'
import { hashOf, makeImage, push, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const day = 86_400_000
let registry: TestRegistry
afterEach(() => registry.close())

function storageWith(multipart: Partial<MultipartCapability>, rest: Partial<StorageBackend> = {}): StorageBackend {
  const memory = memoryStorage()
  if (memory.multipart === undefined) throw new Error('the memory storage takes parts')
  return { ...memory, ...rest, multipart: { ...memory.multipart, ...multipart } }
}

it('the other steps run, and the failure is thrown at the end', async () => {
  let temporary = 0
  const storage = storageWith(
    {
      // biome-ignore lint/correctness/useYield: it fails before
      async *listUploads() {
        throw new Error('AccessDenied: s3:ListBucketMultipartUploads')
      },
    },
    {
      sweepTemporary: async () => {
        temporary += 1
        return 3
      },
    },
  )
  registry = await createTestRegistry({ storage })
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(Buffer.from('x')) })
  const { uploadID } = await sendParts(registry, imageId, { bytes: Buffer.from('x'), token: 'alice' })
  await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: 'alice', body: { uploadID } })
  registry.advance(30 * day)
  await expect(registry.library.sweep()).rejects.toThrow('AccessDenied')
  expect(temporary).toBe(1)
  expect(await registry.metadata.uploads.find(uploadID)).toBeUndefined()
})

it("parts of another registry's uploads, and of anybody else's, stay", async () => {
  const aborted: string[] = []
  const hex = 'ab'.repeat(32)
  const ours = `blobs/sha256/ab/${hex}/${'0'.repeat(24)}`
  const storage = storageWith({
    async *listUploads() {
      for (const key of ['backups/db.tar', `other/${ours}`, 'blobs/other', ours])
        yield { key, uploadId: 'u', createdAt: new Date(Date.now() - 2 * day) }
    },
    abort: async ({ key }) => void aborted.push(key),
  })
  registry = await createTestRegistry({ storage })
  await registry.library.sweep()
  expect(aborted).toEqual([ours])
})

it('an upload that was claimed again after the sweep had listed it as stuck goes on', async () => {
  const plain = sqliteMetadata({ file: ':memory:' })
  let meanwhile = async (): Promise<void> => {}
  const metadata = faulty(plain, {
    uploads: {
      findStale: async (page: Parameters<typeof plain.uploads.findStale>[0]) => {
        const found = await plain.uploads.findStale(page)
        await meanwhile()
        return found
      },
    },
  })
  registry = await createTestRegistry({ metadata })
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(Buffer.from('x')) })
  const { uploadID } = await sendParts(registry, imageId, { bytes: Buffer.from('x'), token: 'alice' })
  await plain.uploads.move(uploadID, 'open', 'completing', registry.now())
  registry.advance(3_700_000)
  meanwhile = async () => {
    meanwhile = async () => {}
    await plain.uploads.move(uploadID, 'completing', 'open', registry.now())
    await plain.uploads.move(uploadID, 'open', 'completing', registry.now())
  }
  expect((await registry.library.sweep()).uploads).toBe(0)
  expect((await plain.uploads.find(uploadID))?.state).toBe('completing')
})

it('closing ends a sweep after the thing that it is at', async () => {
  registry = await createTestRegistry()
  for (let at = 0; at < 5; at += 1) {
    const { hash } = await push(registry, 'alice/c/n', Buffer.from(`image ${at}`))
    await registry.call('DELETE', `/v1/images/alice/c/n:${hash}`, { token: 'alice' })
  }
  registry.advance(2 * day)
  let closing: Promise<void> | undefined
  const result = await registry.library.sweep({
    onItem: () => {
      closing ??= registry.library.close()
    },
  })
  await closing
  expect(result.blobs).toBe(1)
})
