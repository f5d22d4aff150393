/**
 * The bytes of a push in one request (protocol 5.8) lay complete in the storage while its upload was still open: the complete of a single PUT of the same image
 * took that upload, and the push in one request was answered 410 although its image was published.
 */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, hashOf, makeImage, sha256 } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('a complete that comes while a push in one request stores its bytes does not take its upload', async () => {
  registry = await createTestRegistry()
  const bytes = Buffer.from('pushed twice at once')
  const token = 'alice'
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const start = expectStatus(
    await registry.call('POST', `/v2/imagefile/${imageId}`, {
      token,
      body: { filesize: bytes.length, sha256sum: sha256(bytes) },
    }),
    200,
  )

  const { storage } = registry
  const put = storage.put.bind(storage)
  let complete: Promise<{ readonly status: number }> | undefined
  storage.put = async (...args) => {
    await put(...args)
    // the bytes of the push in one request lie there; the other client completes now
    if (complete === undefined)
      complete = registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token, body: {} })
    await complete
  }
  const direct = await registry.call('POST', `/v1/imagefile/${imageId}`, { token, body: bytes })
  expect(direct.status).toBe(200)
  // the other one's own bytes have not come yet
  expect((await complete)?.status).toBe(409)
  expectStatus(await registry.call('PUT', start.json.data.uploadURL, { body: bytes }), 200)
  expectStatus(await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token, body: {} }), 200)
  const entity = await registry.metadata.entities.findByName('alice')
  expect(entity).toMatchObject({ usedBytes: bytes.length, reservedBytes: 0 })
})
