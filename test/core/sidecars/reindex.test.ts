import { afterEach, describe, expect, it } from 'vitest'
import type { ReindexItem, ReindexOptions, ReindexProgress, ReindexResult } from '../../../src/core/index.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { hashOf, makeImage, pull, push, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'
import { drained, keysBelow, sidecarKeys, sidecarOf } from '../../support/sidecars.js'

const day = 86_400_000
const imageOf = (name: string): Buffer => Buffer.from(`the bytes of ${name}, `.repeat(10))
const open: TestRegistry[] = []
afterEach(async () => {
  for (const registry of open.splice(0)) await registry.close()
})

/** A registry over this storage with an empty metadata store: the old one is lost. */
async function start(storage: StorageBackend, library = {}): Promise<TestRegistry> {
  const registry = await createTestRegistry({ storage, library })
  open.push(registry)
  return registry
}

async function reindexed(
  registry: TestRegistry,
  options: ReindexOptions = {},
): Promise<ReindexResult & { readonly items: readonly ReindexItem[] }> {
  const items: ReindexItem[] = []
  return { ...(await registry.library.reindex({ ...options, onItem: (item) => items.push(item) })), items }
}

/** Everything that a sidecar holds, in the store's words. */
async function contentsOf({ metadata }: TestRegistry) {
  const entities = await metadata.entities.list({ limit: 100 })
  const images = await metadata.images.list({ limit: 100 })
  const tags = await Promise.all(images.map(({ image }) => metadata.images.tagsOf(image.id)))
  const collections = await Promise.all(
    images.map(({ container }) => metadata.collections.find(container.collectionId)),
  )
  return {
    entities,
    collections,
    images: images.map((found) => ({ ...found, container: { ...found.container, downloadCount: 0 } })),
    tags,
  }
}

async function put(storage: StorageBackend, key: string, value: unknown): Promise<void> {
  const content = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  await storage.put(key, streamOf(content), { size: content.length, sha256: sha256(content) })
}

/** Two users with public and private things, tags and architectures. */
async function populate(registry: TestRegistry): Promise<void> {
  await push(registry, 'alice/tools/bwa', imageOf('bwa'), { tags: ['1.0', 'latest'], description: 'aligns' })
  await push(registry, 'alice/tools/bwa', imageOf('bwa arm'), { tags: ['latest'], arch: 'arm64' })
  await push(registry, 'alice/secret/thing', imageOf('thing'))
  await push(registry, 'bob/own/hidden', imageOf('hidden'))
  await push(registry, 'bob/own/shown', imageOf('bwa'), { tags: [] })
  await registry.library.visibility('alice/secret', 'private')
  await registry.library.visibility('bob/own/hidden', 'private')
  await registry.library.visibility('bob', 'private')
  const bob = await registry.metadata.entities.findByName('bob')
  await registry.metadata.entities.update(bob?.id ?? '', { quotaBytes: 123_456, now: registry.now() })
  await drained(registry)
}

