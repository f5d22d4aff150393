/** The lifecycle of an upload, and its races. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { expectStatus, hashOf, makeImage, pull, push, sendParts, sha256 } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from(Array.from({ length: 300 }, (_, at) => at % 256))
const path = 'alice/tools/bwa'
const limits = { partBytes: 100 }

let registry: TestRegistry
afterEach(() => registry.close())

const storedKeys = async (): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of registry.storage.list('blobs/')) keys.push(key)
  return keys
}
const usage = async () => {
  const { usedBytes, reservedBytes } = (await registry.metadata.entities.findByName('alice')) ?? {}
  return { usedBytes, reservedBytes }
}
const image = () => makeImage(registry, { path, hash: hashOf(bytes) })

describe('multipart', () => {
  beforeEach(async () => {
    registry = await createTestRegistry({ library: { limits } })
  })
  const complete = (imageId: string, body: object, token = 'alice') =>
    registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, { token, body })

  it('answers a repeated complete as the first one', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const first = expectStatus(await complete(imageId, { uploadID, completedParts }), 200)
    const second = expectStatus(await complete(imageId, { uploadID, completedParts }), 200)
    expect(second.json).toEqual(first.json)
    expect(registry.events.filter(({ name }) => name === 'image.published')).toHaveLength(1)
    expect(await usage()).toEqual({ usedBytes: 300, reservedBytes: 0 })
  })

  it('two completes at once: one does it, the other is told so, and the image is there', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const answers = await Promise.all([1, 2, 3].map(() => complete(imageId, { uploadID, completedParts })))
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1)
    for (const { status } of answers) expect([200, 409]).toContain(status)
    expect((await pull(registry, `${path}:${hashOf(bytes)}`)).equals(bytes)).toBe(true)
    expect(await storedKeys()).toHaveLength(1)
    expect(registry.events.filter(({ name }) => name === 'image.published')).toHaveLength(1)
  })

  it('an abort while completing changes nothing', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const [completed, aborted] = await Promise.all([
      complete(imageId, { uploadID, completedParts }),
      registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: 'alice', body: { uploadID } }),
    ])
    expect(aborted.status).toBe(200)
    if (completed.status === 200) expect((await pull(registry, `${path}:${hashOf(bytes)}`)).equals(bytes)).toBe(true)
    else {
      expect(completed.status).toBe(410)
      expect(await storedKeys()).toEqual([])
    }
    expect((await usage()).reservedBytes).toBe(0)
  })

  it('an abort after publishing touches nothing (protocol 5.14), and may be repeated', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    expectStatus(await complete(imageId, { uploadID, completedParts }), 200)
    for (let time = 0; time < 2; time += 1)
      expect(
        (
          await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, {
            token: 'alice',
            body: { uploadID },
          })
        ).status,
      ).toBe(200)
    expect((await pull(registry, `${path}:${hashOf(bytes)}`)).equals(bytes)).toBe(true)
  })

  it('a part that arrives after the abort is refused', async () => {
    const { imageId } = await image()
    const start = await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, {
      token: 'alice',
      body: { filesize: 300 },
    })
    const { uploadID } = start.json.data
    const part = { partSize: 100, uploadID, partNumber: 1, sha256sum: sha256(bytes.subarray(0, 100)) }
    const { presignedURL } = (
      await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart`, { token: 'alice', body: part })
    ).json.data
    expectStatus(
      await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: 'alice', body: { uploadID } }),
      200,
    )
    expect((await registry.call('PUT', presignedURL, { body: bytes.subarray(0, 100) })).status).toBe(410)
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart`, { token: 'alice', body: part })).status,
    ).toBe(410)
    expect(registry.events.filter(({ name }) => name === 'upload.aborted')).toMatchObject([
      { event: { reason: 'client' } },
    ])
    expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 0 })
  })

  it('never answers 404 to its own client after the start (protocol 5.12, Q12), and hides the upload of another', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const other = await makeImage(registry, { path, hash: hashOf(Buffer.from('other')) })
    const cases: [string, string, string, number][] = [
      [imageId, 'f'.repeat(24), 'alice', 410],
      [imageId, 'nonsense', 'alice', 410],
      [other.imageId, uploadID, 'alice', 404],
      [imageId, uploadID, 'admin', 404],
    ]
    for (const [id, named, token, status] of cases) {
      const part = { partSize: 100, partNumber: 1, sha256sum: '', uploadID: named }
      const answers = [
        await registry.call('PUT', `/v2/imagefile/${id}/_multipart`, { token, body: part }),
        await complete(id, { uploadID: named, completedParts }, token),
        await registry.call('PUT', `/v2/imagefile/${id}/_multipart_abort`, { token, body: { uploadID: named } }),
      ]
      expect(answers.map((answer) => answer.status)).toEqual([status, status, status])
    }
    expectStatus(await complete(imageId, { uploadID, completedParts }), 200)
  })

  it.each([
    ['a part number of 0', { partNumber: 0, partSize: 100 }],
    ['a part number past the end', { partNumber: 4, partSize: 100 }],
    ['a part too short', { partNumber: 1, partSize: 99 }],
    ['a part too long', { partNumber: 3, partSize: 101 }],
    ['a hash that is none', { partNumber: 1, partSize: 100, sha256sum: 'xyz' }],
  ])('%s is 400', async (_, part) => {
    const { imageId } = await image()
    const start = await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, {
      token: 'alice',
      body: { filesize: 300 },
    })
    const body = { uploadID: start.json.data.uploadID, sha256sum: '', ...part }
    expect((await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart`, { token: 'alice', body })).status).toBe(
      400,
    )
  })

  it('a complete with a wrong list is 400, and the upload can still be completed', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const [first, second, third] = completedParts
    for (const list of [
      [],
      [first, second],
      [first, third, second],
      [first, first, third],
      [first, second, third, third],
      [first, second, { partNumber: 3, token: '"other"' }],
      [first, second, { partNumber: 3, token: '' }],
    ])
      expect((await complete(imageId, { uploadID, completedParts: list })).status).toBe(400)
    expectStatus(await complete(imageId, { uploadID, completedParts }), 200)
  })

  it('a part that is missing is 400; a part sent again replaces itself', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, {
      bytes: bytes.subarray(0, 200),
      token: 'alice',
    })
    expect(
      (await complete(imageId, { uploadID, completedParts: [...completedParts, { partNumber: 3, token: '"x"' }] }))
        .status,
    ).toBe(400)
  })

  it('parts that make other bytes than the image are 422, and nothing is left', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, {
      bytes: Buffer.alloc(300, 'x'),
      token: 'alice',
    })
    expect((await complete(imageId, { uploadID, completedParts })).status).toBe(422)
    expect((await complete(imageId, { uploadID, completedParts })).status).toBe(410)
    expect(await storedKeys()).toEqual([])
    expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 0 })
    expect(
      (await registry.call('GET', `/v1/images/${path}:${hashOf(bytes)}`, { token: 'alice' })).json.data.uploaded,
    ).toBe(false)
    await push(registry, path, bytes)
  })

  it('an upload that expired is 410', async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    registry.advance(86_400_001)
    expect((await complete(imageId, { uploadID, completedParts })).status).toBe(410)
  })
})

describe('a storage that fails', () => {
  it('for a moment gives the upload back', async () => {
    const memory = memoryStorage()
    let fail = true
    const multipart = {
      ...memory.multipart,
      complete: (...options: Parameters<NonNullable<typeof memory.multipart>['complete']>) => {
        if (!fail) return memory.multipart?.complete(...options)
        fail = false
        return Promise.reject(new StorageError('unavailable', 'try again', { backend: 'test' }))
      },
    } as NonNullable<typeof memory.multipart>
    registry = await createTestRegistry({ storage: { ...memory, multipart }, library: { limits } })
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const complete = () =>
      registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
        token: 'alice',
        body: { uploadID, completedParts },
      })
    expect((await complete()).status).toBe(503)
    expect((await complete()).status).toBe(200)
  })

  it('and a metadata store that fails with it: the client reads the first failure', async () => {
    const metadata = sqliteMetadata({ file: ':memory:' })
    const memory = memoryStorage()
    const storage = { ...memory, put: () => Promise.reject(new StorageError('no-space', 'full', { backend: 'test' })) }
    registry = await createTestRegistry({ storage, metadata })
    const { imageId } = await image()
    const move = metadata.uploads.move.bind(metadata.uploads)
    Object.assign(metadata.uploads, {
      move: (...args: Parameters<typeof move>) =>
        args[2] === 'aborted' ? Promise.reject(new Error('metadata is down')) : move(...args),
    })
    expect((await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: bytes })).status).toBe(507)
    Object.assign(metadata.uploads, { move })
  })

  it('a complete that lost its claim never publishes without it', async () => {
    const metadata = sqliteMetadata({ file: ':memory:' })
    registry = await createTestRegistry({ metadata, library: { limits } })
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const move = metadata.uploads.move.bind(metadata.uploads)
    // somebody else claimed it, failed, and gave it back in between
    Object.assign(metadata.uploads, { move: async () => false })
    const body = { uploadID, completedParts }
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, { token: 'alice', body })).status,
    ).toBe(409)
    Object.assign(metadata.uploads, { move })
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, { token: 'alice', body })).status,
    ).toBe(200)
  })
})

describe('single', () => {
  beforeEach(async () => {
    registry = await createTestRegistry()
  })

  it('a v1 upload of wrong bytes is 422 and ends as failed', async () => {
    const { imageId } = await image()
    expect(
      (await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: Buffer.alloc(300) })).status,
    ).toBe(422)
    expect(registry.events.at(-2)).toMatchObject({ name: 'upload.aborted', event: { reason: 'failed' } })
    expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 0 })
    expect(await storedKeys()).toEqual([])
  })

  it('a v1 upload without a length is 411, an empty one 400', async () => {
    const { imageId } = await image()
    const stream = (async function* () {
      yield bytes
    })()
    expect(
      (
        await registry.call('POST', `/v1/imagefile/${imageId}`, {
          token: 'alice',
          request: { body: { kind: 'stream', stream } },
        })
      ).status,
    ).toBe(411)
    expect((await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice' })).status).toBe(400)
  })

  it('two pushers of one image both end well, and one copy stays', async () => {
    await Promise.all([
      push(registry, path, bytes),
      push(registry, path, bytes, { token: 'admin' }),
      push(registry, path, bytes, { via: 'v1' }),
    ])
    expect((await pull(registry, `${path}:latest`)).equals(bytes)).toBe(true)
    expect(await storedKeys()).toHaveLength(1)
    expect((await usage()).usedBytes).toBe(300)
    expect((await usage()).reservedBytes).toBe(0)
  })

  it('an image that is deleted while it is pushed: 4xx, and nothing is left', async () => {
    const { imageId, hash } = await image()
    const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
      token: 'alice',
      body: { filesize: 300, sha256sum: sha256(bytes) },
    })
    expectStatus(await registry.call('PUT', start.json.data.uploadURL, { body: bytes }), 200)
    expectStatus(await registry.call('DELETE', `/v1/images/${path}:${hash}`, { token: 'alice' }), 200)
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })).status,
    ).toBe(404)
    expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 0 })
    registry.advance(2 * 86_400_000)
    await registry.library.sweep()
    expect(await storedKeys()).toEqual([])
  })

  it('a complete without bytes is 409; of a published image 200', async () => {
    const { imageId } = await image()
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })).status,
    ).toBe(409)
    await push(registry, path, bytes)
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })).status,
    ).toBe(200)
  })

  it('an upload announced with another hash than the image is 400', async () => {
    const { imageId } = await image()
    expect(
      (
        await registry.call('POST', `/v2/imagefile/${imageId}`, {
          token: 'alice',
          body: { filesize: 300, sha256sum: '0'.repeat(64) },
        })
      ).status,
    ).toBe(400)
  })
})

describe('quota and limits', () => {
  it('a push over the quota is 403 before any byte, and the reservation of failed ones comes back', async () => {
    registry = await createTestRegistry({ library: { limits: { ...limits, maxEntityBytes: 500 } } })
    await push(registry, path, bytes)
    const big = Buffer.alloc(201, 'b')
    const { imageId } = await makeImage(registry, { path, hash: hashOf(big) })
    for (const [start, body] of [
      [`/v2/imagefile/${imageId}`, { filesize: 201 }],
      [`/v2/imagefile/${imageId}/_multipart`, { filesize: 201 }],
    ] as const)
      expect((await registry.call('POST', start, { token: 'alice', body })).status).toBe(403)
    expect((await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: big })).status).toBe(403)
    const small = Buffer.alloc(200, 's')
    const done = await push(registry, path, small, { via: 'multipart' })
    const complete = await registry.call('PUT', `/v2/imagefile/${done.imageId}/_complete`, { token: 'alice', body: {} })
    expect(complete.json.data.quota).toEqual({ quotaTotal: 500, quotaUsage: 500 })
  })

  it('an image over the limit is 413', async () => {
    registry = await createTestRegistry({ library: { limits: { maxImageBytes: 299 } } })
    const { imageId } = await image()
    expect(
      (await registry.call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body: { filesize: 300 } })).status,
    ).toBe(413)
    expect(
      (await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, { token: 'alice', body: { filesize: 300 } }))
        .status,
    ).toBe(413)
    expect((await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: bytes })).status).toBe(413)
  })

  it('requireSif refuses other bytes, and leaves nothing', async () => {
    registry = await createTestRegistry({ library: { requireSif: true } })
    const { imageId } = await image()
    expect((await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: bytes })).status).toBe(422)
    expect(await storedKeys()).toEqual([])
    expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 0 })
  })
})
