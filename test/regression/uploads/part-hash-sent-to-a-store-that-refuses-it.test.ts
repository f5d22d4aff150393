/**
 * Client libraries 0.5.0-0.5.6 ignore `s3compliant: "false"` and send the hash header with every part, which a store that cannot check it refuses. Their parts go
 * through the registry, which checks the hash itself.
 */
import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { makeImage } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('a part whose hash is announced to a store that binds none gets a transfer URL', async () => {
  const storeUrl = { url: 'https://s3.example/part', headers: {}, expiresAt: new Date() }
  const sign = async () => storeUrl
  const storage = {
    ...memoryStorage(),
    presign: {
      bindsPayload: false,
      get: sign,
      part: sign,
    },
  }
  registry = await createTestRegistry({ storage })
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: `sha256.${'ab'.repeat(32)}` })
  const path = `/v2/imagefile/${imageId}/_multipart`
  const { uploadID, partSize, options } = (
    await registry.call('POST', path, { token: 'alice', body: { filesize: 70_000_000 } })
  ).json.data
  expect(options).toEqual({ s3compliant: 'false' })
  const ask = async (sha256sum: string) =>
    (await registry.call('PUT', path, { token: 'alice', body: { uploadID, partNumber: 1, partSize, sha256sum } })).json
      .data.presignedURL
  expect(await ask('')).toBe(storeUrl.url)
  expect(await ask('cd'.repeat(32))).toMatch(/^https:\/\/reg\.example\/library\/transfers\//)
})