describe.each(['memory', 'filesystem'] as const)('the database is lost, over %s', (kind) => {
  it('everything comes back as it was, and a second run finds nothing to do', async () => {
    const first = await createTestRegistry({ storage: kind })
    open.push(first)
    await populate(first)
    const before = await contentsOf(first)
    const second = await start(first.storage)
    const dry = await reindexed(second, { dryRun: true })
    expect(await second.metadata.entities.list({ limit: 9 })).toEqual([])
    const done = await reindexed(second)
    const totals = { entities: 2, collections: 3, containers: 4, images: 5, tags: 5, problems: 0, orphans: 0 }
    expect(done).toMatchObject(totals)
    expect(done.bytes).toBe(before.images.reduce((sum, { image }) => sum + image.size, 0))
    const sorted = (items: readonly ReindexItem[]) => items.map((item) => JSON.stringify(item)).sort()
    expect(sorted(dry.items)).toEqual(sorted(done.items))
    expect(dry).toMatchObject({ ...totals, bytes: done.bytes })
    expect(await contentsOf(second)).toEqual(before)
    expect(done.notCovered.join()).toMatch(/users.*tokens/)

    expect(await reindexed(second)).toMatchObject({
      entities: 0,
      collections: 0,
      containers: 0,
      images: 0,
      tags: 0,
      problems: 0,
      items: [],
    })
    // the sidecars are right as they are
    const keys = await sidecarKeys(second.storage)
    await drained(second)
    expect(await sidecarKeys(second.storage)).toEqual(keys)
  })

  it('images are pulled byte for byte, and what was private is shown to its owner alone', async () => {
    const first = await createTestRegistry({ storage: kind })
    open.push(first)
    await populate(first)
    const second = await start(first.storage)
    await reindexed(second)
    expect((await pull(second, 'alice/tools/bwa:1.0')).equals(imageOf('bwa'))).toBe(true)
    expect((await pull(second, 'alice/tools/bwa:latest', { arch: 'arm64' })).equals(imageOf('bwa arm'))).toBe(true)
    expect((await pull(second, `bob/own/shown:${hashOf(imageOf('bwa'))}`)).equals(imageOf('bwa'))).toBe(true)
    for (const [path, owner] of [
      ['alice/secret/thing', 'alice'],
      ['bob/own/hidden', 'bob'],
    ] as const) {
      expect((await second.call('GET', `/v1/imagefile/${path}:latest?arch=amd64`)).status).toBe(404)
      expect((await second.call('GET', `/v1/imagefile/${path}:latest?arch=amd64`, { token: 'mallory' })).status).toBe(
        404,
      )
      expect((await pull(second, `${path}:latest`, { token: owner })).length).toBeGreaterThan(0)
    }
    const search = (await second.call('GET', '/v1/search?value=aligns')).json.data
    expect(search.image).toHaveLength(1)
    await push(second, 'alice/tools/bwa', imageOf('new'))
    expect((await pull(second, 'alice/tools/bwa:latest')).equals(imageOf('new'))).toBe(true)
  })

  it('a sweep without grace deletes nothing before, and nothing after', async () => {
    const first = await createTestRegistry({ storage: kind })
    open.push(first)
    await populate(first)
    const second = await start(first.storage)
    second.advance(100 * day)
    const keys = await keysBelow(second.storage, '')
    const blobs = (await keysBelow(second.storage, 'blobs/')).length
    expect(await second.library.sweep({ graceSeconds: 0, stuckSeconds: 0 })).toMatchObject({
      uploads: 0,
      blobs: 0,
      orphans: 0,
      kept: blobs,
    })
    expect(await keysBelow(second.storage, '')).toEqual(keys)
    expect(second.logs.filter(({ message }) => message?.includes('run reindex'))).toHaveLength(1)
    await reindexed(second)
    expect(await second.library.sweep({ graceSeconds: 0, stuckSeconds: 0 })).toMatchObject({
      blobs: 0,
      orphans: 0,
      kept: 0,
    })
    expect(await keysBelow(second.storage, '')).toEqual(keys)
    // and what is deleted now goes as ever, with its sidecar
    await second.call('DELETE', `/v1/images/alice/tools/bwa:${hashOf(imageOf('bwa arm'))}`, { token: 'alice' })
    second.advance(1000)
    expect(await second.library.sweep({ graceSeconds: 0 })).toMatchObject({ blobs: 1, kept: 0 })
    expect(await keysBelow(second.storage, '')).toHaveLength(keys.length - 2)
  })
})

