/**
 * A folder whose volume is not mounted looked like a storage that has lost everything: deletions and visibility were noted as written there, and when the volume came back a deleted image
 * was back after reindex, a private one public; verify hid every image, and pushes landed below the mount point.
 */
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLibrary } from '../../src/core/index.js'
import { storageMarkKey } from '../../src/core/storage-mark.js'
import type { StorageBackend } from '../../src/storage/blob/contract.js'
import { StorageError } from '../../src/storage/blob/errors.js'
import { filesystemStorage } from '../../src/storage/blob/filesystem.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite.js'
import { hashOf, makeImage, push, sendParts, sha256 } from '../support/push.js'
import { createTestRegistry, streamOf, TEST_SECRET, type TestRegistry } from '../support/registry.js'
import { drained } from '../support/sidecars.js'

const day = 86_400_000
const bytes = Buffer.from('an image of some bytes '.repeat(20))
const secret = Buffer.from('what nobody else may see '.repeat(20))
const show = async (registry: TestRegistry, container: string): Promise<number> =>
  (await registry.call('GET', `/v1/images/alice/tools/${container}:latest?arch=amd64`)).status
const libraryOver = (storage: StorageBackend, metadata: MetadataStore, options: { readonly acceptStorage?: boolean } = {}) =>
  createLibrary({ publicUrl: 'https://reg.example', secret: TEST_SECRET, storage, metadata, ...options })

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
    await vi.waitFor(() => expect(registry.logs).toContainEqual(expect.objectContaining({ message: 'sidecars are written later' })), { timeout: 5000 })
    await expect(registry.library.sweep()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('Is the volume mounted') })
    await mount()
    registry.advance(2 * day)
    expect(await registry.library.sweep()).toMatchObject({ blobs: 1, kept: 0 })
    expect((await registry.library.reindex()).images).toBe(0)
    const second = await createTestRegistry({ storage: registry.storage })
    await second.library.reindex()
    expect([await show(registry, 'x'), await show(second, 'x'), await show(second, 'p')]).toEqual([404, 404, 404])
    await second.close()
  })

  it('verify hides nothing, and says why', async () => {
    await unmount()
    const reasons: (string | undefined)[] = []
    expect(await registry.library.verify({ all: true, onItem: ({ reason }) => reasons.push(reason) })).toMatchObject({ damaged: 0, unreadable: 2 })
    expect(reasons[0]).toContain('not the storage of this registry')
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
    expect((await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, { token: 'alice', body })).status).toBe(503)
  })

  it('the next start refuses it', async () => {
    await unmount()
    await expect(libraryOver(filesystemStorage({ directory }), registry.metadata).ready()).rejects.toMatchObject({ code: 'unavailable', retryable: false })
    await mount()
    await libraryOver(filesystemStorage({ directory }), registry.metadata).ready()
  })
})

describe('marks', () => {
  it('the storage of another registry is refused, an emptied one too, until it is accepted', async () => {
    const [metadata, storage] = [sqliteMetadata({ file: ':memory:' }), memoryStorage()]
    await libraryOver(storage, metadata).ready()
    const other = memoryStorage()
    await libraryOver(other, sqliteMetadata({ file: ':memory:' })).ready()
    for (const wrong of [other, memoryStorage()]) {
      await expect(libraryOver(wrong, metadata).ready()).rejects.toThrow(/accept-storage/)
      await libraryOver(wrong, metadata, { acceptStorage: true }).ready()
      await libraryOver(wrong, metadata).ready()
      await expect(libraryOver(storage, metadata).ready()).rejects.toThrow(/another one/)
      await libraryOver(storage, metadata, { acceptStorage: true }).ready()
    }
    await metadata.close()
  })

  it('a new metadata store takes over the mark that is there', async () => {
    const storage = memoryStorage()
    const stores = [sqliteMetadata({ file: ':memory:' }), sqliteMetadata({ file: ':memory:' })]
    for (const metadata of stores) await libraryOver(storage, metadata).ready()
    const [first, second] = await Promise.all(stores.map((metadata) => metadata.settings.get('storage-mark')))
    expect(first).toMatch(/^[0-9a-f]{32}$/)
    expect(second).toBe(first)
  })

  it('instances that start together agree', async () => {
    const [metadata, storage] = [sqliteMetadata({ file: ':memory:' }), memoryStorage()]
    await Promise.all(Array.from({ length: 8 }, () => libraryOver(storage, metadata).ready()))
    await libraryOver(storage, metadata).ready()
  })

  it('a storage that is full can still be pulled from; one whose mark is no mark is refused', async () => {
    const [metadata, memory] = [sqliteMetadata({ file: ':memory:' }), memoryStorage()]
    const full: StorageBackend = {
      ...memory,
      put: async (key) => {
        throw new StorageError('no-space', 'full', { backend: 'memory', key })
      },
    }
    await libraryOver(full, metadata).ready()
    await libraryOver(memory, metadata).ready()
    await memory.delete(storageMarkKey)
    await expect(libraryOver(memory, metadata).ready()).rejects.toThrow(/has no records/)
    for (const content of [Buffer.from('no mark at all, '.repeat(1000)), Buffer.alloc(0)]) {
      await memory.put(storageMarkKey, streamOf(content), { size: content.length, sha256: sha256(content) })
      await expect(libraryOver(memory, metadata).ready()).rejects.toThrow(/is another one/)
      await expect(libraryOver(memory, sqliteMetadata({ file: ':memory:' })).ready()).rejects.toThrow(/is another one/)
      await libraryOver(memory, metadata, { acceptStorage: true }).ready()
      await libraryOver(memory, metadata).ready()
      await memory.delete(storageMarkKey)
    }
  })

  it('a policy that knows only blobs is no reason to refuse it', async () => {
    const [metadata, memory] = [sqliteMetadata({ file: ':memory:' }), memoryStorage()]
    const bound: StorageBackend = {
      ...memory,
      get: async (key, options) => {
        if (!key.startsWith('blobs/')) throw new StorageError('access-denied', 'GetObject failed with 403 AccessDenied', { backend: 's3', key })
        return memory.get(key, options)
      },
    }
    await libraryOver(bound, metadata).ready()
    await libraryOver(memory, metadata).ready()
    await expect(libraryOver(bound, metadata).ready()).rejects.toMatchObject({ code: 'access-denied' })
  })
})
