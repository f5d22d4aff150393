/** S3 finds that the parts have another size than the whole before it joins them. The upload ended, its parts stayed, and MinIO does not list them after a restart. */
import { afterEach, expect, test } from 'vitest'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { expectStatus, hashOf, makeImage, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from('an image in parts')
let registry: TestRegistry
afterEach(() => registry.close())

test('parts that make another size than announced are dropped with their upload', async () => {
  const storage = memoryStorage()
  const { multipart } = storage
  if (multipart === undefined) throw new Error('the memory storage takes parts')
  const complete = async ({ key }: { readonly key: string }) => {
    throw new StorageError('size-mismatch', 'the parts have 5 bytes', { backend: 'memory', key })
  }
  registry = await createTestRegistry({ storage: { ...storage, multipart: { ...multipart, complete } } })
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  expectStatus(
    await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
      token: 'alice',
      body: { uploadID, completedParts },
    }),
    422,
  )
  const left: unknown[] = []
  for await (const upload of multipart.listUploads()) left.push(upload)
  expect(left).toEqual([])
  expect(await registry.metadata.uploads.find(uploadID)).toMatchObject({ state: 'aborted', backendUploadId: null })
})
