import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { filesystemStorage } from '../../../../src/storage/blob/filesystem/index.js'
import {
  collect,
  describeBytes,
  makeBytes,
  readContent,
  sha256,
  streamBytes,
} from '../../../../src/testing/storage/fixtures.js'
import { BackendChildren } from '../backend-child.js'

const MIB = 1024 * 1024
const PART = 3 * MIB
const whole = makeBytes(2 * PART + 777)
const children = new BackendChildren()
let directory: string

beforeAll(() => children.prepare())
afterAll(() => children.dispose())
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sif-library-'))
})
afterEach(() => rm(directory, { recursive: true }))

function part(partNumber: number): Buffer {
  return whole.subarray((partNumber - 1) * PART, partNumber * PART)
}

const storage = () => filesystemStorage({ directory })
const future = () => new Date(Date.now() + 60_000)

function write(backend: ReturnType<typeof storage>, ref: { key: string; uploadId: string }, partNumber: number) {
  const bytes = part(partNumber)
  return backend.multipart!.writePart!(streamBytes(bytes), {
    ...ref,
    partNumber,
    partSize: PART,
    ...describeBytes(bytes),
  })
}

async function complete(
  backend: ReturnType<typeof storage>,
  ref: { key: string; uploadId: string },
  digest = sha256(whole),
) {
  const parts = await backend.multipart!.listParts(ref)
  return backend.multipart!.complete({ ...ref, parts, size: whole.length, sha256: digest })
}

/** The child writes a part of zeros: half of it, then it says `half` and waits. */
const halfPart = (partNumber: number) => `
  const half = async function* () {
    yield Buffer.alloc(2 * 1024 * 1024)
    await new Promise((resolve) => setTimeout(resolve, 100))
    say('half')
    await told()
    yield Buffer.alloc(${PART} - 2 * 1024 * 1024)
  }
  const result = await storage.multipart.writePart(half(), { ...ref, partNumber: ${partNumber}, partSize: ${PART}, size: ${PART} }).catch((error) => error)
  say(result.code ?? 'written')
  await hang
`

describe('a process that is killed', () => {
  test('in the middle of a put: nothing is readable, the sweeper removes the rest, the key is free', async () => {
    const child = await children.start(
      directory,
      `const body = async function* () {
        yield Buffer.alloc(5 * 1024 * 1024)
        await new Promise((resolve) => setTimeout(resolve, 100))
        say('half')
        await hang
      }
      await storage.put('a/key', body(), { size: 8 * 1024 * 1024, sha256: sha256('') })`,
    )
    expect(await child.next()).toBe('half')
    await child.kill()

    const backend = storage()
    await backend.ready!()
    expect(await backend.stat('a/key')).toBeUndefined()
    expect(await collect(backend.list(''))).toEqual([])
    expect(await readdir(join(directory, 'tmp'))).toHaveLength(1)
    expect(await backend.sweepTemporary!(new Date(Date.now() - 3_600_000)), 'it is young').toBe(0)
    expect(await backend.sweepTemporary!(future())).toBe(1)
    expect(await readdir(join(directory, 'tmp'))).toEqual([])
    await backend.put('a/key', streamBytes(whole), describeBytes(whole))
    expect(sha256(await readContent(await backend.get('a/key')))).toBe(sha256(whole))
  })

  test('in the middle of a part: the finished parts count, the upload goes on', async () => {
    const first = storage()
    await first.ready!()
    const ref = { key: 'a/key', ...(await first.multipart!.create('a/key', { size: whole.length, partSize: PART })) }
    await write(first, ref, 1)
    const child = await children.start(directory, `const ref = ${JSON.stringify(ref)}\n${halfPart(2)}`)
    expect(await child.next()).toBe('half')
    await child.kill()

    const second = storage()
    expect((await second.multipart!.listParts(ref)).map((entry) => entry.partNumber)).toEqual([1])
    await expect(complete(second, ref)).rejects.toMatchObject({ code: 'size-mismatch' })
    expect(await second.sweepTemporary!(future()), 'an upload is not a temporary file').toBe(0)
    await write(second, ref, 2)
    await write(second, ref, 3)
    expect(await complete(second, ref)).toEqual({ key: 'a/key', proof: 'proven' })
    expect(sha256(await readContent(await second.get('a/key')))).toBe(sha256(whole))
    expect([...(await readdir(join(directory, 'tmp'))), ...(await readdir(join(directory, 'uploads')))]).toEqual([])
  })

  test('while it sends a part again: the earlier part does not count any more', async () => {
    const first = storage()
    await first.ready!()
    const ref = { key: 'a/key', ...(await first.multipart!.create('a/key', { size: whole.length, partSize: PART })) }
    for (const partNumber of [1, 2, 3]) await write(first, ref, partNumber)
    const before = await first.multipart!.listParts(ref)
    const child = await children.start(directory, `const ref = ${JSON.stringify(ref)}\n${halfPart(2)}`)
    expect(await child.next()).toBe('half')
    await child.kill()

    expect((await first.multipart!.listParts(ref)).map((entry) => entry.partNumber)).toEqual([1, 3])
    const claim = { ...ref, parts: before, size: whole.length, sha256: sha256(whole) }
    await expect(
      first.multipart!.complete(claim),
      'although this instance has a hash of the whole',
    ).rejects.toMatchObject({ code: 'invalid-part' })
    await write(first, ref, 2)
    await complete(first, ref)
    expect(sha256(await readContent(await first.get('a/key')))).toBe(sha256(whole))
  })

  test('between two parts: another instance completes, by the bytes on the disk', async () => {
    const child = await children.start(
      directory,
      `const { uploadId } = await storage.multipart.create('a/key', { size: ${whole.length}, partSize: ${PART} })
      say(uploadId)
      await hang`,
    )
    const ref = { key: 'a/key', uploadId: await child.next() }
    await child.kill()
    const first = storage()
    for (const partNumber of [1, 2]) await write(first, ref, partNumber)
    const second = storage()
    await write(second, ref, 3)
    await expect(complete(second, ref, sha256(part(1)))).rejects.toMatchObject({ code: 'digest-mismatch' })
    await expect(second.multipart!.listParts(ref)).rejects.toMatchObject({ code: 'upload-not-found' })
    expect([...(await readdir(join(directory, 'tmp'))), ...(await readdir(join(directory, 'uploads')))]).toEqual([])
  })
})

