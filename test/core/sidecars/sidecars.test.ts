import { afterEach, describe, expect, it } from 'vitest'
import { createStorageMark } from '../../../src/core/blobs/storage-mark.js'
import { createLibrary } from '../../../src/core/index.js'
import { decodeSidecar } from '../../../src/core/sidecars/document.js'
import { createSidecarWriter, writeSidecar } from '../../../src/core/sidecars/writer.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { push, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'
import { drained, sidecarKeys, sidecarOf } from '../../support/sidecars.js'

const bytes = Buffer.from('the bytes of an image')
const path = 'alice/tools/bwa'
const sidecarFolders = /^records\/\w+\//
let registry: TestRegistry
afterEach(() => registry.close())

describe('the writer', () => {
  it.each(['memory', 'filesystem'] as const)('writes what a push made, once, over %s', async (storage) => {
    registry = await createTestRegistry({ storage })
    const pushed = await push(registry, path, bytes, { tags: ['1.0', 'latest'], description: 'aligns' })
    await registry.call('POST', `/v2/tags/${pushed.containerId}`, {
      token: 'alice',
      body: { Arch: 'amd64', Tag: 'more', ImageID: pushed.imageId },
    })
    await drained(registry)
    const digest = sha256(bytes)
    expect((await sidecarKeys(registry.storage)).sort()).toEqual(
      [
        `records/collections/${pushed.collectionId}/00000001`,
        `records/containers/${pushed.containerId}/00000001`,
        `records/entities/${pushed.entityId}/00000001`,
        `records/images/${digest.slice(0, 2)}/${digest}/${pushed.imageId}/00000001`,
      ].sort(),
    )
    const image = (await registry.metadata.images.find(pushed.imageId))?.image
    expect(await sidecarOf(registry.storage, 'images')).toEqual({
      version: 1,
      kind: 'image',
      ...image,
      ...{ entity: 'alice', collection: 'tools', container: 'bwa' },
      tags: ['1.0', 'latest', 'more'].map((tag) => ({ arch: 'amd64', tag, updatedAt: expect.any(Number) })),
    })
    expect(await sidecarOf(registry.storage, 'entities')).toMatchObject({
      kind: 'entity',
      name: 'alice',
      defaultPrivate: false,
      quotaBytes: null,
    })
    expect(await sidecarOf(registry.storage, 'containers')).toMatchObject({
      kind: 'container',
      entityName: 'alice',
      collectionName: 'tools',
      private: false,
    })
    expect(await registry.metadata.changes.list({ limit: 9 })).toEqual([])
  })

  it('replaces the sidecar by one with a greater number when something changes, and leaves it alone when nothing did', async () => {
    registry = await createTestRegistry()
    const { containerId, imageId } = await push(registry, path, bytes)
    await drained(registry)
    await registry.library.visibility(path, 'private')
    await drained(registry)
    expect(await sidecarKeys(registry.storage, 'containers')).toEqual([`records/containers/${containerId}/00000002`])
    expect(await sidecarOf(registry.storage, 'containers')).toMatchObject({ private: true })
    const before = await sidecarKeys(registry.storage)
    await registry.metadata.changes.note({ kind: 'image', id: imageId, digest: sha256(bytes) })
    expect(await registry.metadata.changes.isPending('image', imageId)).toBe(true)
    await drained(registry)
    expect(await sidecarKeys(registry.storage)).toEqual(before)
  })

  it('moves a tag from one sidecar to the other', async () => {
    registry = await createTestRegistry()
    const first = await push(registry, path, bytes)
    const second = await push(registry, path, Buffer.from('another image'))
    await drained(registry)
    const tagsOf = async (id: string) =>
      (await sidecarOf(registry.storage, `images/${id}`)).tags.map(({ tag }: { tag: string }) => tag)
    expect([await tagsOf(first.imageId), await tagsOf(second.imageId)]).toEqual([[], ['latest']])
  })

  it('deletes the sidecars of an image that is deleted', async () => {
    registry = await createTestRegistry()
    const { hash } = await push(registry, path, bytes)
    await drained(registry)
    expect(await sidecarKeys(registry.storage, 'images')).toHaveLength(1)
    await registry.call('DELETE', `/v1/images/${path}:${hash}`, { token: 'alice' })
    await drained(registry)
    expect(await sidecarKeys(registry.storage, 'images')).toEqual([])
    expect(await sidecarKeys(registry.storage)).toHaveLength(3)
  })

  it('writes nothing for an image without bytes', async () => {
    registry = await createTestRegistry()
    const { containerId } = await push(registry, path, bytes)
    const pending = { id: 'f'.repeat(24), containerId, digest: 'e'.repeat(64), description: '', owner: null, now: 1 }
    await registry.metadata.images.createIfAbsent(pending)
    await writeSidecar(registry, { kind: 'image', id: pending.id, digest: pending.digest })
    expect(await sidecarKeys(registry.storage, 'images/ee')).toEqual([])
  })

  it('writes in the background, and what is left when it is closed', async () => {
    const storage = memoryStorage()
    registry = await createTestRegistry({ storage })
    await push(registry, path, bytes)
    expect(await sidecarKeys(storage)).toEqual([])
    await expect.poll(() => sidecarKeys(storage), { timeout: 5000 }).toHaveLength(4)
    await registry.library.visibility('alice/tools', 'private')
    await registry.close()
    expect(await sidecarOf(storage, 'collections')).toMatchObject({ private: true })
  })

  it('is behind no request: a storage that takes no sidecars is a warning, and they are written later', async () => {
    const memory = memoryStorage()
    let broken = true
    const storage: StorageBackend = {
      ...memory,
      put: async (key, body, options) => {
        if (broken && sidecarFolders.test(key)) throw new Error('no sidecars today')
        return memory.put(key, body, options)
      },
    }
    registry = await createTestRegistry({ storage })
    await push(registry, path, bytes)
    await drained(registry, false)
    expect(await sidecarKeys(memory)).toEqual([])
    expect(registry.logs.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: 'sidecars are written later' },
    ])
    broken = false
    await drained(registry)
    expect(await sidecarKeys(memory)).toHaveLength(4)
  })

  it('one record that cannot be written does not hold up the others', async () => {
    const memory = memoryStorage()
    const storage: StorageBackend = {
      ...memory,
      put: async (key, body, options) => {
        if (key.startsWith('records/entities/')) throw new Error('not this one')
        return memory.put(key, body, options)
      },
    }
    registry = await createTestRegistry({ storage })
    for (let at = 0; at < 100; at += 1)
      await registry.metadata.entities.createIfAbsent({ ...entity(at), name: `e${at}` })
    await push(registry, path, bytes)
    await drained(registry, false)
    expect(await sidecarKeys(memory, 'entities')).toEqual([])
    expect(await sidecarKeys(memory)).toHaveLength(3)
    const left = await registry.metadata.changes.list({ limit: 200 })
    expect([left.length, new Set(left.map(({ kind }) => kind))]).toEqual([101, new Set(['entity'])])
  })

  it('an instance that starts writes what one that crashed has left', async () => {
    registry = await createTestRegistry()
    const metadata = sqliteMetadata({ file: ':memory:' })
    await metadata.entities.createIfAbsent({ ...entity(1), name: 'left' })
    const storage = memoryStorage()
    const library = createLibrary({ publicUrl: 'http://localhost', storage, metadata })
    await library.ready()
    await library.close()
    expect(await sidecarOf(storage, 'entities')).toMatchObject({ name: 'left' })
  })
})

