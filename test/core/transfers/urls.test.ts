/** Our own transfer URLs as HTTP: ranges, HEAD, conditions, and what a body that is not read to its end leaves behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { hashOf, makeImage, push, sha256 } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251))
const etag = `"sha256:${sha256(bytes)}"`

/** Counts bodies that were opened and not yet closed. */
function countingStorage(): StorageBackend & { readonly open: () => number } {
  const memory = memoryStorage()
  let open = 0
  return {
    ...memory,
    open: () => open,
    get: async (key, options) => {
      const content = await memory.get(key, options)
      const iterator = content.body[Symbol.asyncIterator]()
      open += 1
      let isOpen = true
      const close = (): void => {
        if (isOpen) open -= 1
        isOpen = false
      }
      const body: AsyncIterable<Uint8Array> = {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            const result = await iterator.next()
            if (result.done === true) close()
            return result
          },
          return: async () => {
            close()
            return { done: true, value: undefined }
          },
        }),
      }
      return { ...content, body }
    },
  }
}

let registry: TestRegistry
let url: string
const storage = countingStorage()

beforeAll(async () => {
  registry = await createTestRegistry({ storage })
  await push(registry, 'alice/tools/bwa', bytes, { tags: ['1.0+x'] })
  url = (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:1.0+x')).headers.location ?? ''
})
afterAll(() => registry.close())

const ask = (headers: Record<string, string> = {}, method = 'GET') => registry.call(method, url, { headers })

describe('GET', () => {
  it('gives the whole, with what a client needs to know', async () => {
    const answer = await ask()
    expect(answer.bytes.equals(bytes)).toBe(true)
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-length': '200000',
        'content-type': 'application/octet-stream',
        'accept-ranges': 'bytes',
        'content-disposition': 'attachment; filename="bwa_1.0+x.sif"',
        'x-content-type-options': 'nosniff',
        etag,
      },
    })
    expect(answer.headers['content-range']).toBeUndefined()
  })

  it.each([
    ['bytes=0-1023', 0, 1023],
    ['bytes=0-1024', 0, 1024],
    ['bytes=199999-', 199_999, 199_999],
    ['bytes=-10', 199_990, 199_999],
    ['bytes=65535-65536', 65_535, 65_536],
    ['bytes=100-999999', 100, 199_999],
  ])('%s', async (range, start, end) => {
    const answer = await ask({ range })
    expect(answer).toMatchObject({
      status: 206,
      headers: { 'content-range': `bytes ${start}-${end}/200000`, 'content-length': String(end - start + 1) },
    })
    expect(answer.bytes.equals(bytes.subarray(start, end + 1))).toBe(true)
  })

  it('says 416 with the size', async () => {
    expect(await ask({ range: 'bytes=200000-' })).toMatchObject({
      status: 416,
      headers: { 'content-range': 'bytes */200000' },
    })
  })

  it('ignores ranges that it may ignore', async () => {
    for (const range of ['bytes=0-1,5-6', 'bytes=9-1', 'lines=0-1', 'nonsense'])
      expect((await ask({ range })).status).toBe(200)
  })

  it('ignores any Authorization (protocol 5.7)', async () => {
    for (const authorization of ['Bearer nonsense', 'BEARER', 'Basic x', `Bearer ${registry.tokens.mallory}`])
      expect((await ask({ authorization })).status).toBe(200)
  })

  it.each([
    [etag, 304],
    [`W/${etag}`, 304],
    [`"x", ${etag}`, 304],
    ['*', 304],
    ['"x"', 200],
  ])('If-None-Match: %s', async (value, status) => {
    const answer = await ask({ 'if-none-match': value })
    expect([answer.status, answer.headers.etag, answer.bytes.length]).toEqual([
      status,
      etag,
      status === 304 ? 0 : 200_000,
    ])
  })

  it('If-Range with another validator gives the whole', async () => {
    expect((await ask({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206)
    for (const value of ['"x"', `W/${etag}`, 'Wed, 21 Oct 2026 07:28:00 GMT'])
      expect((await ask({ range: 'bytes=0-1', 'if-range': value })).status).toBe(200)
  })
})

describe('HEAD', () => {
  it('says what GET would, without opening the blob', async () => {
    const answer = await ask({}, 'HEAD')
    expect(answer).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-length': '200000', etag, 'accept-ranges': 'bytes' },
    })
    expect(storage.open()).toBe(0)
  })

  it('knows no ranges (RFC 9110 14.2: a Range is for GET only)', async () => {
    for (const range of ['bytes=0-9', 'bytes=900000-']) {
      const answer = await ask({ range }, 'HEAD')
      expect([answer.status, answer.headers['content-range'], answer.headers['content-length']]).toEqual([
        200,
        undefined,
        '200000',
      ])
    }
  })

  it('knows conditions', async () => {
    expect((await ask({ 'if-none-match': etag }, 'HEAD')).status).toBe(304)
  })
})

