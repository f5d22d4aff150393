/** Parts that go straight to an object store are seen only when their URL is asked for; that was no sign of life, so a push that took longer than the upload time died. */
import { afterEach, expect, test } from 'vitest'
import { presignRegistry } from '../../support/presigned.js'
import { makeImage, sha256 } from '../../support/push.js'
import type { TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('asking for a part keeps an upload alive', async () => {
  registry = (await presignRegistry({ library: { limits: { uploadSeconds: 3600 } } })).registry
  const bytes = Buffer.alloc(6 * 64 * 1024 ** 2)
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: `sha256.${sha256(bytes)}` })
  const path = `/v2/imagefile/${imageId}/_multipart`
  const { uploadID, totalParts, partSize } = (
    await registry.call('POST', path, { token: 'alice', body: { filesize: bytes.length } })
  ).json.data
  expect(totalParts).toBe(6)
  for (let partNumber = 1; partNumber <= totalParts; partNumber += 1) {
    registry.advance(1_000_000)
    const body = { uploadID, partNumber, partSize, sha256sum: '' }
    expect((await registry.call('PUT', path, { token: 'alice', body })).status).toBe(200)
    expect(await registry.library.sweep()).toMatchObject({ uploads: 0 })
  }
  registry.advance(4_000_000)
  expect(await registry.library.sweep()).toMatchObject({ uploads: 1 })
})
