/** One leftover that could not be removed (no permission, busy, an error of the store) ended `sweepTemporary`, and everything after it stayed, each time. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { filesystemStorage } from '../../../src/storage/blob/filesystem/index.js'
import { s3Storage } from '../../../src/storage/blob/s3/index.js'

/** The path that cannot be removed: the first that is tried. */
const stubborn = vi.hoisted(() => ({ path: undefined as string | undefined, tries: false }))
vi.mock('../../../src/storage/blob/filesystem/layout.js', async (original) => {
  const real = await original<typeof import('../../../src/storage/blob/filesystem/layout.js')>()
  return {
    ...real,
    removeTemporary: async (path: string) => {
      if (stubborn.tries) stubborn.path ??= path
      if (path === stubborn.path) throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
      return real.removeTemporary(path)
    },
  }
})
const future = () => new Date(Date.now() + 60_000)

test('of a directory, the others go, and the first error is told', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sif-library-'))
  const storage = filesystemStorage({ directory })
  await storage.ready?.()
  for (const name of ['one', 'two', 'three']) {
    await writeFile(join(directory, 'tmp', name), name)
    await mkdir(join(directory, 'uploads', name))
  }
  const left = async () =>
    [...(await readdir(join(directory, 'tmp'))), ...(await readdir(join(directory, 'uploads')))].length
  stubborn.tries = true
  await expect(storage.sweepTemporary!(future())).rejects.toMatchObject({ code: 'access-denied' })
  expect(await left()).toBe(1)
  Object.assign(stubborn, { tries: false, path: undefined })
  expect(await storage.sweepTemporary!(future())).toBe(1)
  await rm(directory, { recursive: true })
})

test('of a bucket, the others go, and the first error is told', async () => {
  const objects = ['one', 'two', 'three'].map((name) => `.incoming/blobs/${name}`)
  let refuses = true
  const server = createServer((request, response) => {
    const object = decodeURIComponent(new URL(request.url ?? '/', 'http://store').pathname.replace(/^\/images\/?/, ''))
    if (request.method === 'DELETE' && refuses && object.endsWith('one')) {
      response.writeHead(403, { 'content-type': 'application/xml' }).end('<Error><Code>AccessDenied</Code></Error>')
    } else if (request.method === 'DELETE') {
      objects.splice(objects.indexOf(object), 1)
      response.writeHead(204).end()
    } else {
      const contents = objects.map(
        (key) =>
          `<Contents><Key>${key}</Key><Size>1</Size><LastModified>2020-01-01T00:00:00.000Z</LastModified></Contents>`,
      )
      response
        .writeHead(200, { 'content-type': 'application/xml' })
        .end(`<ListBucketResult>${contents.join('')}</ListBucketResult>`)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const storage = s3Storage({
    bucket: 'images',
    endpoint,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    bindPayload: true,
  })
  await expect(storage.sweepTemporary!(new Date())).rejects.toMatchObject({ code: 'access-denied' })
  expect(objects).toEqual(['.incoming/blobs/one'])
  refuses = false
  // on AWS the object of a long upload is as old as its start
  expect(await storage.sweepTemporary!(new Date(), { isInUse: async (key) => key === 'blobs/one' })).toBe(0)
  expect(objects).toEqual(['.incoming/blobs/one'])
  expect(await storage.sweepTemporary!(new Date())).toBe(1)
  await storage.close?.()
  server.close()
})
