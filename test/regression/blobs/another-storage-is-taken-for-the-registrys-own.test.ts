/**
 * A folder whose volume is not mounted looked like a storage that has lost everything: deletions and visibility were noted as written there, and when the volume came back a deleted image
 * was back after reindex, a private one public; verify hid every image, and pushes landed below the mount point.
 */
import { renameSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { storageMarkKey } from '../../../src/core/blobs/storage-mark.js'
import { createLibrary } from '../../../src/core/index.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { filesystemStorage } from '../../../src/storage/blob/filesystem/index.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { hashOf, makeImage, push, sendParts, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, TEST_SECRET, type TestRegistry } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

const day = 86_400_000
const bytes = Buffer.from('an image of some bytes '.repeat(20))
const secret = Buffer.from('what nobody else may see '.repeat(20))
const show = async (registry: TestRegistry, container: string): Promise<number> =>
  (await registry.call('GET', `/v1/images/alice/tools/${container}:latest?arch=amd64`)).status
const libraryOver = (
  storage: StorageBackend,
  metadata: MetadataStore,
  options: { readonly acceptStorage?: boolean } = {},
) => createLibrary({ publicUrl: 'https://reg.example', secret: TEST_SECRET, storage, metadata, ...options })

describe('a folder whose volume goes away below the server', () => {
  let root: string
  let directory: string
  let registry: TestRegistry
  const unmount = async (): Promise<void> => {
    await rename(directory, join(root, 'volume'))
    await mkdir(directory)
    // as a start of serve does it
    await filesystemStorage({ directory }).ready?.()
  }
  const mount = async (): Promise<void> => {
    await rm(directory, { recursive: true })
    await rename(join(root, 'volume'), directory)
  }
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sif-library-'))
    directory = join(root, 'blobs')
    registry = await createTestRegistry({ storage: filesystemStorage({ directory }) })
    await push(registry, 'alice/tools/x', bytes)
    await push(registry, 'alice/tools/p', secret)
    await drained(registry)
  })
  afterEach(async () => {
    await registry.close()
    await rm(root, { recursive: true, force: true })
  })

  it('what is deleted and what becomes private meanwhile stays so', async () => {
    await unmount()
    await registry.call('DELETE', '/v1/images/alice/tools/x:latest?arch=amd64', { token: 'alice' })
    await registry.library.visibility('alice/tools/p', 'private')
    // the sidecars are due after a second
    await vi.waitFor(
      () => expect(registry.logs).toContainEqual(expect.objectContaining({ message: 'sidecars are written later' })),
      { timeout: 5000 },
    )
    await expect(registry.library.sweep()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('Is the volume mounted'),
    })
    await mount()
    registry.advance(2 * day)
    expect(await registry.library.sweep()).toMatchObject({ blobs: 1, kept: 0 })
    expect((await registry.library.reindex()).images).toBe(0)
    const second = await createTestRegistry({ storage: registry.storage })
    await second.library.reindex()
    expect([await show(registry, 'x'), await show(second, 'x'), await show(second, 'p')]).toEqual([404, 404, 404])
    await second.close()
  })

  it('verify and reindex end with the reason, and hide nothing', async () => {
    await unmount()
    for (const work of [registry.library.verify({ all: true }), registry.library.reindex()])
      await expect(work).rejects.toThrow('not the storage of this registry')
    await mount()
    // and where it goes away in the middle
    let isFirst = true
    const reasons: (string | undefined)[] = []
    const result = await registry.library.verify({
      all: true,
      onItem: ({ reason }) => {
        reasons.push(reason)
        if (isFirst) renameSync(directory, join(root, 'volume'))
        isFirst = false
      },
    })
    expect(result).toMatchObject({ proven: 1, damaged: 0, unreadable: 1 })
    expect(reasons[1]).toContain('not the storage of this registry')
    await mkdir(directory)
    await mount()
    expect(await show(registry, 'x')).toBe(200)
    expect((await registry.library.verify({ all: true })).proven).toBe(2)
  })

  it('it is not ready, and no push is acknowledged', async () => {
    expect((await registry.call('GET', '/readyz')).status).toBe(200)
    await unmount()
    registry.advance(6000)
    expect((await registry.call('GET', '/readyz')).status).toBe(503)
    // a push is not asked for by each image, but every few seconds
    await new Promise((resolve) => setTimeout(resolve, 5100))
    const pushed = Buffer.from('pushed below the mount point')
    const { imageId } = await makeImage(registry, { path: 'alice/tools/late', hash: hashOf(pushed) })
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes: pushed, token: 'alice' })
    const body = { uploadID, completedParts }
    const complete = async () =>
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, { token: 'alice', body })).status
    expect(await complete()).toBe(503)
  })

  it('a completion meanwhile ends no upload', async () => {
    const pushed = Buffer.from('its parts are on the volume')
    const { imageId } = await makeImage(registry, { path: 'alice/tools/late', hash: hashOf(pushed) })
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes: pushed, token: 'alice' })
    const body = { uploadID, completedParts }
    const complete = async () =>
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, { token: 'alice', body })).status
    await unmount()
    expect(await complete()).toBe(503)
    await mount()
    expect(await complete()).toBe(200)
  })

  it('the next start refuses it', async () => {
    await unmount()
    await expect(libraryOver(filesystemStorage({ directory }), registry.metadata).ready()).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
    })
    await mount()
    await libraryOver(filesystemStorage({ directory }), registry.metadata).ready()
  })
})

