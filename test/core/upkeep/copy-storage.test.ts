import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { storageMarkKey } from '../../../src/core/blobs/storage-mark.js'
import { type CopiedItem, copyStorage, createLibrary } from '../../../src/core/index.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { filesystemStorage } from '../../../src/storage/blob/filesystem/index.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { push, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, TEST_SECRET, type TestRegistry } from '../../support/registry.js'
import { drained, keysBelow, sidecarKeys } from '../../support/sidecars.js'

const images = ['one', 'two', 'three'].map((name) => ({ name, bytes: Buffer.from(`the image ${name} `.repeat(2000)) }))
let root: string
let registry: TestRegistry
let from: StorageBackend
let to: StorageBackend
const directory = () => join(root, 'from')
const copy = (options: Partial<Parameters<typeof copyStorage>[0]> = {}) => copyStorage({ from, to, ...options })
const libraryOn = (storage: StorageBackend, options: { readonly acceptStorage?: boolean } = {}) =>
  createLibrary({
    publicUrl: 'https://reg.example',
    secret: TEST_SECRET,
    storage,
    metadata: registry.metadata,
    ...options,
  })
const keys = async (storage: StorageBackend) => {
  const found: string[] = []
  for await (const { key } of storage.list('')) found.push(key)
  return found.sort()
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sif-library-'))
  from = filesystemStorage({ directory: directory() })
  to = memoryStorage()
  registry = await createTestRegistry({ storage: from })
  for (const { name, bytes } of images) await push(registry, `alice/tools/${name}`, bytes)
  await drained(registry)
})
afterEach(async () => {
  await registry.close()
  await rm(root, { recursive: true, force: true })
})

describe('a copy', () => {
  it('has all blobs, sidecars and the mark; a registry on it starts and every image is pulled', async () => {
    const result = await copy()
    expect(result).toMatchObject({ present: 0, damaged: 0, failed: 0, pruned: 0, marked: true })
    expect(result.copied).toBe((await keys(from)).length)
    expect(await keys(to)).toEqual(await keys(from))
    const moved = libraryOn(to)
    await moved.ready()
    expect(await moved.verify({ all: true })).toMatchObject({ proven: 3, damaged: 0 })
  })

  it('goes on where it was stopped, and marks the target last', async () => {
    const stopping = new AbortController()
    const first = await copy({ concurrency: 1, signal: stopping.signal, onItem: () => stopping.abort() })
    expect(first).toMatchObject({ copied: 1, marked: false })
    expect(await to.stat(storageMarkKey)).toBeUndefined()
    const second = await copy()
    expect(second).toMatchObject({ present: 1, marked: true })
    expect(first.copied + second.copied).toBe((await keys(from)).length)
    expect(await copy()).toMatchObject({ copied: 0, bytes: 0, marked: true })
  })

  it('stopped in the middle of a blob leaves nothing of it', async () => {
    const stopping = new AbortController()
    const target = filesystemStorage({ directory: join(root, 'to') })
    const slow: StorageBackend = {
      ...from,
      get: async (key, options) => {
        const content = await from.get(key, options)
        const body = (async function* () {
          for await (const chunk of content.body) {
            yield chunk.subarray(0, 10)
            stopping.abort()
            yield chunk.subarray(10)
          }
        })()
        return { ...content, body }
      },
    }
    const result = await copy({ from: slow, to: target, signal: stopping.signal })
    expect(result).toMatchObject({ copied: 0, failed: 0, marked: false })
    expect(await keys(target)).toEqual([])
    expect(await readdir(join(root, 'to', 'tmp'))).toEqual([])
  })

  it('of nothing but a look writes nothing', async () => {
    const seen: CopiedItem[] = []
    const result = await copy({ dryRun: true, onItem: (item) => seen.push(item) })
    expect(result).toMatchObject({ failed: 0, marked: false })
    expect(seen.map(({ key }) => key).sort()).toEqual((await keys(from)).filter((key) => key !== storageMarkKey))
    expect(result.bytes).toBe(seen.reduce((sum, { size }) => sum + size, 0))
    expect(await keys(to)).toEqual([])
  })

  it('takes what was pushed and deleted since an earlier one along', async () => {
    await copy()
    await push(registry, 'alice/tools/late', Buffer.from('pushed while the first copy ran'))
    await registry.call('DELETE', '/v1/images/alice/tools/one:latest?arch=amd64', { token: 'alice' })
    await drained(registry)
    const looked = await copy({ prune: true, dryRun: true })
    expect(looked.pruned).toBeGreaterThan(0)
    expect(await copy()).toMatchObject({ pruned: 0, failed: 0 })
    expect(await sidecarKeys(to)).not.toEqual(await sidecarKeys(from))
    expect(await copy({ prune: true })).toMatchObject({ pruned: looked.pruned, marked: true })
    expect((await sidecarKeys(to)).sort()).toEqual((await sidecarKeys(from)).sort())
  })
})

