/** The folder of an upload that is being completed carried the time of its claim only: hashing or copying for longer than the sweep's limit, it was swept. */
import { mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { filesystemStorage } from '../../../src/storage/blob/filesystem/index.js'
import { describeBytes, makeBytes, readContent, sha256, streamBytes } from '../../../src/testing/storage/fixtures.js'

/** Holds the reading of the data file until it is opened. */
const gate = vi.hoisted(() => ({ reached: () => {}, opened: Promise.resolve() }))
vi.mock('../../../src/storage/blob/filesystem/read.js', async (original) => {
  const real = await original<typeof import('../../../src/storage/blob/filesystem/read.js')>()
  return {
    ...real,
    readChunks: async function* (...args: Parameters<typeof real.readChunks>) {
      gate.reached()
      await gate.opened
      yield* real.readChunks(...args)
    },
  }
})

const hour = 3_600_000
let directory: string

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  directory = await mkdtemp(join(tmpdir(), 'sif-library-'))
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(directory, { recursive: true })
})

const uploads = () => join(directory, 'uploads')

/** An upload that another instance wrote, so that this one must read it to complete it; `settle` says how the journal ends. */
async function startCompletion() {
  const writer = filesystemStorage({ directory })
  const storage = filesystemStorage({ directory })
  await storage.ready?.()
  const bytes = makeBytes(100_000)
  const ref = {
    key: 'up/load',
    ...(await writer.multipart!.create('up/load', { size: bytes.length, partSize: bytes.length })),
  }
  const part = { ...ref, partNumber: 1, partSize: bytes.length, ...describeBytes(bytes) }
  const written = await writer.multipart!.writePart!(streamBytes(bytes), part)
  let open = (): void => {}
  gate.opened = new Promise((resolve) => (open = resolve))
  const reached = new Promise<void>((resolve) => (gate.reached = resolve))
  const done = storage.multipart!.complete({ ...ref, parts: [written], ...describeBytes(bytes) })
  await reached
  return { storage, bytes, done, open }
}

test('a completion that works for an hour keeps its folder', async () => {
  const { storage, bytes, done, open } = await startCompletion()
  const [name = ''] = await readdir(uploads())
  const folder = join(uploads(), name)
  const long = new Date(Date.now() - hour)
  await utimes(folder, long, long)
  await vi.advanceTimersByTimeAsync(60_000)
  await expect
    .poll(async () => (await stat(folder)).mtime.getTime(), { timeout: 2_000 })
    .toBeGreaterThan(long.getTime())
  expect(await storage.sweepTemporary!(new Date(Date.now() - hour / 2))).toBe(0)
  open()
  expect(await done).toEqual({ key: 'up/load', proof: 'proven' })
  expect(sha256(await readContent(await storage.get('up/load')))).toBe(sha256(bytes))
  expect(vi.getTimerCount()).toBe(0)
})

test('a completion that fails stops its signs of life', async () => {
  const { done, open } = await startCompletion()
  expect(vi.getTimerCount()).toBe(1)
  const [name = ''] = await readdir(uploads())
  await rm(join(uploads(), name), { recursive: true })
  // the folder is gone: a sign of life is no reason to fail
  await vi.advanceTimersByTimeAsync(60_000)
  open()
  await expect(done).rejects.toMatchObject({ name: 'StorageError' })
  expect(vi.getTimerCount()).toBe(0)
})