describe('what a sidecar tells and the storage does not have', () => {
  it('an image whose bytes are missing, or are of another length, is said and not made', async () => {
    const storage = memoryStorage()
    const first = await start(storage)
    await push(first, 'alice/tools/bwa', imageOf('bwa'))
    const { imageId } = await push(first, 'alice/tools/bwa', imageOf('cut'), { tags: ['cut'] })
    await drained(first)
    const keyOf = async (id: string) => (await first.metadata.images.find(id))?.image.blobKey ?? ''
    const cut = await keyOf(imageId)
    const [gone = ''] = (await keysBelow(storage, 'blobs/')).filter((key) => key !== cut)
    await storage.delete(gone)
    await storage.delete(cut)
    await put(storage, cut, 'short')
    const second = await start(storage)
    const done = await reindexed(second)
    expect(done).toMatchObject({ containers: 1, images: 0, tags: 0, problems: 2 })
    expect(done.items.filter(({ outcome }) => outcome === 'not-restored').map(({ why }) => why)).toEqual(
      expect.arrayContaining([
        'its bytes are not in the storage',
        `its blob has 5 bytes instead of ${imageOf('cut').length}`,
      ]),
    )
    expect(await second.metadata.entities.findByName('alice')).toMatchObject({ usedBytes: 0 })
  })

  it('damaged images stay hidden, and unproven ones unproven', async () => {
    const storage = memoryStorage()
    const first = await start(storage)
    const damaged = await push(first, 'alice/tools/a', imageOf('a'))
    const unproven = await push(first, 'alice/tools/b', imageOf('b'))
    await first.metadata.images.setState(damaged.imageId, ['published'], 'damaged', 1)
    await first.metadata.images.setState(unproven.imageId, ['published'], 'unproven', 1)
    await drained(first)
    const second = await start(storage)
    await reindexed(second)
    expect((await second.call('GET', '/v1/imagefile/alice/tools/a:latest?arch=amd64')).status).toBe(404)
    expect((await second.metadata.images.find(unproven.imageId))?.image.state).toBe('unproven')
  })

  it('blobs that no sidecar names are counted, but not those of uploads under way', async () => {
    const storage = memoryStorage()
    const orphan = imageOf('orphan')
    await put(
      storage,
      `blobs/sha256/${sha256(orphan).slice(0, 2)}/${sha256(orphan)}/${'0'.repeat(24)}`,
      orphan.toString(),
    )
    const registry = await start(storage)
    const { imageId } = await makeImage(registry, { path: 'alice/tools/bwa', hash: hashOf(imageOf('bwa')) })
    const begun = await registry.call('POST', `/v2/imagefile/${imageId}`, {
      token: 'alice',
      body: { filesize: imageOf('bwa').length },
    })
    await registry.call('PUT', begun.json.data.uploadURL, { body: imageOf('bwa') })
    expect(await reindexed(registry)).toMatchObject({ orphans: 1, orphanBytes: orphan.length, problems: 0, items: [] })
  })
})