describe('what is wrong', () => {
  const blobOf = async (name: string) => {
    const digest = sha256(images.find((image) => image.name === name)?.bytes ?? Buffer.alloc(0))
    const [key] = await keysBelow(from, `blobs/sha256/${digest.slice(0, 2)}/${digest}/`)
    return { key: key ?? '', file: join(directory(), 'keys', key ?? '') }
  }

  it('bytes that are damaged at the source are not copied; the rest is', async () => {
    const one = await blobOf('one')
    const two = await blobOf('two')
    const { size } = (await from.stat(one.key)) ?? { size: 0 }
    await writeFile(one.file, Buffer.alloc(size, 'x'))
    await truncate(two.file, 100)
    const seen: CopiedItem[] = []
    const result = await copy({ onItem: (item) => seen.push(item) })
    expect(result).toMatchObject({ damaged: 2, failed: 0, marked: true })
    expect(seen.filter(({ outcome }) => outcome === 'damaged').map(({ key }) => key)).toEqual(
      expect.arrayContaining([one.key, two.key]),
    )
    expect(await to.stat(one.key)).toBeUndefined()
  })

  it('bytes that arrive damaged at the target are found by reading them back', async () => {
    const one = await blobOf('one')
    const lying: StorageBackend = {
      ...to,
      get: async (key, options) => {
        const content = await to.get(key, options)
        if (key !== one.key) return content
        return { ...content, body: streamOf(Buffer.alloc(content.length, 'x')) }
      },
    }
    const seen: CopiedItem[] = []
    expect(await copy({ to: lying, onItem: (item) => seen.push(item) })).toMatchObject({ failed: 1, marked: false })
    expect(seen.find(({ outcome }) => outcome === 'failed')).toMatchObject({ key: one.key })
    // and what lies there already is read only when asked for
    expect(await copy({ to: lying })).toMatchObject({ failed: 0 })
    expect(await copy({ to: lying, recheck: true })).toMatchObject({ failed: 1 })
  })

  it('a store that does not answer for a moment is asked again', async () => {
    let refused = 0
    const shaky: StorageBackend = {
      ...to,
      put: async (key, body, options) => {
        if (refused < 2) {
          refused += 1
          throw new StorageError('unavailable', 'a moment', { backend: 'memory', key })
        }
        return to.put(key, body, options)
      },
    }
    expect(await copy({ to: shaky })).toMatchObject({ failed: 0, marked: true })
    expect(refused).toBe(2)
  })

  it('a source that ends in the middle of its list is no whole copy', async () => {
    const broken: StorageBackend = {
      ...from,
      async *list(prefix) {
        for await (const item of from.list(prefix)) {
          yield item
          throw new StorageError('unavailable', 'gone', { backend: 'filesystem' })
        }
      },
    }
    await expect(copy({ from: broken })).rejects.toMatchObject({ code: 'unavailable' })
    expect(await to.stat(storageMarkKey)).toBeUndefined()
  })

  it('a source that holds nothing, and a target of another registry, are refused', async () => {
    await expect(copy({ from: memoryStorage() })).rejects.toMatchObject({ code: 'invalid-request' })
    await expect(
      copy({ from: filesystemStorage({ directory: join(root, 'mistyped') }) }),
      'and no folder is made',
    ).rejects.toMatchObject({ code: 'invalid-request' })
    expect(await readdir(root)).not.toContain('mistyped')
    const other = await createTestRegistry()
    await expect(copy({ to: other.storage })).rejects.toThrow('another registry')
    await other.close()
  })

  it('another object under the key stays as it is', async () => {
    const one = await blobOf('one')
    const squatter = Buffer.from('short')
    await to.put(one.key, streamOf(squatter), { size: squatter.length, sha256: sha256(squatter) })
    expect(await copy()).toMatchObject({ failed: 1, marked: false })
    expect((await to.stat(one.key))?.size).toBe(squatter.length)
  })
})

describe('a blob that is larger than one put of the target', () => {
  it('goes in parts', async () => {
    const target = filesystemStorage({ directory: join(root, 'to') })
    const small: StorageBackend = { ...target, limits: { ...target.limits, maxPutSize: 20_000, maxPartSize: 9000 } }
    expect(await copy({ to: small })).toMatchObject({ failed: 0, marked: true })
    expect(await keys(small)).toEqual(await keys(from))
    expect(await libraryOn(small).verify({ all: true })).toMatchObject({ proven: 3 })
    expect(await readdir(join(root, 'to', 'uploads'))).toEqual([])
  })
})

describe('an empty storage that is accepted', () => {
  const onEmpty = (options: { readonly acceptStorage?: boolean } = {}) => libraryOn(to, options)

  it('is refused with the way to bring the bytes along', async () => {
    await expect(onEmpty().ready()).rejects.toThrow(
      /bring its bytes along first: sif-library copy-storage.*--accept-storage/,
    )
  })

  it('hides no image: verify asks first, until bytes are there or are said to be lost', async () => {
    const library = onEmpty({ acceptStorage: true })
    await library.ready()
    await expect(library.verify({ all: true })).rejects.toMatchObject({ code: 'conflict' })
    const show = async () => (await registry.call('GET', '/v1/images/alice/tools/one:latest?arch=amd64')).status
    expect(await show()).toBe(200)
    const marked = await to.stat(storageMarkKey)
    await to.delete(storageMarkKey)
    expect(marked).toBeDefined()
    for await (const { key, size } of from.list('blobs/')) {
      const sha = key.split('/')[3] ?? ''
      await to.put(key, (await from.get(key)).body, { size, sha256: sha })
    }
    await onEmpty({ acceptStorage: true }).ready()
    expect(await library.verify({ all: true })).toMatchObject({ proven: 3, damaged: 0 })
  })

  it('hides them where they are lost', async () => {
    const library = onEmpty({ acceptStorage: true })
    await library.ready()
    expect(await library.verify({ all: true, hideMissing: true })).toMatchObject({ damaged: 3 })
  })
})
