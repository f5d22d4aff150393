import { afterEach, describe, expect, it } from 'vitest'
import type { SweepProgress, SweptItem } from '../../../src/core/index.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { hashOf, makeImage, pull, push, sendParts, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'

const day = 86_400_000
const bytes = Buffer.from('the bytes of an image, '.repeat(20))
const path = 'alice/tools/bwa'
let registry: TestRegistry
afterEach(() => registry.close())

const storedKeys = async (): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of registry.storage.list('blobs/')) keys.push(key)
  return keys
}

describe.each(['memory', 'filesystem'] as const)('over %s', (storage) => {
  it('ends stale uploads, in the storage too, and gives their bytes back to the quota', async () => {
    registry = await createTestRegistry({ storage, library: { limits: { partBytes: 100 } } })
    const { imageId } = await makeImage(registry, { path, hash: hashOf(bytes) })
    const { uploadID } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
      token: 'alice',
      body: { filesize: bytes.length },
    })
    await registry.call('PUT', start.json.data.uploadURL, { body: bytes })
    expect((await registry.library.sweep()).uploads).toBe(0)
    registry.advance(day + 1000)
    const dry = await registry.library.sweep({ dryRun: true })
    const wet = await registry.library.sweep()
    expect([dry.uploads, wet.uploads]).toEqual([2, 2])
    expect((await registry.library.sweep()).uploads).toBe(0)
    expect(await storedKeys()).toEqual([])
    const uploads: unknown[] = []
    for await (const upload of registry.storage.multipart?.listUploads() ?? []) uploads.push(upload)
    expect(uploads).toEqual([])
    expect(await registry.metadata.entities.findByName('alice')).toMatchObject({ usedBytes: 0, reservedBytes: 0 })
    expect((await registry.metadata.uploads.find(uploadID))?.state).toBe('expired')
    expect(registry.events.filter(({ name }) => name === 'upload.aborted')).toMatchObject([
      { event: { reason: 'expired' } },
      { event: { reason: 'expired' } },
    ])
    await push(registry, path, bytes)
  })

  it('deletes blobs without images after the grace time, and tells why', async () => {
    registry = await createTestRegistry({ storage })
    const { hash } = await push(registry, path, bytes)
    const kept = Buffer.from('kept')
    await push(registry, path, kept, { tags: ['kept'] })
    await registry.call('DELETE', `/v1/images/${path}:${hash}`, { token: 'alice' })
    registry.advance(day - 1000)
    expect((await registry.library.sweep()).blobs).toBe(0)
    registry.advance(2000)
    const items: SweptItem[] = []
    const seen: SweepProgress[] = []
    const result = await registry.library.sweep({
      onItem: (item) => items.push(item),
      onProgress: (progress) => seen.push(progress),
    })
    expect(result).toMatchObject({ blobs: 1, orphans: 0, bytes: bytes.length })
    // the other one is gone when the files are listed
    expect(seen.at(-1)).toEqual({ files: 1 })
    expect(items).toMatchObject([
      { kind: 'blob', bytes: bytes.length, why: expect.stringMatching(/no image refers to it since \d{4}-/) },
    ])
    expect(await storedKeys()).toHaveLength(1)
    expect((await pull(registry, `${path}:kept`)).equals(kept)).toBe(true)
  })

  it('deletes bytes that no record knows, after the grace time, and nothing that is in use', async () => {
    registry = await createTestRegistry({ storage, library: { limits: { uploadSeconds: 30 * 86_400 } } })
    const orphan = Buffer.from('orphan')
    const key = `blobs/sha256/${sha256(orphan).slice(0, 2)}/${sha256(orphan)}/${'0'.repeat(24)}`
    await registry.storage.put(key, streamOf(orphan), { size: orphan.length, sha256: sha256(orphan) })
    const { imageId } = await makeImage(registry, { path, hash: hashOf(bytes) })
    const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
      token: 'alice',
      body: { filesize: bytes.length },
    })
    await registry.call('PUT', start.json.data.uploadURL, { body: bytes })
    expect((await registry.library.sweep()).orphans).toBe(0)
    registry.advance(2 * day)
    expect((await registry.library.sweep({ dryRun: true })).orphans).toBe(1)
    expect(await storedKeys()).toHaveLength(2)
    expect((await registry.library.sweep()).orphans).toBe(1)
    expect(await storedKeys()).toHaveLength(1)
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })).status,
    ).toBe(200)
    expect((await pull(registry, `${path}:${hashOf(bytes)}`)).equals(bytes)).toBe(true)
  })
})

