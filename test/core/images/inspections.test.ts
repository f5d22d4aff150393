import { afterEach, expect, test } from 'vitest'
import { LibraryError } from '../../../src/core/index.js'
import type { SifInspection } from '../../../src/sif/index.js'
import { json, partition, sifFile, signature, TYPES } from '../../fixtures/sif-file.js'
import { hashOf, makeImage, push, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry, type TestRegistryOptions } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

let registry: TestRegistry
afterEach(() => registry.close())

const path = 'alice/tools/bwa'
const metadata = { data: { attributes: { labels: { maintainer: 'Ann' }, deffile: 'bootstrap: docker' } } }
const image = sifFile([
  { type: TYPES.definition, bytes: Buffer.from('bootstrap: docker\n') },
  { type: TYPES.json, name: 'inspect-metadata.json', bytes: json(metadata) },
  partition({ arch: 'arm64' }),
  signature(Buffer.from('x'), { fingerprint: 'ab'.repeat(20) }),
])
const shown = {
  state: 'sif',
  kind: 'image',
  arch: 'arm64',
  signed: true,
  labels: { maintainer: 'Ann' },
  definition: { text: 'bootstrap: docker\n' },
}

/** A storage that counts how often bytes are read of blobs. */
async function counting(options: TestRegistryOptions = {}): Promise<{ reads: () => number }> {
  registry = await createTestRegistry(options)
  let count = 0
  const { storage } = registry
  const get = storage.get.bind(storage)
  storage.get = (key, ...rest) => {
    if (key.startsWith('blobs/')) count += 1
    return get(key, ...rest)
  }
  return { reads: () => count }
}

test.each(['single', 'multipart', 'v1'] as const)(
  'is made at the publish of a push (%s), and read no more',
  async (via) => {
    const { reads } = await counting()
    await push(registry, path, image, { via, arch: 'arm64' })
    const before = reads()
    for (const reference of [
      `${path}:${hashOf(image)}`,
      `library://${path}:${hashOf(image)}`,
      `library://hub.example/${path}:${hashOf(image)}`,
    ])
      expect(await registry.library.inspect(reference)).toMatchObject({
        ...{ path, hash: hashOf(image), size: image.length, sif: shown },
      })
    expect(await registry.library.inspect(`${path}:latest`, { arch: 'arm64' })).toMatchObject({ sif: shown })
    expect(reads()).toBe(before)
  },
)

test('of what is not there is not found', async () => {
  registry = await createTestRegistry()
  await makeImage(registry, { path, hash: hashOf(image) })
  for (const reference of ['alice/tools/none', `${path}:${hashOf(image)}`, path])
    await expect(registry.library.inspect(reference)).rejects.toMatchObject({ code: 'not-found' })
  await expect(registry.library.inspect('a/b/c/d/e')).rejects.toMatchObject({ code: 'invalid-name' })
})

test('bytes that are no SIF file are inspected too', async () => {
  registry = await createTestRegistry()
  await push(registry, path, Buffer.from('no SIF'))
  expect((await registry.library.inspect(path)).sif).toMatchObject({ state: 'not-a-sif', labels: null, signed: null })
})

test('beforePublish sees the whole of it, also where bytes are shared, and may refuse by it', async () => {
  const seen: SifInspection[] = []
  registry = await createTestRegistry({
    library: {
      hooks: {
        beforePublish: ({ sif, path: place }) => {
          seen.push(sif)
          if (place === 'alice/strict/bwa' && sif.labels?.licence === undefined)
            throw new LibraryError('refused', 'say under which licence it is: label "licence"')
        },
      },
    },
  })
  await push(registry, path, image, { arch: 'arm64' })
  await expect(push(registry, 'alice/strict/bwa', image, { arch: 'arm64' })).rejects.toThrow('say under which licence')
  expect(seen).toMatchObject([shown, shown])
})

