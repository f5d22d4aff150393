/** A second complete of an upload was answered 200 whatever parts it named: a client was told that parts were used that were not. With the same parts it stays 200: the first answer may be lost. */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, hashOf, makeImage, pull, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

const token = 'alice'

async function completed(options: Parameters<typeof createTestRegistry>[0] = {}) {
  registry = await createTestRegistry({ ...options, library: { limits: { partBytes: 1000 } } })
  const bytes = Buffer.from('one two three '.repeat(200))
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token })
  const complete = (parts: readonly object[], id = uploadID) =>
    registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
      token,
      body: { uploadID: id, completedParts: parts },
    })
  expectStatus(await complete(completedParts), 200)
  return { bytes, imageId, uploadID, parts: completedParts, complete }
}

const refused = {
  error: { code: 409, message: expect.stringContaining('completedParts: the upload was completed with other parts') },
}

test.each(['memory', 'filesystem'] as const)(
  'other ETags and the parts of another upload are refused, the same ones are not (%s)',
  async (storage) => {
    const { bytes, imageId, parts, complete } = await completed({ storage })
    const [first, second, third] = parts
    expect(
      expectStatus(await complete([first as object, { ...second, token: '"other"' }, third as object]), 409).json,
    ).toEqual(refused)
    expect(
      expectStatus(
        await complete([first as object, { ...second, token: third?.token }, { ...third, token: second?.token }]),
        409,
      ).json,
    ).toEqual(refused)
    // the parts of another upload of other bytes
    const other = await sendParts(registry, imageId, { bytes: Buffer.alloc(bytes.length, 'x'), token })
    expect(expectStatus(await complete(other.completedParts), 409).json).toEqual(refused)
    // that part which is wrong is named where the numbers tell
    expectStatus(await complete([first as object, { ...second, partNumber: 7 }, third as object]), 400)
    for (let again = 0; again < 2; again += 1) expectStatus(await complete(parts), 200)
    // quotes are no part of the ETag
    expectStatus(await complete(parts.map((part) => ({ ...part, token: part.token.replaceAll('"', '') }))), 200)
    expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
  },
)

test('also for the second pusher of one image, whose bytes were a copy', async () => {
  const { bytes, imageId, complete } = await completed()
  const again = await sendParts(registry, imageId, { bytes, token })
  expectStatus(await complete(again.completedParts, again.uploadID), 200)
  expectStatus(await complete(again.completedParts, again.uploadID), 200)
  const wrong = again.completedParts.map((part) => ({ ...part, token: '"other"' }))
  expect(expectStatus(await complete(wrong, again.uploadID), 409).json).toEqual(refused)
})

test('and for one that lost the race for the complete', async () => {
  registry = await createTestRegistry({ library: { limits: { partBytes: 1000 } } })
  const bytes = Buffer.from('one two three '.repeat(200))
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token })
  const complete = (parts: readonly object[]) =>
    registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
      token,
      body: { uploadID, completedParts: parts },
    })
  const { uploads } = registry.metadata
  const move = uploads.move.bind(uploads)
  const wrong = completedParts.map((part) => ({ ...part, token: '"other"' }))
  // somebody else completes between the look at the upload and its claim
  Object.assign(uploads, {
    move: async (...change: Parameters<typeof move>) => {
      Object.assign(uploads, { move })
      expectStatus(await complete(completedParts), 200)
      return move(...change)
    },
  })
  expect(expectStatus(await complete(wrong), 409).json).toEqual(refused)
})

test('an upload that an earlier version completed has no list to compare with', async () => {
  const { parts, complete } = await completed()
  const { uploads } = registry.metadata
  const find = uploads.find.bind(uploads)
  Object.assign(uploads, {
    find: async (id: string) => {
      const upload = await find(id)
      return upload === undefined ? undefined : { ...upload, partsDigest: null }
    },
  })
  expectStatus(await complete(parts.map((part) => ({ ...part, token: '"other"' }))), 200)
})
