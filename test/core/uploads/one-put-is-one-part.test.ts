/** One PUT to an object store: the one part of an upload in parts, from its start to its end. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { type PresignedRegistry, presignRegistry } from '../../support/presigned.js'
import { hashOf, makeImage } from '../../support/push.js'
import { createTestRegistry, streamOf } from '../../support/registry.js'

const bytes = Buffer.from('a small image')
const hash = hashOf(bytes)
const sha256sum = hash.slice('sha256.'.length)

let presigned: PresignedRegistry
let imageId: string
const call = (method: string, path: string, body: object) =>
  presigned.registry.call(method, path, { token: 'alice', body })
const start = (body: object = {}) =>
  call('POST', `/v2/imagefile/${imageId}`, { filesize: bytes.length, md5sum: '', sha256sum, ...body })
const complete = () => call('PUT', `/v2/imagefile/${imageId}/_complete`, {})

beforeEach(async () => {
  presigned = await presignRegistry()
  imageId = (await makeImage(presigned.registry, { path: 'alice/c/n', hash })).imageId
})
afterEach(() => presigned.registry.close())

describe('one PUT to an object store', () => {
  test('is part 1 of an upload in parts, bound to the hash of the whole', async () => {
    expect((await start()).status).toBe(200)
    expect(presigned.parts).toMatchObject([{ partNumber: 1, size: bytes.length, sha256: sha256sum }])
  })

  test('is complete when the part is there, and not before', async () => {
    await start()
    expect((await complete()).status).toBe(409)
    await presigned.send(bytes)
    expect((await complete()).status).toBe(200)
    // the answer may have been lost
    expect((await complete()).status).toBe(200)
  })

  test('takes the newest of several whose bytes came', async () => {
    await start()
    await presigned.send(bytes)
    await start()
    expect((await complete()).status).toBe(200)
  })

  test('is found where a completion was cut off after the parts were joined', async () => {
    await start()
    await presigned.send(bytes)
    const { storage } = presigned.registry
    const [part] = presigned.parts
    const ref = { key: part?.key ?? '', uploadId: part?.uploadId ?? '' }
    const parts = (await storage.multipart?.listParts(ref)) ?? []
    await storage.multipart?.complete({ ...ref, parts, size: bytes.length, sha256: sha256sum })
    expect((await complete()).status).toBe(200)
    const { json } = await presigned.registry.call('GET', `/v1/images/alice/c/n:${hash}`)
    expect(json.data.uploaded).toBe(true)
  })

  test('with other bytes publishes nothing, and leaves nothing', async () => {
    await start({ sha256sum: undefined })
    await presigned.send(Buffer.from('another image'))
    expect((await complete()).status).toBe(422)
    expect((await complete()).status).toBe(409)
    const keys = []
    for await (const { key } of presigned.registry.storage.list('blobs/')) keys.push(key)
    expect(keys).toEqual([])
  })

  test('that never came leaves no parts after a sweep', async () => {
    await start()
    await presigned.send(bytes)
    presigned.registry.advance(2 * 86_400_000)
    expect(await presigned.registry.library.sweep()).toMatchObject({ uploads: 1 })
    const [{ key = '', uploadId = '' } = {}] = presigned.parts
    await expect(presigned.registry.storage.multipart?.listParts({ key, uploadId })).rejects.toMatchObject({
      code: 'upload-not-found',
    })
  })
})

test('where the storage blocks upload URLs, bytes come through the registry, in one PUT and in parts', async () => {
  const sign = async () => ({ url: 'https://s3.example/k', headers: {}, expiresAt: new Date() })
  const presign = {
    bindsPayload: false,
    uploadsBlocked: 'the store would copy' as string | undefined,
    get: sign,
    part: sign,
  }
  const registry = await createTestRegistry({ storage: { ...memoryStorage(), presign } })
  const made = await makeImage(registry, { path: 'alice/c/n', hash })
  const ask = (method: string, path: string, body: object) => registry.call(method, path, { token: 'alice', body })
  const base = `/v2/imagefile/${made.imageId}`
  const single = async () =>
    (await ask('POST', base, { filesize: bytes.length, md5sum: '', sha256sum })).json.data.uploadURL
  const part = async () => {
    const { uploadID, partSize, options } = (await ask('POST', `${base}/_multipart`, { filesize: 70_000_000 })).json
      .data
    const body = { uploadID, partNumber: 1, partSize, sha256sum: 'ab'.repeat(32) }
    return { options, url: (await ask('PUT', `${base}/_multipart`, body)).json.data.presignedURL }
  }
  const own = /^https:\/\/reg\.example\/library\/transfers\//
  expect(await single()).toMatch(own)
  expect(await part()).toMatchObject({ options: { s3compliant: 'true' }, url: expect.stringMatching(own) })
  presign.uploadsBlocked = undefined
  expect(await single()).toBe('https://s3.example/k')
  await registry.close()
})

test('an upload that began at the store ends through the registry when the storage begins to block', async () => {
  const sign = async () => ({ url: 'https://s3.example/k', headers: {}, expiresAt: new Date() })
  const presign = { bindsPayload: true, uploadsBlocked: undefined as string | undefined, get: sign, part: sign }
  const memory = memoryStorage()
  const storage = {
    ...memory,
    presign,
    multipart: {
      ...memory.multipart!,
      create: async (...given: Parameters<NonNullable<typeof memory.multipart>['create']>) => {
        presign.uploadsBlocked = 'from now on'
        return memory.multipart!.create(...given)
      },
    },
  }
  const registry = await createTestRegistry({ storage })
  const made = await makeImage(registry, { path: 'alice/c/n', hash })
  const ask = (method: string, path: string, body: object) => registry.call(method, path, { token: 'alice', body })
  const { uploadURL } = (
    await ask('POST', `/v2/imagefile/${made.imageId}`, { filesize: bytes.length, md5sum: '', sha256sum })
  ).json.data
  expect(uploadURL).toContain('/transfers/')
  expect((await registry.call('PUT', uploadURL, { body: Buffer.from('another image') })).status).toBe(422)
  expect((await registry.call('PUT', uploadURL, { body: bytes })).status).toBe(200)
  expect((await ask('PUT', `/v2/imagefile/${made.imageId}/_complete`, {})).status).toBe(200)
  await registry.close()
})

test('bytes that an earlier version let a URL write under the final key are read before they are published', async () => {
  const memory = memoryStorage()
  const sign = async () => ({ url: 'https://s3.example/k', headers: {}, expiresAt: new Date() })
  const registry = await createTestRegistry({
    storage: { ...memory, presign: { bindsPayload: true, get: sign, uploadsBlocked: 'as in proxy mode', part: sign } },
  })
  const made = await makeImage(registry, { path: 'alice/c/n', hash })
  const ask = (method: string, path: string, body: object) => registry.call(method, path, { token: 'alice', body })
  await ask('POST', `/v2/imagefile/${made.imageId}`, { filesize: bytes.length, md5sum: '', sha256sum })
  const [upload] = await registry.metadata.uploads.findStale({ now: registry.now() * 2, stuckSince: 0, limit: 1 })
  const other = Buffer.from('another image')
  const digest = hashOf(other).slice('sha256.'.length)
  await memory.put(upload?.key ?? '', streamOf(other), { size: other.length, sha256: digest })
  expect((await ask('PUT', `/v2/imagefile/${made.imageId}/_complete`, {})).status).toBe(422)
  await registry.close()
})
