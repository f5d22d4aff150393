/**
 * The record of an upload ended before its parts were dropped, and nothing tried again where the storage did not answer then: on MinIO, which does not list the uploads from before its
 * last start, the parts stayed until MinIO removed them itself.
 */
import { afterEach, expect, test } from 'vitest'
import type { SweptItem } from '../../../src/core/index.js'
import type { MultipartRef, StorageBackend } from '../../../src/storage/blob/contract.js'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { expectStatus, hashOf, makeImage, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from('an image in parts')
let registry: TestRegistry
afterEach(() => registry.close())

/** As MinIO after a restart: it lists no uploads, and aborts them all the same. While it is `down` it does not answer. */
function forgetfulStorage(): {
  readonly storage: StorageBackend
  readonly uploads: () => Promise<number>
  down: boolean
} {
  const storage = memoryStorage()
  const { multipart } = storage
  if (multipart === undefined) throw new Error('the memory storage takes parts')
  const state = {
    down: false,
    uploads: async () => {
      let count = 0
      for await (const _ of multipart.listUploads()) count += 1
      return count
    },
    storage: {
      ...storage,
      multipart: {
        ...multipart,
        abort: async (ref: MultipartRef) => {
          if (state.down) throw new StorageError('unavailable', 'no answer', { backend: 'memory', key: ref.key })
          await multipart.abort(ref)
        },
        async *listUploads() {},
      },
    },
  }
  return state
}

async function startParts(): Promise<{ imageId: string; uploadID: string; hash: string }> {
  const hash = hashOf(bytes)
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash })
  const { uploadID } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  return { imageId, uploadID, hash }
}

const endings = {
  'the client aborts': async () => {
    const { imageId, uploadID } = await startParts()
    expectStatus(
      await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: 'alice', body: { uploadID } }),
      200,
    )
  },
  'it expires': async () => {
    await startParts()
    registry.advance(2 * 86_400_000)
    await registry.library.sweep()
  },
  'its image is deleted': async () => {
    const { hash } = await startParts()
    expectStatus(await registry.call('DELETE', `/v1/images/alice/c/n:${hash}`, { token: 'alice' }), 200)
  },
} as const

test.each(Object.entries(endings))('parts that could not be dropped when %s go with a later sweep', async (_, end) => {
  const store = forgetfulStorage()
  registry = await createTestRegistry({ storage: store.storage })
  store.down = true
  await end()
  await registry.library.sweep()
  expect(await store.uploads()).toBe(1)
  store.down = false
  // as if it had been forgotten, were it not for its parts
  registry.advance(30 * 86_400_000)
  const planned: SweptItem[] = []
  await registry.library.sweep({ dryRun: true, onItem: (item) => planned.push(item) })
  // beside the image, which was never uploaded
  expect(planned.filter(({ kind }) => kind !== 'image')).toMatchObject([
    { kind: 'upload', why: expect.stringContaining('parts') },
  ])
  expect(await store.uploads()).toBe(1)
  expect((await registry.library.sweep()).uploads).toBe(1)
  expect(await store.uploads()).toBe(0)
  expect((await registry.library.sweep()).uploads).toBe(0)
})

test('an upload whose parts were dropped at once gives a sweep nothing to do', async () => {
  const store = forgetfulStorage()
  registry = await createTestRegistry({ storage: store.storage })
  await endings['the client aborts']()
  expect(await store.uploads()).toBe(0)
  expect((await registry.library.sweep({ dryRun: true })).uploads).toBe(0)
})