it('never deletes a blob that is published while it looks', async () => {
  const memory = memoryStorage()
  const metadata = sqliteMetadata({ file: ':memory:' })
  registry = await createTestRegistry({
    storage: memory,
    metadata,
    library: { limits: { uploadSeconds: 30 * 86_400 } },
  })
  const { imageId } = await makeImage(registry, { path, hash: hashOf(bytes) })
  const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
    token: 'alice',
    body: { filesize: bytes.length },
  })
  await registry.call('PUT', start.json.data.uploadURL, { body: bytes })
  registry.advance(2 * day)
  // the client completes just after the sweeper has asked, whatever it asks
  let completed = false
  const complete = async (): Promise<void> => {
    if (completed) return
    completed = true
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })).status,
    ).toBe(200)
  }
  const findUnknown = metadata.blobs.findUnknown.bind(metadata.blobs)
  Object.assign(metadata.blobs, {
    findUnknown: async (keys: readonly string[]) => {
      const answer = await findUnknown(keys)
      await complete()
      return answer
    },
  })
  expect((await registry.library.sweep()).orphans).toBe(0)
  expect(completed).toBe(true)
  expect((await pull(registry, `${path}:${hashOf(bytes)}`)).equals(bytes)).toBe(true)
})

it('an upload that is being completed is left alone while it shows signs of life, and ended when it is stuck', async () => {
  registry = await createTestRegistry({ library: { limits: { partBytes: 100 } } })
  const { imageId } = await makeImage(registry, { path, hash: hashOf(bytes) })
  const { uploadID } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  await registry.metadata.uploads.move(uploadID, 'open', 'completing', registry.now())
  registry.advance(3_000_000)
  await registry.metadata.uploads.touch(uploadID, {
    state: 'completing',
    now: registry.now(),
    expiresAt: registry.now() + day,
  })
  registry.advance(3_000_000)
  expect((await registry.library.sweep()).uploads).toBe(0)
  registry.advance(1_000_000)
  expect((await registry.library.sweep()).uploads).toBe(1)
  expect((await registry.metadata.uploads.find(uploadID))?.state).toBe('expired')
})

it('an upload that crashed between joining its parts and publishing goes with the joined blob, at once', async () => {
  registry = await createTestRegistry({ library: { limits: { partBytes: 100 } } })
  const { imageId } = await makeImage(registry, { path, hash: hashOf(bytes) })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  const upload = await registry.metadata.uploads.find(uploadID)
  await registry.metadata.uploads.move(uploadID, 'open', 'completing', registry.now())
  await registry.storage.multipart?.complete({
    ...{ key: upload?.key ?? '', uploadId: upload?.backendUploadId ?? '' },
    parts: completedParts.map(({ partNumber, token }) => ({ partNumber, etag: token.replaceAll('"', '') })),
    ...{ size: bytes.length, sha256: sha256(bytes) },
  })
  expect(await storedKeys()).toHaveLength(1)
  registry.advance(4_000_000)
  expect(await registry.library.sweep()).toMatchObject({ uploads: 1, orphans: 0 })
  expect(await storedKeys()).toEqual([])
})

it('two sweepers at once remove each thing once', async () => {
  registry = await createTestRegistry()
  const hashes: string[] = []
  for (let at = 0; at < 5; at += 1) hashes.push((await push(registry, path, Buffer.from(`image ${at}`))).hash)
  for (const hash of hashes) await registry.call('DELETE', `/v1/images/${path}:${hash}`, { token: 'alice' })
  registry.advance(2 * day)
  const results = await Promise.all([registry.library.sweep(), registry.library.sweep()])
  expect(results.reduce((sum, { blobs }) => sum + blobs, 0)).toBe(5)
  expect(await storedKeys()).toEqual([])
})
