/** The sweep asked for the blob's record first and for the upload second: an image published between the two questions lost its bytes. */
import { afterEach, expect, test } from 'vitest'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { faulty } from '../../support/faulty.js'
import { expectStatus, hashOf, makeImage, pull } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('an image published in the middle of a sweep keeps its bytes', async () => {
  const plain = sqliteMetadata({ file: ':memory:' })
  let between: (() => Promise<void>) | undefined
  /** Runs `between` once, between the first question of the sweep and the second. */
  const pause = async <T>(answer: T): Promise<T> => {
    const run = between
    between = undefined
    await run?.()
    return answer
  }
  const metadata = faulty(plain, {
    blobs: {
      find: async (key: string) => pause(await plain.blobs.find(key)),
      findUnknown: async (keys: readonly string[]) => pause(await plain.blobs.findUnknown(keys)),
    },
    uploads: { ...plain.uploads, isKeyInUse: async (key: string) => pause(await plain.uploads.isKeyInUse(key)) },
  })
  registry = await createTestRegistry({ metadata })
  const bytes = Buffer.from('published in between')
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
    token: 'alice',
    body: { filesize: bytes.length },
  })
  expectStatus(await registry.call('PUT', start.json.data.uploadURL, { body: bytes }), 200)
  registry.advance(1000)
  between = async () => {
    expectStatus(await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} }), 200)
  }
  await registry.library.sweep({ graceSeconds: 0 })
  expect(between).toBeUndefined()
  expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
})
