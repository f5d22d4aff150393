/**
 * HEAD of an object in a bucket that does not exist answers 404 without a code, as it does for a key: a store that started before its volume was mounted
 * seemed to have lost every blob, and what waited for its proof was hidden as damaged.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { s3Storage } from '../../../src/storage/blob/s3/index.js'

type Bucket = 'there' | 'missing' | 'policy forbids to look at it' | 'no answer'

/** A store as small as the questions of these tests; answers a missing bucket as MinIO does. */
async function startStore() {
  const objects = new Map<string, Buffer>()
  const store = {
    bucket: 'there' as Bucket,
    asked: 0,
    objects,
    onHead: () => {},
    endpoint: '',
    close: () => server.close(),
  }
  const answer = (response: ServerResponse, status: number, code = '') =>
    response
      .writeHead(status, { 'content-type': 'application/xml' })
      .end(code && `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`)
  const serve = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://store')
    const key = pathname.replace(/^\/images\/?/, '')
    if (store.bucket === 'no answer') return void request.socket.destroy()
    if (key === '') {
      store.asked += 1
      if (store.bucket === 'there') return void answer(response, 200)
      const [status, code] = store.bucket === 'missing' ? [404, 'NoSuchBucket'] : [403, 'AccessDenied']
      return void answer(response, status as number, request.method === 'HEAD' ? '' : (code as string))
    }
    if (request.method === 'DELETE' && !searchParams.has('uploadId')) return void answer(response, 204)
    const found = store.bucket === 'missing' ? undefined : objects.get(key)
    const code = store.bucket === 'missing' ? 'NoSuchBucket' : 'NoSuchKey'
    if (searchParams.has('uploadId')) return void answer(response, 404, 'NoSuchUpload')
    if (request.method === 'HEAD') {
      if (found === undefined) answer(response, 404)
      else response.writeHead(200, { 'content-length': found.length, etag: '"x"' }).end()
      store.onHead()
    } else if (request.method === 'PUT') {
      if (store.bucket === 'missing') return void answer(response, 404, code)
      objects.set(key, body)
      answer(response, 200)
    } else if (found === undefined) answer(response, 404, code)
    else response.writeHead(206, { 'content-length': found.length }).end(found)
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => serve(request, response, Buffer.concat(chunks)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  store.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return store
}

const describeBytes = (bytes: Buffer) => ({
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
})
const small = Buffer.from('a small blob')
/** Read back by the hashing thread. */
const large = Buffer.alloc(5 * 1024 ** 2, 7)
const unavailable = { code: 'unavailable', message: expect.stringContaining('bucket images') }

let store: Awaited<ReturnType<typeof startStore>>
let storage: ReturnType<typeof s3Storage>
beforeEach(async () => {
  store = await startStore()
  storage = s3Storage({
    bucket: 'images',
    endpoint: store.endpoint,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    bindPayload: true,
    maxAttempts: 2,
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await storage.close?.()
  store.close()
})

const put = (key: string) =>
  storage.put(
    key,
    (async function* () {
      yield small
    })(),
    describeBytes(small),
  )
/** Moves the monotonic clock. */
const pass = (milliseconds: number) => {
  const now = performance.now()
  vi.spyOn(performance, 'now').mockReturnValue(now + milliseconds)
}

describe('a bucket that does not exist', () => {
  test('is no missing blob, whoever asks', async () => {
    store.bucket = 'missing'
    await expect(storage.stat('blobs/a')).rejects.toMatchObject(unavailable)
    await expect(storage.prove?.('blobs/a', describeBytes(small))).rejects.toMatchObject(unavailable)
    await expect(storage.get('blobs/a')).rejects.toMatchObject(unavailable)
    await expect(put('blobs/a')).rejects.toMatchObject(unavailable)
  })

  test('is no missing upload, which MinIO says it is', async () => {
    store.bucket = 'missing'
    const ref = { key: 'blobs/a', uploadId: 'u' }
    await expect(storage.multipart.listParts(ref)).rejects.toMatchObject(unavailable)
    await expect(storage.multipart.abort(ref)).rejects.toMatchObject(unavailable)
    await expect(storage.multipart.complete({ ...ref, parts: [], ...describeBytes(small) })).rejects.toMatchObject(
      unavailable,
    )
    store.bucket = 'there'
    await expect(storage.multipart.listParts(ref)).rejects.toMatchObject({ code: 'upload-not-found' })
    await storage.multipart.abort(ref)
  })

  test('is no missing blob to the hashing thread, which sees it vanish', async () => {
    store.objects.set('blobs/large', large)
    store.onHead = () => (store.bucket = 'missing')
    await expect(storage.prove?.('blobs/large', describeBytes(large))).rejects.toMatchObject(unavailable)
    store.bucket = 'there'
    store.onHead = () => store.objects.delete('blobs/large')
    await expect(storage.prove?.('blobs/large', describeBytes(large))).rejects.toMatchObject({ code: 'not-found' })
  })

  test('is not taken for one that answered because it answers to a deletion, as s3proxy does', async () => {
    store.bucket = 'missing'
    await storage.delete('blobs/a')
    await expect(storage.stat('blobs/a')).rejects.toMatchObject(unavailable)
  })

  test('is told from one that a policy forbids to look at', async () => {
    store.bucket = 'policy forbids to look at it'
    expect(await storage.stat('blobs/a')).toBeUndefined()
    await expect(storage.prove?.('blobs/a', describeBytes(small))).rejects.toMatchObject({ code: 'not-found' })
    await put('blobs/a')
    expect(await storage.stat('blobs/a')).toMatchObject({ size: small.length })
  })
})

describe('a bucket that answered', () => {
  test('is asked once by many questions for absent keys, and again after some seconds', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, index) => put(`blobs/a${index}`)))
    for (let index = 0; index < 10; index += 1) expect(await storage.stat(`blobs/b${index}`)).toBeUndefined()
    expect(store.asked).toBe(1)
    pass(6_000)
    expect(await storage.stat('blobs/c')).toBeUndefined()
    expect(store.asked).toBe(2)
    store.bucket = 'missing'
    pass(6_000)
    await expect(storage.stat('blobs/c')).rejects.toMatchObject(unavailable)
  })

  test('is asked anew by a proof, which hides an image', async () => {
    await put('blobs/a')
    store.bucket = 'missing'
    await expect(storage.prove?.('blobs/a', describeBytes(small))).rejects.toMatchObject(unavailable)
    await expect(storage.stat('blobs/a')).rejects.toMatchObject(unavailable)
  })

  test('is asked anew after the store did not answer', async () => {
    await put('blobs/a')
    store.bucket = 'no answer'
    await expect(storage.stat('blobs/a')).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    store.bucket = 'missing'
    await expect(storage.stat('blobs/a')).rejects.toMatchObject(unavailable)
  })
})
