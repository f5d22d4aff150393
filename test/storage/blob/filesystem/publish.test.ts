/** The rules of publishing, whether the file system links or not; runs under refused links too (see without-links.test.ts). */
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { filesystemStorage } from '../../../../src/storage/blob/filesystem/index.js'
import {
  collect,
  describeBytes,
  makeBytes,
  readContent,
  sha256,
  streamBytes,
} from '../../../../src/testing/storage/fixtures.js'

let directory: string
let storage: ReturnType<typeof filesystemStorage>
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sif-library-'))
  storage = filesystemStorage({ directory })
  await storage.ready!()
})
afterEach(() => rm(directory, { recursive: true }))

const bytes = makeBytes(5000)
const put = (key: string, content = bytes) => storage.put(key, streamBytes(content), describeBytes(content))
const future = () => new Date(Date.now() + 60_000)
const filesBelow = async (folder: string) =>
  (await readdir(join(directory, folder), { recursive: true, withFileTypes: true })).filter((each) => each.isFile())

describe('a key', () => {
  test('is given once, to one of many writers at the same time', async () => {
    for (let round = 0; round < 10; round += 1) {
      const contents = Array.from({ length: 8 }, (_, index) => Buffer.from(`writer ${index} of ${round}`))
      const results = await Promise.allSettled(contents.map((content) => put(`same/key/${round}`, content)))
      const won = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
      expect(won).toHaveLength(1)
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'exists' })
      expect(await readContent(await storage.get(`same/key/${round}`))).toEqual(contents[won[0]!])
    }
    expect(await readdir(join(directory, 'tmp'))).toEqual([])
    expect(await filesBelow('keys')).toHaveLength(10)
  })

  test('of a blob is kept through an upload that ends in it too, and the upload goes on', async () => {
    const ref = { key: 'a/b', ...(await storage.multipart!.create('a/b', { size: bytes.length, partSize: 5000 })) }
    const part = { ...ref, partNumber: 1, partSize: 5000, ...describeBytes(bytes) }
    const { etag } = await storage.multipart!.writePart!(streamBytes(bytes), part)
    const first = Buffer.from('first')
    await put('a/b', first)
    const claim = { ...ref, parts: [{ partNumber: 1, etag }], ...describeBytes(bytes) }
    await expect(storage.multipart!.complete(claim)).rejects.toMatchObject({ code: 'exists' })
    expect(await readContent(await storage.get('a/b'))).toEqual(first)
    await storage.delete('a/b')
    await storage.multipart!.complete(claim)
    expect(sha256(await readContent(await storage.get('a/b')))).toBe(sha256(bytes))
  })

  test('below a blob, or of a folder above one, is refused; nothing is left', async () => {
    await put('a/b')
    await expect(put('a/b/c/d')).rejects.toMatchObject({ code: 'invalid-key' })
    expect((await collect(storage.list(''))).map(({ key }) => key)).toEqual(['a/b'])
    await storage.delete('a/b')
    expect(await readdir(join(directory, 'keys'))).toEqual([])
    await put('x/y/z')
    expect(await storage.stat('x/y')).toBeUndefined()
    await expect(storage.get('x/y')).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('both forms of a blob', () => {
  test('are read, listed, kept and deleted, wherever the folder was copied from', async () => {
    await mkdir(join(directory, 'keys/one/folded'), { recursive: true })
    await writeFile(join(directory, 'keys/one/folded/~'), bytes)
    await writeFile(join(directory, 'keys/one/plain'), bytes)
    for (const key of ['one/folded', 'one/plain']) {
      expect(await storage.stat(key)).toMatchObject({ size: bytes.length })
      expect(await readContent(await storage.get(key))).toEqual(bytes)
      await expect(put(key, Buffer.from('other'))).rejects.toMatchObject({ code: 'exists' })
      expect((await collect(storage.list(key))).map((found) => found.key)).toEqual([key])
    }
    for (const prefix of ['', 'one/', 'one/f', 'one/folded'])
      expect((await collect(storage.list(prefix))).map(({ key }) => key)).toContain('one/folded')
    expect(await collect(storage.list('one/folded/'))).toEqual([])
    await storage.delete('one/folded')
    await storage.delete('one/plain')
    expect(await readdir(join(directory, 'keys'))).toEqual([])
  })
})

describe('what a crash leaves', () => {
  test('of a folder that was on its way to its key is swept by its note, not before its time, and never a blob', async () => {
    const name = '~0b54c1a2-0000-4000-8000-00000000000a'
    const fresh = join(directory, 'keys/blobs/deep', name)
    await mkdir(fresh, { recursive: true })
    await writeFile(join(fresh, '~'), bytes)
    const note = join(directory, 'tmp/0b54c1a2-0000-4000-8000-00000000000b.note')
    await writeFile(note, `blobs/deep/${name}`)
    await put('blobs/deep/kept')
    expect((await collect(storage.list(''))).map(({ key }) => key)).toEqual(['blobs/deep/kept'])
    const hourAgo = new Date(Date.now() - 3_600_000)
    await utimes(note, hourAgo, hourAgo)
    expect(await storage.sweepTemporary!(new Date(Date.now() - 60_000)), 'its bytes are young').toBe(0)
    expect(await readdir(join(directory, 'keys/blobs/deep'))).toContain(name)
    expect(await storage.sweepTemporary!(future())).toBe(1)
    expect(await readdir(join(directory, 'tmp'))).toEqual([])
    expect(await readdir(join(directory, 'keys/blobs/deep'))).toEqual(['kept'])
  })

  test.each(['blobs/kept', '../outside', 'blobs/../../outside', '/etc', ''])(
    'a note that names %j takes nothing with it',
    async (place) => {
      await put('blobs/kept')
      await mkdir(join(directory, 'outside'))
      await writeFile(join(directory, 'tmp/0b54c1a2-0000-4000-8000-00000000000b.note'), place)
      expect(await storage.sweepTemporary!(future())).toBe(1)
      expect(await storage.stat('blobs/kept')).toBeDefined()
      expect(await readdir(directory)).toContain('outside')
    },
  )

  test('of a claimed upload and of a probe is swept', async () => {
    const { uploadId } = await storage.multipart!.create('up', { size: 10, partSize: 10 })
    await rename(
      join(directory, 'uploads', uploadId),
      join(directory, 'uploads', '~0b54c1a2-0000-4000-8000-00000000000a'),
    )
    await writeFile(join(directory, 'keys/~0b54c1a2-0000-4000-8000-00000000000a'), '')
    expect(await collect(storage.multipart!.listUploads())).toEqual([])
    expect(await storage.sweepTemporary!(new Date(Date.now() - 60_000))).toBe(0)
    expect(await storage.sweepTemporary!(future())).toBe(2)
    expect(await readdir(join(directory, 'uploads'))).toEqual([])
    expect(await readdir(join(directory, 'keys'))).toEqual([])
  })
})

test('links are used where there are some, and only there', async () => {
  await writeFile(join(directory, 'tmp/probe'), '')
  const links = await link(join(directory, 'tmp/probe'), join(directory, 'keys/probe')).then(
    () => true,
    () => false,
  )
  await put('one/blob')
  const found = await readdir(join(directory, 'keys/one'), { withFileTypes: true })
  expect(found.map((entry) => [entry.name, entry.isFile()])).toEqual([['blob', links]])
  const path = join(directory, links ? 'keys/one/blob' : 'keys/one/blob/~')
  expect(sha256(await readFile(path))).toBe(sha256(bytes))
})