describe('marks', () => {
  const registries: TestRegistry[] = []
  afterEach(async () => {
    for (const registry of registries.splice(0)) await registry.close()
  })
  /** A registry with an image, and what it stands on. */
  async function used(): Promise<TestRegistry> {
    const registry = await createTestRegistry()
    registries.push(registry)
    await push(registry, 'alice/tools/x', bytes)
    return registry
  }
  it('the storage of another registry is refused, an emptied one too, until it is accepted', async () => {
    const [{ metadata, storage }, other] = [await used(), await used()]
    for (const wrong of [other.storage, memoryStorage()]) {
      await expect(libraryOver(wrong, metadata).ready()).rejects.toThrow(/accept-storage/)
      await libraryOver(wrong, metadata, { acceptStorage: true }).ready()
      await libraryOver(wrong, metadata).ready()
      // the emptied one got the mark of the registry
      if (wrong === other.storage) await expect(libraryOver(storage, metadata).ready()).rejects.toThrow(/another one/)
      await libraryOver(storage, metadata, { acceptStorage: true }).ready()
    }
  })

  it('a registry without images takes any storage: none of them can be missed', async () => {
    const metadata = sqliteMetadata({ file: ':memory:' })
    for (const storage of [memoryStorage(), memoryStorage(), (await used()).storage])
      await libraryOver(storage, metadata).ready()
    await metadata.close()
  })

  it('a registry from before marks knows its storage by the bytes of an image, and no other one', async () => {
    const first = await used()
    for (const wrong of [memoryStorage(), (await used()).storage]) {
      await first.storage.delete(storageMarkKey)
      const older = { ...first.metadata, settings: { ...first.metadata.settings, get: async () => undefined } }
      await expect(libraryOver(wrong, older).ready()).rejects.toThrow(/accept-storage/)
    }
    await libraryOver(first.storage, first.metadata).ready()
    expect(await first.storage.stat(storageMarkKey)).toBeDefined()
  })

  it('a copy of the storage without its mark is known by the same sign', async () => {
    const { metadata, storage } = await used()
    await storage.delete(storageMarkKey)
    await libraryOver(storage, metadata).ready()
    expect(await storage.stat(storageMarkKey)).toBeDefined()
  })

  it('a new metadata store takes over the mark that is there', async () => {
    const { metadata, storage } = await used()
    const second = sqliteMetadata({ file: ':memory:' })
    await libraryOver(storage, second).ready()
    const mark = await second.settings.get('storage-mark')
    expect(mark).toMatch(/^[0-9a-f]{32}$/)
    expect(await metadata.settings.get('storage-mark')).toBe(mark)
    await second.close()
  })

  it('instances that start together agree, also over a store that lets both write', async () => {
    const memory = memoryStorage()
    const lenient: StorageBackend = {
      ...memory,
      put: async (key, body, options) => {
        await memory.delete(key)
        await memory.put(key, body, options)
      },
    }
    for (const storage of [memoryStorage(), lenient]) {
      const metadata = sqliteMetadata({ file: ':memory:' })
      await Promise.all(Array.from({ length: 8 }, () => libraryOver(storage, metadata).ready()))
      await libraryOver(storage, metadata).ready()
      await metadata.close()
    }
  })

  it('an instance that runs follows another one that was told to accept the storage', async () => {
    const first = await used()
    await first.storage.delete(storageMarkKey)
    const mark = Buffer.from(`${'ab'.repeat(16)}\n`)
    await first.storage.put(storageMarkKey, streamOf(mark), { size: mark.length, sha256: sha256(mark) })
    await expect(first.library.sweep()).rejects.toThrow(/another one/)
    await libraryOver(first.storage, first.metadata, { acceptStorage: true }).ready()
    await first.library.sweep()
  })

  it('a storage that is full, or whose policy knows only blobs, can be pulled from', async () => {
    for (const code of ['no-space', 'access-denied'] as const) {
      const { metadata, storage } = await used()
      await storage.delete(storageMarkKey)
      const refuse = async (key: string): Promise<never> => {
        throw new StorageError(code, 'no', { backend: 'memory', key })
      }
      const bound: StorageBackend = {
        ...storage,
        put: refuse,
        get: (key, options) =>
          code === 'access-denied' && !key.startsWith('blobs/') ? refuse(key) : storage.get(key, options),
      }
      const older = { ...metadata, settings: { ...metadata.settings, get: async () => undefined } }
      await libraryOver(bound, older).ready()
      await libraryOver(storage, metadata).ready()
    }
  })

  it('a mark that is none is refused, and replaced when that is asked for', async () => {
    const { metadata, storage } = await used()
    for (const content of [Buffer.from('no mark at all, '.repeat(1000)), Buffer.alloc(0)]) {
      await storage.delete(storageMarkKey)
      await storage.put(storageMarkKey, streamOf(content), { size: content.length, sha256: sha256(content) })
      await expect(libraryOver(storage, metadata).ready()).rejects.toThrow(/is another one/)
      await libraryOver(storage, metadata, { acceptStorage: true }).ready()
      await libraryOver(storage, metadata).ready()
    }
  })
})
