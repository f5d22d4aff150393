/** Proving what was published before its proof. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { VerifyResult } from '../../../src/core/index.js'
import { startUpkeep } from '../../../src/core/upkeep/timers.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { hashOf, push, sha256 } from '../../support/push.js'
import { createTestRegistry, type LogLine, streamOf, type TestRegistry } from '../../support/registry.js'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
let registries: TestRegistry[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const registry of registries) await registry.close()
  registries = []
})

async function start(options: Parameters<typeof createTestRegistry>[0]): Promise<TestRegistry> {
  const registry = await createTestRegistry(options)
  registries.push(registry)
  return registry
}

/** As S3 with `verify=background`: `complete` does not wait for the proof. `hold` is what the proof waits for. */
function provesLater(plain = memoryStorage(), hold: () => Promise<void> = async () => {}) {
  const proofs: string[] = []
  const storage = {
    ...plain,
    multipart: {
      ...(plain.multipart as NonNullable<typeof plain.multipart>),
      complete: async (...args: Parameters<NonNullable<typeof plain.multipart>['complete']>) => ({
        ...(await (plain.multipart as NonNullable<typeof plain.multipart>).complete(...args)),
        proof: 'unproven' as const,
      }),
    },
    get: async (...args: Parameters<typeof plain.get>) => {
      // a range is the look at the header
      if (args[1]?.range !== undefined || !args[0].startsWith('blobs/')) return plain.get(...args)
      proofs.push(args[0])
      await hold()
      args[1]?.signal?.throwIfAborted()
      return plain.get(...args)
    },
  }
  return { storage, proofs, plain }
}

describe('a scrub', () => {
  it('reads the bytes, and does not believe what the storage noted of them', async () => {
    const plain = memoryStorage()
    const asked: string[] = []
    // as S3 with `verify=store`, which keeps a checksum
    const registry = await start({ storage: { ...plain, prove: async (key) => void asked.push(key) } })
    await push(registry, 'alice/tools/rotten', bytes)
    const { image } =
      (await registry.metadata.images.findByPath(
        { entity: 'alice', collection: 'tools', container: 'rotten' },
        { digest: hashOf(bytes).slice(7) },
      )) ?? {}
    const key = image?.blobKey ?? ''
    const rotten = Buffer.alloc(bytes.length, 'x')
    await plain.delete(key)
    await plain.put(key, streamOf(rotten), { size: rotten.length, sha256: sha256(rotten) })
    expect(await registry.library.verify({ all: true })).toMatchObject({ proven: 0, damaged: 1 })
    expect(asked).toEqual([])
    expect(await stateOf(registry, 'rotten')).toBe('damaged')
  })

  it('keeps to its rate in the middle of an image, and stops there', async () => {
    const plain = memoryStorage()
    const readAt: number[] = []
    const storage: StorageBackend = {
      ...plain,
      get: async (key, options) => {
        const content = await plain.get(key, options)
        if (options?.range !== undefined) return content
        const body = async function* () {
          for await (const chunk of content.body) {
            for (let start = 0; start < chunk.length; start += 1000) {
              readAt.push(performance.now())
              options?.signal?.throwIfAborted()
              yield chunk.subarray(start, start + 1000)
            }
          }
        }
        return { ...content, body: body() }
      },
    }
    const registry = await start({ storage })
    await push(registry, 'alice/tools/large', Buffer.alloc(5000, 'large'))
    expect(await registry.library.verify({ all: true, bytesPerSecond: 10_000 })).toMatchObject({
      proven: 1,
      bytes: 5000,
    })
    expect(readAt).toHaveLength(5)
    // timers may be early by a millisecond
    expect((readAt[4] ?? 0) - (readAt[0] ?? 0)).toBeGreaterThan(390)
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 50)
    const items: unknown[] = []
    await registry.library.verify({
      all: true,
      bytesPerSecond: 1000,
      signal: stop.signal,
      onItem: (item) => items.push(item),
    })
    expect(items).toEqual([])
    expect(readAt.length).toBeLessThan(10)
  })
})

const never = (): Promise<never> => new Promise(() => {})
const bytes = Buffer.from('proven later')
const stateOf = async ({ metadata }: TestRegistry, name: string): Promise<string | undefined> =>
  (
    await metadata.images.findByPath(
      { entity: 'alice', collection: 'tools', container: name },
      { digest: hashOf(bytes).slice(7) },
    )
  )?.image.state

/** A registry that crashed after it published, in the middle of the proof: what it left is in `metadata` and in `plain`. */
async function crashed() {
  const metadata = sqliteMetadata({ file: ':memory:' })
  const before = provesLater(memoryStorage(), never)
  const first = await createTestRegistry({ storage: before.storage, metadata })
  await push(first, 'alice/tools/left', bytes, { via: 'multipart' })
  await vi.waitFor(() => expect(before.proofs).toHaveLength(1))
  expect(await stateOf(first, 'left')).toBe('unproven')
  // it is never closed: its work in the background would be waited for
  return { metadata, plain: before.plain, first }
}

/** The same records and bytes in a new process; the users are there already. */
const restart = async ({ metadata, plain }: Awaited<ReturnType<typeof crashed>>, hold?: () => Promise<void>) => {
  const { createLibrary } = await import('../../../src/core/index.js')
  const { storage, proofs } = provesLater(plain, hold)
  return {
    library: createLibrary({ publicUrl: 'https://reg.example', secret: 'x'.repeat(32), storage, metadata }),
    proofs,
  }
}

