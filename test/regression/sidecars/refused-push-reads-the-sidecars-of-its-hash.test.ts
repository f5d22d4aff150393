/**
 * A push that was refused for wrong bytes had nothing to drop, and yet read the sidecars of every container that has that hash: work for the server, and a
 * measure of what is hidden.
 */
import { afterEach, expect, test } from 'vitest'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { expectStatus, hashOf, makeImage, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'
import { drained, sidecarKeys } from '../../support/sidecars.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('a push of other bytes is refused without a look at them', async () => {
  const memory = memoryStorage()
  const touched: string[] = []
  const storage: StorageBackend = {
    ...memory,
    get: (key, options) => {
      touched.push(key)
      return memory.get(key, options)
    },
    list: (prefix, ...rest) => {
      touched.push(prefix)
      return memory.list(prefix, ...rest)
    },
  }
  registry = await createTestRegistry({ storage })
  const bytes = Buffer.from('a popular base image')
  const { collectionId } = await push(registry, 'alice/a/c0', bytes)
  for (let index = 1; index < 30; index += 1) {
    const container = expectStatus(
      await registry.call('POST', '/v1/containers', {
        token: 'alice',
        body: { name: `c${index}`, collection: collectionId },
      }),
      201,
    )
    expectStatus(
      await registry.call('POST', '/v1/images', {
        token: 'alice',
        body: { hash: hashOf(bytes), container: container.json.data.id },
      }),
      201,
    )
  }
  await registry.library.visibility('alice/a', 'private')
  const { imageId, uploaded } = await makeImage(registry, { path: 'bob/x/y', hash: hashOf(bytes) })
  expect(uploaded).toBe(false)
  await drained(registry)
  expect((await sidecarKeys(storage, 'images/')).length).toBeGreaterThanOrEqual(30)
  touched.length = 0
  const refused = await registry.call('POST', `/v1/imagefile/${imageId}`, {
    token: 'bob',
    body: Buffer.from('b popular base image'),
  })
  expect(refused.status).toBe(422)
  expect(touched.filter((key) => key.startsWith('records/images/'))).toEqual([])
})
