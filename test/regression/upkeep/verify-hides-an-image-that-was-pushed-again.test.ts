/** Verify read a blob that was replaced meanwhile (the damaged image was pushed again) and hid the healthy image for the damage of its old blob. */
import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { expectStatus, hashOf, makeImage, pull, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('damage of a blob that the image no longer has hides nothing', async () => {
  const plain = memoryStorage()
  let during: (() => Promise<void>) | undefined
  const get: typeof plain.get = async (key, options) => {
    const run = during
    during = undefined
    const content = await plain.get(key, options)
    await run?.()
    return content
  }
  registry = await createTestRegistry({ storage: { ...plain, get } })
  const bytes = Buffer.from('pushed twice')
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const push = () => registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: bytes })
  expectStatus(await push(), 200)
  const key = (await registry.metadata.images.find(imageId))?.image.blobKey ?? ''
  await plain.delete(key)
  const other = Buffer.from('other  bytes')
  await plain.put(key, streamOf(other), { size: other.length, sha256: sha256(other) })
  expect((await registry.library.verify({ all: true })).damaged).toBe(1)
  during = async () => {
    expectStatus(await push(), 200)
  }
  const result = await registry.library.verify({ all: true })
  expect(result.damaged).toBe(0)
  expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
})