describe('after a crash between publishing and proof', () => {
  it('the timer of the next start proves the image, and later what a storage that did not answer left', async () => {
    const left = await crashed()
    const { library, proofs } = await restart(left)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const stop = library.startUpkeep({ sweep: false })
    await vi.advanceTimersByTimeAsync(4000)
    expect(await stateOf(left.first, 'left')).toBe('unproven')
    await vi.advanceTimersByTimeAsync(2000)
    await vi.waitFor(async () => expect(await stateOf(left.first, 'left')).toBe('published'))
    expect(proofs).toHaveLength(1)
    // an hour later there is nothing to read
    await vi.advanceTimersByTimeAsync(3_700_000)
    expect(proofs).toHaveLength(1)
    stop()
    await library.close()
  })

  it('instances that start together both succeed, and none hides the image', async () => {
    const left = await crashed()
    const results = await Promise.all(
      [await restart(left), await restart(left), await restart(left)].map(({ library }) =>
        library.verify({ only: 'unproven' }),
      ),
    )
    expect(results.reduce((sum, { proven }) => sum + proven, 0)).toBeGreaterThan(0)
    expect(results.every(({ damaged, unreadable }) => damaged + unreadable === 0)).toBe(true)
    expect(await stateOf(left.first, 'left')).toBe('published')
  })

  it('a close in the middle of the proof does not wait for it, and leaves the image unproven', async () => {
    const left = await crashed()
    let release: () => void = () => {}
    const { library, proofs } = await restart(left, () => new Promise((resolve) => (release = resolve)))
    const verifying = library.verify({ only: 'unproven' })
    await vi.waitFor(() => expect(proofs).toHaveLength(1))
    const closing = library.close()
    release()
    expect(await verifying).toMatchObject({ proven: 0, unreadable: 0, damaged: 0 })
    await closing
  })
})

describe('verify', () => {
  it('only: unproven reads neither the published nor the damaged', async () => {
    const { storage, proofs, plain } = provesLater()
    const registry = await start({ storage })
    await push(registry, 'alice/tools/a', bytes)
    await push(registry, 'alice/tools/b', Buffer.from('soon damaged'))
    for await (const { key } of plain.list('blobs/')) await plain.delete(key)
    expect((await registry.library.verify({ all: true })).damaged).toBe(2)
    await push(registry, 'alice/tools/a', bytes)
    const before = proofs.length
    expect(await registry.library.verify({ only: 'unproven' })).toEqual({
      proven: 0,
      damaged: 0,
      healed: 0,
      unreadable: 0,
      bytes: 0,
    })
    expect(proofs).toHaveLength(before)
  })

  it('counts the bytes that it read: none of a blob that is missing; and tells the totals on the way', async () => {
    const registry = await start({})
    const { imageId } = await push(registry, 'alice/tools/missing', bytes)
    const more = Buffer.from('read to its end')
    await push(registry, 'alice/tools/there', more)
    await registry.storage.delete((await registry.metadata.images.find(imageId))?.image.blobKey ?? '')
    const totals: VerifyResult[] = []
    const result = await registry.library.verify({ all: true, onItem: (_, soFar) => totals.push(soFar) })
    expect(result).toEqual({ proven: 1, damaged: 1, healed: 0, unreadable: 0, bytes: more.length })
    expect(totals.map(({ proven, damaged }) => proven + damaged)).toEqual([1, 2])
    expect(totals[1]).toEqual(result)
  })

  it.each([0, -1, Number.NaN])('refuses a rate of %s', async (bytesPerSecond) => {
    const registry = await start({})
    await expect(registry.library.verify({ bytesPerSecond })).rejects.toMatchObject({
      code: 'invalid-request',
      message: `bytesPerSecond: ${bytesPerSecond} is no number above 0`,
    })
  })

  it('leaves out what its push proved while the images before it were read', async () => {
    const registry = await start({})
    const { imageId } = await push(registry, 'alice/tools/a', bytes)
    const { images } = registry.metadata
    await images.setState(imageId, ['published'], 'unproven', 1)
    const list = images.list.bind(images)
    Object.assign(images, {
      list: async (...page: Parameters<typeof list>) => {
        const found = await list(...page)
        await images.setState(imageId, ['unproven'], 'published', 2)
        return found
      },
    })
    expect((await registry.library.verify({ only: 'unproven' })).bytes).toBe(0)
  })
})

describe('upkeep', () => {
  it('logs what fails and goes on; stopped, it does nothing more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const lines: Pick<LogLine, 'message'>[] = []
    const calls: string[] = []
    const fail = (name: string) => async () => {
      calls.push(name)
      throw new Error(`no ${name}`)
    }
    const logger = { ...silent, error: (_facts: object, message?: string) => void lines.push({ message }) }
    const none = { jobs: [], runIfDue: () => Promise.resolve(false) }
    const stop = startUpkeep({ sweep: fail('sweep'), verify: fail('verify'), ...none, logger })
    await vi.advanceTimersByTimeAsync(6000)
    expect(calls).toEqual(['verify'])
    await vi.advanceTimersByTimeAsync(300_000)
    expect(calls).toEqual(['verify', 'sweep'])
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(calls).toEqual(['verify', 'sweep', 'verify', 'sweep'])
    expect(lines.map(({ message }) => message)).toEqual([
      'verification failed',
      'sweep failed',
      'verification failed',
      'sweep failed',
    ])
    stop()
    await vi.advanceTimersByTimeAsync(10_000_000)
    expect(calls).toHaveLength(4)
  })
})
