/**
 * The probe for URLs that are bound to their SHA-256 sent its wrong bytes to the key that it had just written, and took any 4xx for "the store checks". A store
 * that allows one write per second and key (429) passed for one that checks, and then wrong bytes were published as proven.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { s3Storage } from '../../../src/storage/blob/s3/index.js'

interface Put {
  readonly path: string
  readonly body: string
  /** The object was written before, whatever became of it. */
  readonly again: boolean
}

/** What `ready` finds of a store that answers a presigned PUT so, and what is left there. */
async function probe(answer: (put: Put) => number) {
  const written = new Set<string>()
  const objects = new Map<string, string>()
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const path = new URL(request.url ?? '/', 'http://store').pathname
      if (request.method === 'DELETE') objects.delete(path)
      const status =
        request.method === 'PUT'
          ? answer({ path, body, again: written.has(path) })
          : request.method === 'DELETE'
            ? 204
            : 200
      if (request.method === 'PUT' && status === 200) {
        written.add(path)
        objects.set(path, body)
      }
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const storage = s3Storage({ bucket: 'images', endpoint, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } })
  try {
    const found = await storage.ready?.().then(
      () => storage.presign.bindsPayload,
      (error: { code: string }) => error.code,
    )
    return { found, left: objects.size }
  } finally {
    await storage.close?.()
    server.close()
  }
}

const isRight = ({ body }: Put) => body.includes('right')

describe('the probe', () => {
  test('a store that limits writes of one key and checks nothing does not check', async () => {
    expect(await probe(({ again }) => (again ? 429 : 200))).toEqual({ found: false, left: 0 })
  })

  test.each([
    [400, true],
    [200, false],
    [401, false],
    [403, false],
    [411, false],
    [408, 'unavailable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('%i to wrong bytes is %s', async (status, found) => {
    expect(await probe((put) => (isRight(put) ? 200 : status))).toEqual({ found, left: 0 })
  })

  test.each([
    [400, false],
    [403, false],
    [408, 'unavailable'],
    [429, 'unavailable'],
    [503, 'unavailable'],
  ])('%i to right bytes is %s', async (status, found) => {
    expect(await probe((put) => (isRight(put) ? status : 400))).toEqual({ found, left: 0 })
  })
})