describe('sidecars that are missing or hostile', () => {
  const populated = async (): Promise<StorageBackend> => {
    const storage = memoryStorage()
    await populate(await start(storage))
    return storage
  }
  const dropSidecars = async (storage: StorageBackend, kind: string): Promise<void> => {
    for (const key of await sidecarKeys(storage, kind)) await storage.delete(key)
  }

  it.each([['containers'], ['collections'], ['entities'], ['containers', 'collections', 'entities']])(
    'without those of %s what is needed is made private',
    async (...kinds) => {
      const storage = await populated()
      for (const kind of kinds) await dropSidecars(storage, kind)
      const second = await start(storage)
      const dry = await reindexed(second, { dryRun: true })
      const done = await reindexed(second)
      expect(done).toMatchObject({ entities: 2, collections: 3, containers: 4, images: 5, tags: 5, problems: 0 })
      expect(dry).toMatchObject({ entities: 2, collections: 3, containers: 4, images: 5, tags: 5, problems: 0 })
      const path = 'alice/tools/bwa'
      const container = await second.metadata.containers.findByPath({
        entity: 'alice',
        collection: 'tools',
        container: 'bwa',
      })
      expect(container).toMatchObject({
        private: kinds.includes('containers'),
        collectionPrivate: kinds.includes('collections'),
      })
      expect((await second.metadata.entities.findByName('alice'))?.defaultPrivate).toBe(kinds.includes('entities'))
      expect((await pull(second, `${path}:1.0`, { token: 'alice' })).equals(imageOf('bwa'))).toBe(true)
      const hidden = kinds.includes('containers') || kinds.includes('collections')
      expect((await second.call('GET', `/v1/imagefile/${path}:1.0?arch=amd64`)).status).toBe(hidden ? 404 : 303)
    },
  )

  it('what cannot be read is said, and does not stop the others', async () => {
    const storage = await populated()
    const [key = ''] = await sidecarKeys(storage, 'images')
    await put(storage, `${key.slice(0, -8)}00000099`, '{"version":7}')
    await put(storage, `records/entities/${'e'.repeat(24)}/00000001`, '[]')
    await put(storage, 'records/containers/whatever', 'x')
    await put(storage, 'records/images/zz/x/y/00000001', 'x')
    const second = await start(storage)
    const done = await reindexed(second)
    expect(done).toMatchObject({ entities: 2, collections: 3, containers: 4, images: 4, problems: 2 })
    expect(done.items.filter(({ kind }) => kind === 'sidecar')).toMatchObject([
      { what: `records/entities/${'e'.repeat(24)}/00000001`, why: 'it has no version' },
      { what: `${key.slice(0, -8)}00000099`, why: expect.stringContaining('newer') },
    ])
    // its bytes stay: a newer version of this program knows what they are
    second.advance(9 * day)
    expect(await second.library.sweep({ graceSeconds: 0 })).toMatchObject({ orphans: 0, blobs: 0, kept: 1 })
  })

  it('a sidecar with the id of another image takes nothing away from it', async () => {
    const storage = await populated()
    const second = await start(storage)
    await reindexed(second)
    const before = await contentsOf(second)
    const [one] = before.images
    const bytes = imageOf('evil')
    const digest = sha256(bytes)
    const blobKey = `blobs/sha256/${digest.slice(0, 2)}/${digest}/${'0'.repeat(24)}`
    await put(storage, blobKey, bytes.toString())
    const evil = {
      ...{ version: 1, kind: 'image', ...one?.image, digest, blobKey, size: bytes.length, state: 'published' },
      ...{
        entity: 'bob',
        collection: 'own',
        container: 'shown',
        tags: [{ arch: 'amd64', tag: 'evil', updatedAt: 9e12 }],
      },
    }
    await put(storage, `records/images/${digest.slice(0, 2)}/${digest}/${one?.image.id}/00000001`, evil)
    expect(await reindexed(second)).toMatchObject({ images: 0, tags: 0, problems: 1 })
    expect(await contentsOf(second)).toEqual(before)
  })
})