describe('two processes', () => {
  test('a late writer with an open file cannot change what was published', async () => {
    const backend = storage()
    await backend.ready!()
    const ref = { key: 'a/key', ...(await backend.multipart!.create('a/key', { size: whole.length, partSize: PART })) }
    const child = await children.start(directory, `const ref = ${JSON.stringify(ref)}\n${halfPart(2)}`)
    expect(await child.next()).toBe('half')
    for (const partNumber of [1, 2, 3]) await write(backend, ref, partNumber)
    await complete(backend, ref)
    child.send('go on')
    expect(await child.next()).toBe('upload-not-found')
    await child.kill()
    expect(sha256(await readContent(await backend.get('a/key')))).toBe(sha256(whole))
  })

  test('a part that another process is writing over does not pass for whole', async () => {
    const backend = storage()
    await backend.ready!()
    const ref = { key: 'a/key', ...(await backend.multipart!.create('a/key', { size: whole.length, partSize: PART })) }
    const child = await children.start(directory, `const ref = ${JSON.stringify(ref)}\n${halfPart(2)}`)
    expect(await child.next()).toBe('half')
    for (const partNumber of [1, 2, 3]) await write(backend, ref, partNumber)
    child.send('go on')
    expect(await child.next(), 'it was overtaken, and its record does not replace the later one').toBe('written')
    await child.kill()
    // The disk holds a mixture of both writers in part 2, the hash that ran along in this process is right, and only the disk may decide.
    await expect(complete(backend, ref)).rejects.toMatchObject({ code: 'digest-mismatch' })
    expect(await backend.stat('a/key')).toBeUndefined()
  })

  test('of two processes that put one key, one wins', async () => {
    const script = `
      const bytes = Buffer.alloc(4 * 1024 * 1024, 1)
      const body = async function* () { yield bytes.subarray(0, 100); say('begun'); await told(); yield bytes.subarray(100) }
      const put = storage.put('a/key', body(), { size: bytes.length, sha256: sha256(bytes) })
      say(await put.then(() => 'put', (error) => error.code))
      await hang`
    const both = await Promise.all([children.start(directory, script), children.start(directory, script)])
    for (const child of both) expect(await child.next()).toBe('begun')
    for (const child of both) child.send('go on')
    expect((await Promise.all(both.map((child) => child.next()))).sort()).toEqual(['exists', 'put'])
    for (const child of both) await child.kill()
    expect(await readdir(join(directory, 'tmp'))).toEqual([])
  })
})
