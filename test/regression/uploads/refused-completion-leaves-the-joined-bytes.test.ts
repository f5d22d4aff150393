/** A storage that joins the parts before it finds that they are not the announced bytes left the whole to the sweeper, for a day. */
import { afterEach, expect, test } from 'vitest'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { hashOf, makeImage, sendParts, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('wrong bytes are gone with the answer', async () => {
  const plain = memoryStorage()
  const multipart = plain.multipart as NonNullable<StorageBackend['multipart']>
  const wrong = Buffer.from('other bytes than were announced')
  const bytes = Buffer.from('an image')
  const complete: typeof multipart.complete = async ({ key }) => {
    await plain.put(key, streamOf(wrong), { size: wrong.length, sha256: sha256(wrong) })
    throw new StorageError('digest-mismatch', 'other bytes than expected', { backend: plain.name, key })
  }
  registry = await createTestRegistry({ storage: { ...plain, multipart: { ...multipart, complete } } })
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  const answer = await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
    token: 'alice',
    body: { uploadID, completedParts },
  })
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect((await registry.metadata.uploads.find(uploadID))?.state).toBe('aborted')
  const keys: string[] = []
  for await (const { key } of plain.list('blobs/')) keys.push(key)
  expect(keys).toEqual([])
})