describe('beside what the store has', () => {
  it('it wins: visibility, descriptions, tags', async () => {
    const storage = memoryStorage()
    const first = await start(storage)
    await push(first, 'alice/tools/bwa', imageOf('old'), { tags: ['latest', 'old'] })
    await drained(first)
    const second = await start(storage)
    await push(second, 'alice/tools/bwa', imageOf('new'), { tags: ['latest'] })
    await second.library.visibility('alice/tools/bwa', 'private')
    const container = await second.metadata.containers.findByPath({
      entity: 'alice',
      collection: 'tools',
      container: 'bwa',
    })
    const done = await reindexed(second)
    expect(done).toMatchObject({ entities: 0, collections: 0, containers: 0, images: 1, tags: 1 })
    expect(await second.metadata.containers.find(container?.id ?? '')).toEqual(container)
    expect((await pull(second, 'alice/tools/bwa:latest', { token: 'alice' })).equals(imageOf('new'))).toBe(true)
    expect((await pull(second, 'alice/tools/bwa:old', { token: 'alice' })).equals(imageOf('old'))).toBe(true)
  })

  it('the same image that was pushed again meanwhile stays, and gets the tags that it lacks; the old bytes go', async () => {
    const storage = memoryStorage()
    const first = await start(storage)
    await push(first, 'alice/tools/bwa', imageOf('bwa'), { tags: ['old'] })
    await drained(first)
    const second = await start(storage)
    const { imageId } = await push(second, 'alice/tools/bwa', imageOf('bwa'), { tags: ['new'] })
    await drained(second)
    expect(await reindexed(second)).toMatchObject({ images: 0, tags: 1 })
    expect((await second.metadata.images.tagsOf(imageId)).map(({ tag }) => tag)).toEqual(['new', 'old'])
    await drained(second)
    expect((await sidecarOf(storage, 'images')).id).toBe(imageId)
    second.advance(9 * day)
    expect(await second.library.sweep()).toMatchObject({ orphans: 1, kept: 0 })
    expect((await pull(second, 'alice/tools/bwa:old')).equals(imageOf('bwa'))).toBe(true)
  })

  it('of two sidecars that claim a tag the one that got it last has it', async () => {
    for (const order of [0, 1]) {
      const storage = memoryStorage()
      const first = await start(storage)
      const pushed = [
        await push(first, 'alice/tools/bwa', imageOf('a'), { tags: ['t'] }),
        await push(first, 'alice/tools/bwa', imageOf('b'), { tags: ['u'] }),
      ] as const
      await drained(first)
      // the sidecar of the one that lost the tag was not written any more
      const loser = pushed[order] ?? pushed[0]
      const winner = pushed[1 - order] ?? pushed[0]
      const change = async (id: string, tags: object[]): Promise<void> => {
        const [key = ''] = (await sidecarKeys(storage, 'images')).filter((each) => each.includes(id))
        const content = { ...(await sidecarOf(storage, `images/${id}`)), tags }
        await storage.delete(key)
        await put(storage, key, content)
      }
      await change(loser.imageId, [{ arch: 'amd64', tag: 'moved', updatedAt: 10 }])
      await change(winner.imageId, [{ arch: 'amd64', tag: 'moved', updatedAt: 20 }])
      const second = await start(storage)
      expect(await reindexed(second)).toMatchObject({ images: 2, tags: 1 })
      expect(await second.metadata.images.tagsOf(winner.imageId)).toMatchObject([{ tag: 'moved', updatedAt: 20 }])
      expect(await second.metadata.images.tagsOf(loser.imageId)).toEqual([])
      // and so that it stays so after the next loss
      await drained(second)
      expect((await sidecarOf(storage, `images/${loser.imageId}`)).tags).toEqual([])
    }
  })

  it('two sidecars of one name: private stays private', async () => {
    const storage = memoryStorage()
    const first = await start(storage)
    await push(first, 'alice/tools/bwa', imageOf('a'))
    await first.library.visibility('alice/tools/bwa', 'private')
    await first.library.visibility('alice/tools', 'private')
    await first.library.visibility('alice', 'private')
    await drained(first)
    const second = await start(storage)
    second.advance(1000)
    await push(second, 'alice/tools/bwa', imageOf('b'))
    await drained(second)
    const third = await start(storage)
    expect(await reindexed(third)).toMatchObject({ entities: 1, collections: 1, containers: 1, images: 2 })
    const container = await third.metadata.containers.findByPath({
      entity: 'alice',
      collection: 'tools',
      container: 'bwa',
    })
    expect(container).toMatchObject({ private: true, collectionPrivate: true })
    expect(await third.metadata.entities.findByName('alice')).toMatchObject({ defaultPrivate: true })
  })

  it('an image that was deleted, and whose sidecar is still there, does not come back', async () => {
    const storage = memoryStorage()
    const first = await start(storage)
    const { hash } = await push(first, 'alice/tools/bwa', imageOf('a'))
    await drained(first)
    await first.call('DELETE', `/v1/images/alice/tools/bwa:${hash}`, { token: 'alice' })
    expect(await reindexed(first)).toMatchObject({ images: 0, problems: 0 })
    first.advance(2 * day)
    expect(await first.library.sweep({ dryRun: true })).toMatchObject({ blobs: 1, kept: 0 })
  })

  it('runs at once, on two instances, make everything once', async () => {
    const storage = memoryStorage()
    const first = await start(storage)
    await populate(first)
    const before = await contentsOf(first)
    const second = await start(storage)
    const runs = await Promise.all([reindexed(second), reindexed(second), reindexed(second)])
    expect(runs.reduce((sum, { images }) => sum + images, 0)).toBe(5)
    expect(runs.reduce((sum, { entities }) => sum + entities, 0)).toBe(2)
    expect(await contentsOf(second)).toEqual(before)
  })

  it('stops when it is told to, and goes on another time', async () => {
    const storage = memoryStorage()
    await populate(await start(storage))
    const second = await start(storage)
    const stop = new AbortController()
    const cut = await second.library.reindex({
      signal: stop.signal,
      onItem: ({ kind }) => (kind === 'image' ? stop.abort() : undefined),
    })
    expect(cut.images).toBeLessThan(5)
    const seen: ReindexProgress[] = []
    await second.library.reindex({ onProgress: (progress) => seen.push(progress) })
    const names = seen.filter((progress) => progress.names !== undefined)
    const shares = seen.slice(names.length)
    expect(names.map((progress) => progress.names)).toEqual(names.map((_, at) => at + 1))
    expect([names[0], shares[0], shares.at(-1)]).toEqual([
      { done: 0, of: shares.length, names: 1 },
      { done: 0, of: shares.length },
      { done: shares.length - 1, of: shares.length },
    ])
    expect((await contentsOf(second)).images).toHaveLength(5)
  })
})

