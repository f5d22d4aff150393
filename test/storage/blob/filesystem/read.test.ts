import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readChunks } from '../../../../src/storage/blob/filesystem/read.js'
import { makeBytes } from '../../../../src/testing/storage/fixtures.js'

const KIB = 1024
const MIB = KIB * KIB
let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-'))
  path = join(folder, 'blob')
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

/** Reads everything; `took` milliseconds pass on the clock of the reader for each chunk. */
async function readAll(
  length: number,
  { handBack, took = () => 0 }: { handBack: boolean; took?: (index: number) => number },
) {
  const bytes = makeBytes(length)
  await writeFile(path, bytes)
  const file = await open(path)
  let clock = 0
  vi.spyOn(performance, 'now').mockImplementation(() => clock)
  try {
    const chunks = readChunks(file, { key: 'k', start: 0, length, bufferBytes: MIB })
    const sizes: number[] = []
    const buffers = new Set<ArrayBufferLike>()
    let at = 0
    for (let result = await chunks.next(); result.done !== true; ) {
      const chunk = result.value
      expect(Buffer.compare(chunk, bytes.subarray(at, at + chunk.length))).toBe(0)
      at += chunk.length
      sizes.push(chunk.length / KIB)
      buffers.add(chunk.buffer)
      clock += took(sizes.length)
      result = await chunks.next(handBack ? chunk : undefined)
    }
    expect(at).toBe(length)
    return { sizes, buffers: buffers.size }
  } finally {
    await file.close()
  }
}

test('a fast reader gets larger chunks, and chunks that are handed back are read into again', async () => {
  const { sizes, buffers } = await readAll(32 * MIB, { handBack: true })
  expect(sizes.slice(0, 6)).toEqual([64, 64, 128, 256, 256, 256])
  const taken = (size: number): number => sizes.slice(0, sizes.indexOf(size)).reduce((sum, each) => sum + each, 0) / KIB
  expect([taken(512), taken(1024)]).toEqual([8.25, 16.75])
  // two of each size at the most
  expect(buffers).toBeLessThanOrEqual(10)
  expect(sizes.length).toBeGreaterThan(50)
})

test('chunks that are not handed back are fresh ones', async () => {
  const { sizes, buffers } = await readAll(8 * MIB, { handBack: false })
  expect(buffers).toBe(sizes.length)
})

test('a slow reader gets small chunks again', async () => {
  const { sizes } = await readAll(24 * MIB, { handBack: true, took: (index) => (index > 50 ? 1500 : 0) })
  expect(Math.max(...sizes)).toBe(512)
  expect(sizes.slice(-6, -1)).toEqual([64, 64, 64, 64, 64])
})