const entity = (at: number) => ({
  id: at.toString(16).padStart(24, '0'),
  name: '',
  description: '',
  defaultPrivate: false,
  owner: null,
  now: 1,
})

describe('several writers', () => {
  /** Runs `between` once, after the first writer has read what the store says and before it puts that. */
  const pausing = (memory: StorageBackend, between: () => Promise<unknown>): StorageBackend => {
    let paused = false
    return {
      ...memory,
      put: async (key, body, options) => {
        if (!paused) {
          paused = true
          await between()
        }
        return memory.put(key, body, options)
      },
    }
  }

  const make = async () => {
    registry = await createTestRegistry()
    const { imageId, containerId } = await push(registry, path, bytes)
    await drained(registry)
    await registry.library.visibility(path, 'private')
    return {
      target: { kind: 'image', id: imageId, digest: sha256(bytes) } as const,
      container: { kind: 'container', id: containerId, digest: null } as const,
    }
  }

  it('the one that comes second with older words begins again', async () => {
    const { container } = await make()
    const { metadata, storage } = registry
    const slow = pausing(storage, async () => {
      await metadata.containers.update(container.id, { private: false, now: 99 })
      await writeSidecar({ storage, metadata }, container)
    })
    await writeSidecar({ storage: slow, metadata }, container)
    expect(await sidecarOf(storage, 'containers')).toMatchObject({ private: false })
    expect(await sidecarKeys(storage, 'containers')).toHaveLength(1)
  })

  it('older words never become the newest sidecar, however far the other one got', async () => {
    const { container } = await make()
    const { metadata, storage } = registry
    const slow = pausing(storage, async () => {
      for (const now of [97, 98, 99]) {
        await metadata.containers.update(container.id, { private: now % 2 === 0, now: now })
        await writeSidecar({ storage, metadata }, container)
      }
    })
    await writeSidecar({ storage: slow, metadata }, container)
    expect(await sidecarOf(storage, 'containers')).toMatchObject({ private: false })
    expect(await sidecarKeys(storage, 'containers')).toHaveLength(1)
  })

  it('an image that is deleted meanwhile leaves no sidecar', async () => {
    const { target } = await make()
    const { metadata, storage } = registry
    await metadata.images.setState(target.id, ['published'], 'unproven', 98)
    const slow = pausing(storage, async () => {
      await metadata.images.delete(target.id, 99)
      await writeSidecar({ storage, metadata }, target)
    })
    await writeSidecar({ storage: slow, metadata }, target)
    expect(await sidecarKeys(storage, 'images')).toEqual([])
  })

  it('a change that comes while its record is written is not settled with the older ones', async () => {
    const { container } = await make()
    const { metadata, storage } = registry
    const slow: StorageBackend = {
      ...storage,
      delete: async (key) => {
        await storage.delete(key)
        await metadata.containers.update(container.id, { private: false, now: 99 })
      },
    }
    const settings = { logger: { warn: () => {} } } as never
    const storageMark = createStorageMark({ storage, metadata, settings })
    const writer = createSidecarWriter({ settings, metadata, storage: slow, storageMark, inBackground: () => {} })
    const one = metadata.changes.list.bind(metadata.changes)
    Object.assign(metadata.changes, {
      list: async (page: { after?: number; limit: number }) => ((page.after ?? 0) === 0 ? one(page) : []),
    })
    await writer.drain()
    Object.assign(metadata.changes, { list: one })
    expect(await metadata.changes.isPending('container', container.id)).toBe(true)
    await drained(registry)
    expect(await sidecarOf(storage, 'containers')).toMatchObject({ private: false })
  })

  it('many at once end with one right sidecar', async () => {
    const { container } = await make()
    const { metadata, storage } = registry
    await Promise.all(
      Array.from({ length: 8 }, async (_, at) => {
        await metadata.containers.update(container.id, { private: at % 2 === 0, now: 100 + at })
        await writeSidecar({ storage, metadata }, container)
      }),
    )
    expect(await sidecarKeys(storage, 'containers')).toHaveLength(1)
    const {
      collectionPrivate: _p,
      downloadCount: _d,
      ...record
    } = (await metadata.containers.find(container.id)) ?? expect.fail()
    expect(await sidecarOf(storage, 'containers')).toEqual({ version: 1, kind: 'container', ...record })
  })

  it('a sidecar that somebody has spoilt is replaced', async () => {
    const { container } = await make()
    const { metadata, storage } = registry
    const key = `records/containers/${container.id}/00000007`
    await storage.put(key, streamOf(Buffer.from('{"version":1')), {
      size: 12,
      sha256: sha256(Buffer.from('{"version":1')),
    })
    await writeSidecar({ storage, metadata }, container)
    expect(await sidecarKeys(storage, 'containers')).toEqual([`records/containers/${container.id}/00000008`])
    expect(await sidecarOf(storage, 'containers')).toMatchObject({ private: true })
  })
})

