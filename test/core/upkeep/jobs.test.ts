import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LibraryExtension } from '../../../src/core/extension.js'
import { createLibrary } from '../../../src/core/index.js'
import { type Job, runIfDue } from '../../../src/core/upkeep/jobs.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'

afterEach(() => void vi.useRealTimers())

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const never = new AbortController().signal

async function stores(now: () => number) {
  const metadata = sqliteMetadata({ file: ':memory:' })
  await metadata.ready()
  return { metadata, clock: now, logger: silent }
}

describe('a job', () => {
  it('runs when it is due, counted from its last end over all instances', async () => {
    let now = 1_000_000
    const one = await stores(() => now)
    const runs: number[] = []
    const job: Job = { name: 'feed.trim', everySeconds: 60, run: async () => void runs.push(now) }
    expect(await runIfDue(one, job, never)).toBe(true)
    expect(await runIfDue(one, job, never)).toBe(false)
    now += 59_000
    expect(await runIfDue({ ...one }, job, never)).toBe(false)
    now += 1000
    expect(await runIfDue({ ...one }, job, never)).toBe(true)
    expect(runs).toEqual([1_000_000, 1_060_000])
  })

  it('never runs twice at once, however many instances ask', async () => {
    const one = await stores(() => 5_000_000)
    let running = 0
    let most = 0
    const job: Job = {
      ...{ name: 'feed.trim', everySeconds: 60 },
      run: async () => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setTimeout(resolve, 20))
        running -= 1
      },
    }
    const ran = await Promise.all(Array.from({ length: 8 }, () => runIfDue(one, job, never)))
    expect([most, ran.filter(Boolean).length]).toEqual([1, 1])
  })

  it('that fails is logged, and due again after its time', async () => {
    let now = 1_000_000
    const errors: unknown[] = []
    const one = {
      ...(await stores(() => now)),
      logger: { ...silent, error: (facts: object) => void errors.push(facts) },
    }
    const job: Job = { name: 'feed.trim', everySeconds: 60, run: () => Promise.reject(new Error('no')) }
    expect(await runIfDue(one, job, never)).toBe(true)
    expect(errors).toMatchObject([{ job: 'feed.trim' }])
    expect(await runIfDue(one, job, never)).toBe(false)
    now += 60_000
    expect(await runIfDue(one, job, never)).toBe(true)
  })

  it('of an instance that died is taken over, but not while that one gives signs of life', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    let now = 1_000_000
    const one = await stores(() => now)
    const runs: string[] = []
    const hang: Job = { name: 'feed.trim', everySeconds: 10, run: () => new Promise(() => {}) }
    void runIfDue(one, hang, never)
    await vi.waitFor(async () =>
      expect(await one.metadata.documents.get('sif-library', 'job', 'feed.trim')).toBeDefined(),
    )
    const job: Job = { ...hang, run: async () => void runs.push('taken over') }
    for (let beats = 0; beats < 10; beats += 1) {
      now += 20_000
      const before = await one.metadata.documents.get('sif-library', 'job', 'feed.trim')
      await vi.advanceTimersByTimeAsync(20_000)
      await vi.waitFor(async () =>
        expect((await one.metadata.documents.get('sif-library', 'job', 'feed.trim'))?.version).not.toBe(
          before?.version,
        ),
      )
      expect(await runIfDue(one, job, never)).toBe(false)
    }
    // dead: no sign of life comes any more
    now += 80_000
    expect(await runIfDue(one, job, never)).toBe(true)
    expect(runs).toEqual(['taken over'])
  })

  it('that was taken over is told to stop', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    let now = 1_000_000
    const one = await stores(() => now)
    let stopped = false
    const slow: Job = {
      ...{ name: 'feed.trim', everySeconds: 10 },
      run: (signal) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            stopped = true
            resolve()
          }),
        ),
    }
    const first = runIfDue(one, slow, never)
    await vi.waitFor(async () =>
      expect(await one.metadata.documents.get('sif-library', 'job', 'feed.trim')).toBeDefined(),
    )
    now += 200_000
    expect(await runIfDue(one, { ...slow, run: async () => {} }, never)).toBe(true)
    await vi.advanceTimersByTimeAsync(20_000)
    await first
    expect(stopped).toBe(true)
  })
})

describe('library.startUpkeep', () => {
  it('runs the jobs of extensions, and close stops it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const signals: AbortSignal[] = []
    const feed: LibraryExtension = {
      name: 'feed',
      setup: () => ({
        jobs: [{ name: 'trim', everySeconds: 5, run: async (signal) => void signals.push(signal) }],
      }),
    }
    const metadata: MetadataStore = sqliteMetadata({ file: ':memory:' })
    const library = createLibrary({
      ...{ publicUrl: 'https://reg.example', secret: 'x'.repeat(32), extensions: [feed] },
      ...{ storage: memoryStorage(), metadata },
    })
    await library.ready()
    library.startUpkeep({ sweep: false })
    await vi.advanceTimersByTimeAsync(5100)
    await vi.waitFor(() => expect(signals).toHaveLength(1))
    expect((await metadata.documents.get('sif-library', 'job', 'feed.trim'))?.value).toMatchObject({ holder: null })
    await library.close()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(signals).toHaveLength(1)
    expect(() => library.startUpkeep({ everySeconds: 0 })).toThrow(TypeError)
  })
})
