/** A completion that stood still until a sweep had ended its upload found no bytes any more, and called that a fault of the server. */
import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { expectStatus, hashOf, makeImage, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.alloc(100_000, 'swept while it was completed')
let registry: TestRegistry
afterEach(() => registry.close())

test('the client reads that it has to push again, and that works', async () => {
  const storage = memoryStorage()
  let vanish = true
  registry = await createTestRegistry({
    storage: {
      ...storage,
      stat: async (key) => {
        const found = await storage.stat(key)
        if (vanish && found !== undefined) await storage.delete(key)
        return found
      },
    },
  })
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
    token: 'alice',
    body: { filesize: bytes.length },
  })
  expectStatus(await registry.call('PUT', start.json.data.uploadURL, { body: bytes }), 200)
  const answer = await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })
  expect(answer.status).toBe(410)
  expect(answer.json.error.message).toContain('push again')
  vanish = false
  await push(registry, 'alice/c/n', bytes)
})