describe('what is read is not believed', () => {
  const id = 'a'.repeat(24)
  const digest = 'd'.repeat(64)
  const target = { kind: 'image', id, digest } as const
  const image = {
    ...{
      version: 1,
      kind: 'image',
      id,
      containerId: id,
      digest,
      description: '',
      state: 'published',
      size: 1,
      blobKey: `blobs/sha256/dd/${digest}/${id}`,
    },
    ...{
      arch: 'amd64',
      archFromHeader: true,
      signed: null,
      encrypted: null,
      fingerprints: [],
      owner: null,
      createdAt: 1,
      updatedAt: 1,
      publishedAt: 1,
    },
    ...{ entity: 'e', collection: 'c', container: 'k', tags: [{ arch: 'amd64', tag: 'latest', updatedAt: 1 }] },
  }
  const decode = (value: unknown) => () =>
    decodeSidecar(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), target)

  it('a good one is taken, also with members of a later time', async () => {
    registry = await createTestRegistry()
    const { version: _, ...expected } = image
    expect(decode({ ...image, more: 1 })()).toEqual(expected)
  })

  it.each<[string, unknown, RegExp]>([
    ['no JSON', '{', /no JSON/],
    ['null', null, /no version/],
    ['a newer version', { ...image, version: 2 }, /version 2: a newer sif-library/],
    ['another kind', { ...image, kind: 'user' }, /kind is not valid/],
    ['another id', { ...image, id: 'b'.repeat(24) }, /another record/],
    ['an id that is none', { ...image, id: '../../../etc' }, /id is not valid/],
    [
      'another digest',
      { ...image, digest: 'e'.repeat(64), blobKey: `blobs/sha256/ee/${'e'.repeat(64)}/${id}` },
      /another record/,
    ],
    [
      'the blob of another digest',
      { ...image, blobKey: `blobs/sha256/ee/${'e'.repeat(64)}/${id}` },
      /blobKey is not valid/,
    ],
    ['a pending image', { ...image, state: 'pending' }, /state is not valid/],
    ['a negative size', { ...image, size: -1 }, /size is not valid/],
    ['a name with a slash', { ...image, entity: 'a/b' }, /entity is not valid/],
    [
      'a tag that looks like a hash',
      { ...image, tags: [{ arch: 'amd64', tag: `sha256.${digest}`, updatedAt: 1 }] },
      /tags\.0\.tag is not valid/,
    ],
    ['times that are none', { ...image, createdAt: 'now' }, /createdAt is not valid/],
    ['a proto', JSON.stringify(image).replace('"tags":[', '"__proto__":{"tags":1},"tags":[{},'), /tags\.0/],
  ])('%s is refused', async (_, value, message) => {
    registry = await createTestRegistry()
    expect(decode(value)).toThrow(message)
  })
})