describe('a store that was restored from an older backup', () => {
  /** Sets the store back to a copy of itself. */
  const backup = async (registry: TestRegistry) => {
    const at = {
      entities: await registry.metadata.entities.list({ limit: 9 }),
      images: await registry.metadata.images.list({ limit: 9 }),
    }
    return at
  }

  it('an upload that was under way at the backup and is an image since: its bytes outlive a sweep, and it comes back', async () => {
    const storage = memoryStorage()
    const first = await start(storage)
    const bytes = imageOf('bwa')
    const made = await makeImage(first, { path: 'alice/tools/bwa', hash: hashOf(bytes) })
    const begun = await first.call('POST', `/v2/imagefile/${made.imageId}`, {
      token: 'alice',
      body: { filesize: bytes.length },
    })
    const then = await backup(first)
    const [upload] = await first.metadata.uploads.findOpen(
      made.imageId,
      (await first.metadata.accounts.findUser('alice'))?.id ?? '',
    )
    await first.call('PUT', begun.json.data.uploadURL, { body: bytes })
    expect(
      (await first.call('PUT', `/v2/imagefile/${made.imageId}/_complete`, { token: 'alice', body: {} })).status,
    ).toBe(200)
    await first.call('POST', `/v2/tags/${made.containerId}`, {
      token: 'alice',
      body: { Arch: 'amd64', Tag: 'latest', ImageID: made.imageId },
    })
    await drained(first)

    const metadata = sqliteMetadata({ file: ':memory:' })
    const second = await createTestRegistry({ storage, metadata })
    open.push(second)
    const [alice] = then.entities
    const [old] = then.images
    if (alice === undefined || old === undefined || upload === undefined) throw new Error('the backup is empty')
    await metadata.entities.createIfAbsent({ ...alice, now: 1 })
    const { container } = old
    await metadata.collections.createIfAbsent({
      ...container,
      id: container.collectionId,
      name: container.collectionName,
      now: 1,
    })
    await metadata.containers.createIfAbsent({ ...container, now: 1 })
    await metadata.images.createIfAbsent({ ...old.image, now: 1 })
    await metadata.uploads.create({ ...upload, defaultQuotaBytes: 0 })

    second.advance(9 * day)
    expect(await second.library.sweep({ graceSeconds: 0 })).toMatchObject({ uploads: 1, kept: 1, orphans: 0 })
    expect(await reindexed(second)).toMatchObject({ images: 1, tags: 1, entities: 0 })
    second.advance(9 * day)
    expect(await second.library.sweep({ graceSeconds: 0 })).toMatchObject({ uploads: 0, kept: 0, orphans: 0, blobs: 0 })
    expect((await pull(second, 'alice/tools/bwa:latest')).equals(bytes)).toBe(true)
    expect(await metadata.entities.findByName('alice')).toMatchObject({ usedBytes: bytes.length, reservedBytes: 0 })
  })
})