test('events say what kind of file it is, and no text of it', async () => {
  registry = await createTestRegistry()
  await push(registry, path, image, { arch: 'arm64' })
  await push(registry, 'alice/tools/copy', image, { arch: 'arm64' })
  const published = registry.events.filter(({ name }) => name === 'image.published')
  expect(published).toHaveLength(2)
  for (const { event } of published) {
    expect(event).toMatchObject({ sif: { state: 'sif', kind: 'image', signed: true, encrypted: false } })
    expect(JSON.stringify(event)).not.toContain('bootstrap')
  }
})

/** Puts the registry back to what a version without inspections has left: wrong facts, and nothing read. */
async function forget(imageId: string): Promise<void> {
  const found = await registry.metadata.images.find(imageId)
  const blobKey = found?.image.blobKey ?? ''
  const facts = { arch: 'amd64', signed: false, encrypted: false, fingerprints: [] }
  await registry.metadata.images.setFacts(imageId, facts, registry.now(), { blobKey })
  await registry.metadata.blobs.setInspection(blobKey, { version: 0, inspectedAt: 0, value: null })
}

test('what an earlier version published is read, and its facts are corrected in every place', async () => {
  registry = await createTestRegistry()
  const ids: string[] = []
  for (const each of [path, 'alice/tools/copy']) ids.push((await push(registry, each, image, { tags: [] })).imageId)
  for (const id of ids) await forget(id)
  const items: unknown[] = []
  const onItem = (item: object) => items.push(item)
  expect(await registry.library.inspectAll({ onItem })).toEqual({ inspected: 1, unreadable: 0 })
  expect(items).toMatchObject([{ outcome: 'sif', digest: hashOf(image).slice(7) }])
  for (const id of ids)
    expect((await registry.metadata.images.find(id))?.image).toMatchObject({
      ...{ arch: 'arm64', archFromHeader: true, signed: true, fingerprints: ['AB'.repeat(20)] },
    })
  expect(await registry.library.inspectAll()).toEqual({ inspected: 0, unreadable: 0 })
  expect(await registry.library.inspectAll({ again: true })).toEqual({ inspected: 1, unreadable: 0 })
})

test('bytes that are gone are said, keep no other from being read, and are tried again', async () => {
  registry = await createTestRegistry()
  const other = sifFile([partition()])
  const lost = await push(registry, path, image, { tags: [] })
  const kept = await push(registry, 'alice/tools/other', other, { tags: [] })
  for (const { imageId } of [lost, kept]) await forget(imageId)
  await registry.storage.delete((await registry.metadata.images.find(lost.imageId))?.image.blobKey ?? '')
  expect(await registry.library.inspectAll()).toEqual({ inspected: 1, unreadable: 1 })
  expect(await registry.library.inspectAll()).toEqual({ inspected: 0, unreadable: 1 })
})

test('a job of upkeep does it by itself', async () => {
  registry = await createTestRegistry()
  const { imageId } = await push(registry, path, image, { tags: [] })
  await forget(imageId)
  const stop = registry.library.startUpkeep({ sweep: false })
  await expect
    .poll(async () => (await registry.metadata.images.find(imageId))?.image.arch, { timeout: 15_000 })
    .toBe('arm64')
  stop()
})

test('reindex puts images back, whose files are then read from the storage again', async () => {
  registry = await createTestRegistry()
  await push(registry, path, image, { arch: 'arm64' })
  await drained(registry)
  const { storage } = registry
  const after = await createTestRegistry({ storage, library: { acceptStorage: true } })
  try {
    await after.library.reindex()
    expect(await after.library.inspectAll()).toEqual({ inspected: 1, unreadable: 0 })
    expect((await after.library.inspect(`${path}:latest`, { arch: 'arm64' })).sif).toMatchObject(shown)
  } finally {
    await after.close()
  }
})

test('parts that are joined are inspected where they lie', async () => {
  const { reads } = await counting()
  const { imageId } = await makeImage(registry, { path, hash: hashOf(image), token: 'alice' })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes: image, token: 'alice' })
  const before = reads()
  await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
    ...{ token: 'alice', body: { uploadID, completedParts } },
  })
  expect(reads() - before, 'one range of 64 KiB').toBe(1)
})
