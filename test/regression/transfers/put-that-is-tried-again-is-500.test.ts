/** The store had taken the bytes of a push in one POST, its answer got lost, and the second try of the SDK met "exists" (412): the client read 500, a fault of the server. */
import { afterEach, expect, it } from 'vitest'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { hashOf, makeImage, pull, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from('pushed in one POST')
let registry: TestRegistry
afterEach(() => registry.close())

it.each([
  ['the same bytes', bytes, 200],
  // no store does that, but nothing unproven is published
  ['other bytes', Buffer.alloc(bytes.length, 'x'), 422],
] as const)('what lies there is proven and published: %s', async (_, there, status) => {
  const memory = memoryStorage()
  const put: typeof memory.put = async (key, body, options) => {
    if (!key.startsWith('blobs/')) return memory.put(key, body, options)
    await memory.put(key, streamOf(there), { size: there.length, sha256: sha256(there) })
    throw new StorageError('exists', 'PutObject failed with 412 PreconditionFailed', { backend: 's3', key })
  }
  registry = await createTestRegistry({ storage: { ...memory, put } })
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  expect((await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: bytes })).status).toBe(status)
  if (status === 200) expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
  else expect((await registry.metadata.images.find(imageId))?.image.state).toBe('pending')
})
