/**
 * A completion that failed gave its upload back only if it was last touched at a time that this instance knew. A sign of life whose answer was lost, or
 * that a late PUT of a part gave, moved that time: the upload stayed "being completed" for an hour.
 */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MetadataError } from '../../../src/storage/metadata/errors.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { faulty } from '../../support/faulty.js'
import { hashOf, makeImage, pull, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
const away = (): MetadataError => new MetadataError('unavailable', 'PostgreSQL: Connection terminated unexpectedly')
let registry: TestRegistry
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(async () => {
  vi.useRealTimers()
  await registry.close()
})

const beat = async (): Promise<void> => {
  registry.advance(30_000)
  await vi.advanceTimersByTimeAsync(30_000)
}

it.each([
  ['a sign of life is recorded and its answer lost', 'recorded', 1],
  ['several are', 'recorded', 3],
  ['a sign of life is not recorded', 'not recorded', 2],
  ['a PUT of a part, or a presign, touches it', 'touched', 1],
  ['nothing goes wrong with the signs of life', 'answered', 2],
] as const)('%s: the same completion succeeds afterwards', async (_, kind, times) => {
  const plain = sqliteMetadata({ file: ':memory:' })
  let uploadId = ''
  let isFailing = false
  const metadata = faulty(plain, {
    uploads: {
      touch: async (...change: Parameters<typeof plain.uploads.touch>) => {
        if (!isFailing || kind !== 'not recorded') await plain.uploads.touch(...change)
        if (isFailing && kind !== 'answered') throw away()
      },
    },
    images: {
      publish: async (...change: Parameters<typeof plain.images.publish>) => {
        if (!isFailing) return plain.images.publish(...change)
        for (let time = 0; time < times; time += 1) {
          if (kind !== 'touched') await beat()
          else {
            registry.advance(5)
            const now = registry.now()
            await plain.uploads.touch(uploadId, { state: 'open', now, expiresAt: now + 86_400_000 })
          }
        }
        isFailing = false
        throw away()
      },
    },
  })
  registry = await createTestRegistry({ metadata })
  const { imageId } = await makeImage(registry, { path: 'alice/tools/x', hash: hashOf(bytes) })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  uploadId = uploadID
  isFailing = true
  const complete = async () =>
    (
      await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
        token: 'alice',
        body: { uploadID, completedParts },
      })
    ).status
  expect(await complete()).toBe(503)
  expect((await plain.uploads.find(uploadID))?.state).toBe('open')
  expect(await complete()).toBe(200)
  expect(await pull(registry, `alice/tools/x:${hashOf(bytes)}`)).toEqual(bytes)
})