it('a deleted image is gone, for HEAD too', async () => {
  const gone = await push(registry, 'alice/tools/gone', Buffer.from('soon gone'))
  const location = (await registry.call('GET', '/v1/imagefile/alice/tools/gone:latest')).headers.location ?? ''
  await registry.call('DELETE', `/v1/images/alice/tools/gone:${gone.hash}`, { token: 'alice' })
  registry.advance(60_000)
  await registry.library.sweep({ graceSeconds: 0 })
  expect((await registry.call('GET', location)).status).toBe(410)
  expect((await registry.call('HEAD', location)).status).toBe(410)
})

it('no body stays open after answers without one, and after one that is left', async () => {
  await ask({}, 'HEAD')
  await ask({ 'if-none-match': etag })
  await ask({ range: 'bytes=999999-' })
  expect(storage.open()).toBe(0)
  const response = await registry.library.handle({
    method: 'GET',
    path: url.slice(registry.publicUrl.length),
    query: '',
    headers: {},
    body: { kind: 'none' },
  })
  const iterator = (response?.body as AsyncGenerator<Uint8Array> | undefined)?.[Symbol.asyncIterator]()
  await iterator?.next()
  expect(storage.open()).toBe(1)
  await iterator?.return?.(undefined)
  expect(storage.open()).toBe(0)
})

describe('PUT', () => {
  const start = async (content: Buffer) => {
    const { imageId } = await makeImage(registry, { path: 'alice/tools/put', hash: hashOf(content) })
    const body = { filesize: content.length, sha256sum: sha256(content) }
    const answer = await registry.call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body })
    return { imageId, uploadURL: answer.json.data.uploadURL as string }
  }

  it('refuses other bytes, more bytes and fewer, and takes the right ones afterwards', async () => {
    const content = Buffer.from('the right bytes')
    const { uploadURL, imageId } = await start(content)
    expect((await registry.call('PUT', uploadURL, { body: Buffer.from('the wrong bytes') })).status).toBe(422)
    expect((await registry.call('PUT', uploadURL, { body: Buffer.from('the right bytes.') })).status).toBe(422)
    expect((await registry.call('PUT', uploadURL, { body: Buffer.from('the right byte') })).status).toBe(422)
    expect((await registry.call('PUT', uploadURL)).status).toBe(422)
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })).status,
    ).toBe(409)
    expect(await registry.call('PUT', uploadURL, { body: content })).toMatchObject({
      status: 200,
      headers: { etag: `"sha256:${sha256(content)}"` },
    })
    expect((await registry.call('PUT', uploadURL, { body: content })).status).toBe(200)
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })).status,
    ).toBe(200)
    expect((await registry.call('PUT', uploadURL, { body: content })).status).toBe(410)
  })

  it('takes a chunked body of the right length, and no endless one', async () => {
    const content = Buffer.from('chunked bytes')
    const { uploadURL } = await start(content)
    let sent = 0
    const endless = (async function* () {
      for (;;) {
        sent += 1024
        yield new Uint8Array(1024)
      }
    })()
    expect(
      (await registry.call('PUT', uploadURL, { request: { body: { kind: 'stream', stream: endless } } })).status,
    ).toBe(422)
    expect(sent).toBeLessThan(10_000)
    const chunked = (async function* () {
      yield content
    })()
    expect(
      (await registry.call('PUT', uploadURL, { request: { body: { kind: 'stream', stream: chunked } } })).status,
    ).toBe(200)
  })

  it('stops when the client leaves', async () => {
    const content = Buffer.from('never arrives whole')
    const { uploadURL } = await start(content)
    const controller = new AbortController()
    let closed = false
    const stream = (async function* () {
      try {
        yield content.subarray(0, 5)
        await new Promise((resolve) => controller.signal.addEventListener('abort', resolve))
        yield content.subarray(5)
      } finally {
        closed = true
      }
    })()
    setTimeout(() => controller.abort(), 20)
    const answer = await registry.call('PUT', uploadURL, {
      signal: controller.signal,
      request: { body: { kind: 'stream', stream, length: content.length } },
    })
    expect(answer.status).toBe(499)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(closed).toBe(true)
  })
})
