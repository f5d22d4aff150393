/** Bytes of an unbound presigned PUT lie elsewhere than under their key until `finish`; complete looked only there and answered 409 to every such client. */
import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { hashOf, makeImage } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('complete asks the backend whether the bytes have arrived', async () => {
  const bytes = Buffer.from('a small image')
  const memory = memoryStorage()
  const signed: string[] = []
  const entrance = new Set<string>()
  const sign = async () => ({ url: 'https://s3.example/k', headers: {}, expiresAt: new Date() })
  const storage = {
    ...memory,
    presign: {
      bindsPayload: false,
      get: sign,
      put: async (key: string) => {
        signed.push(key)
        return sign()
      },
      arrived: async (key: string) => entrance.has(key),
      finish: async (key: string, { size, sha256 }: { readonly size: number; readonly sha256: string }) => {
        await memory.put(key, streamOf(bytes), { size, sha256 })
        return { key, proof: 'proven' as const }
      },
    },
  }
  registry = await createTestRegistry({ storage })
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  await registry.call('POST', `/v2/imagefile/${imageId}`, {
    token: 'alice',
    body: { filesize: bytes.length, md5sum: '' },
  })
  const complete = () => registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })
  expect((await complete()).status).toBe(409)
  for (const key of signed) entrance.add(key)
  expect((await complete()).status).toBe(200)
})
