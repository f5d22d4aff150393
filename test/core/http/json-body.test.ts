import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { readByteStream, readJsonBody, withIdleTimeout } from '../../../src/core/http/json-body.js'
import type { LibraryRequest, RequestBody } from '../../../src/core/http/messages.js'
import { bodySchemas } from '../../../src/core/model/bodies.js'
import { bodyOf, createTestRegistry, streamOf } from '../../support/registry.js'

const requestOf = (body: RequestBody): LibraryRequest => ({ method: 'POST', path: '/', query: '', headers: {}, body })
const options = { limit: 1000, idleSeconds: 60 }
const read = <B>(body: RequestBody, schema: z.ZodType<B>): Promise<B> =>
  readJsonBody(requestOf(body), { ...options, schema, keys: 'any-case' })
const status = (code: number) => expect.objectContaining({ name: 'LibraryError', status: code })
const uploadID = '65f0c0de0000000000000001'

describe('keys', () => {
  it('are matched in any case, as Go does (protocol 3.4)', async () => {
    const expected = { tag: 'latest', imageID: 'x', arch: 'amd64' }
    for (const body of [
      { Arch: 'amd64', Tag: 'latest', ImageID: 'x' },
      expected,
      { ARCH: 'amd64', tAg: 'latest', imageid: 'x' },
    ])
      expect(await read(bodyOf(body), bodySchemas.setTagV2)).toEqual(expected)
  })

  it('are matched in any case inside of arrays', async () => {
    const body = { UploadId: uploadID, COMPLETEDPARTS: [{ PartNumber: 1, Token: '"x"' }] }
    expect(await read(bodyOf(body), bodySchemas.completeMultipart)).toEqual({
      uploadID,
      completedParts: [{ partNumber: 1, token: '"x"' }],
    })
  })

  it('that nobody knows are dropped, and __proto__ is only text', async () => {
    const text = '{"__proto__":{"name":"evil"},"constructor":1,"name":"a","collections":null,"quota":0}'
    expect(await read(bodyOf(text), bodySchemas.createEntity)).toEqual({ name: 'a', description: '' })
    expect(({} as Record<string, unknown>).name).toBeUndefined()
  })

  it('of any spelling give the same', async () => {
    const spelled = fc
      .array(fc.boolean(), { minLength: 8, maxLength: 8 })
      .map((ups) => [...'filesize'].map((char, at) => (ups[at] ? char.toUpperCase() : char)).join(''))
    await fc.assert(
      fc.asyncProperty(spelled, async (key) => {
        expect(await read(bodyOf({ [key]: 5 }), bodySchemas.startMultipart)).toEqual({ filesize: 5 })
      }),
    )
  })
})

describe('values', () => {
  it('null is the zero value', async () => {
    expect(await read(bodyOf('{"name":"a","description":null}'), bodySchemas.createEntity)).toEqual({
      name: 'a',
      description: '',
    })
    expect(
      await read(bodyOf('{"partSize":1,"uploadID":"u","partNumber":1,"sha256sum":null}'), bodySchemas.presignPart),
    ).toMatchObject({ sha256sum: '' })
  })

  it.each([
    ['{"filesize":"12"}', 'filesize'],
    ['{"filesize":1.5}', 'filesize'],
    ['{"filesize":0}', 'filesize'],
    ['{"filesize":-1}', 'filesize'],
    ['{"filesize":9007199254740993}', 'filesize'],
    ['{"filesize":1e400}', 'filesize'],
    ['{}', 'filesize'],
    ['{"filesize":null}', 'filesize'],
    ['{"filesize":[1]}', 'filesize'],
  ])('%s is 400 and names the field', async (text, field) => {
    await expect(read(bodyOf(text), bodySchemas.startMultipart)).rejects.toThrow(
      expect.objectContaining({ status: 400, message: expect.stringContaining(field) }),
    )
  })

  it('names a field in an array', async () => {
    const body = {
      uploadID,
      completedParts: [
        { partNumber: 1, token: 'x' },
        { partNumber: 'two', token: 'y' },
      ],
    }
    await expect(read(bodyOf(body), bodySchemas.completeMultipart)).rejects.toThrow(
      /^completedParts\[1\]\.partNumber: /,
    )
  })

  it.each(['[]', '"x"', '1', 'true', 'null', '[{"filesize":1}]'])('%s is no object: 400', async (text) => {
    await expect(read(bodyOf(text), bodySchemas.startMultipart)).rejects.toThrow(status(400))
  })

  it.each(['{', '{"a":}', '{"filesize":1}x', "{'filesize':1}", '\u0000', '<html>'])(
    '%j is no JSON: 400',
    async (text) => {
      await expect(read(bodyOf(text), bodySchemas.startMultipart)).rejects.toThrow(status(400))
    },
  )

  it('bytes that are no UTF-8: 400', async () => {
    for (const bytes of [
      Buffer.from([0x7b, 0xff, 0x7d]),
      Buffer.from([0x22, 0xc0, 0x80, 0x22]),
      Buffer.from('{"name":"\ud800"}', 'utf16le'),
    ])
      await expect(read(bodyOf(bytes), bodySchemas.createEntity)).rejects.toThrow(status(400))
  })

  it('deep nesting breaks nothing', async () => {
    const deep = `{"name":${'['.repeat(400)}${']'.repeat(400)}}`
    await expect(read(bodyOf(deep), bodySchemas.createEntity)).rejects.toThrow(status(400))
    const wide = { name: 'a', description: { name: { name: { name: { name: { name: 1 } } } } } }
    await expect(read(bodyOf(wide), bodySchemas.createEntity)).rejects.toThrow(status(400))
  })

  it('any text gives a value or an error of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        try {
          await read(bodyOf(text), bodySchemas.presignPart)
        } catch (error) {
          expect(error).toEqual(expect.objectContaining({ name: 'LibraryError' }))
        }
      }),
    )
  })
})

describe('where the body comes from', () => {
  it('none and empty are an empty object', async () => {
    expect(await read({ kind: 'none' }, bodySchemas.anything)).toEqual({})
    expect(await read(bodyOf(''), bodySchemas.anything)).toEqual({})
    expect(await read(bodyOf(' \n'), bodySchemas.anything)).toEqual({})
  })

  it('stream, bytes, parsed and parsed text are the same', async () => {
    const body = { filesize: 5 }
    const bytes = Buffer.from(JSON.stringify(body))
    const kinds: RequestBody[] = [
      { kind: 'stream', stream: streamOf(bytes, 1) },
      { kind: 'bytes', bytes },
      { kind: 'parsed', value: body },
      { kind: 'parsed', value: bytes.toString() },
    ]
    for (const kind of kinds) expect(await read(kind, bodySchemas.startMultipart)).toEqual(body)
  })

  it('a parser that left nothing is told in words', async () => {
    await expect(read({ kind: 'parsed', value: undefined }, bodySchemas.startMultipart)).rejects.toThrow(/read before/)
    expect(() => readByteStream(requestOf({ kind: 'parsed', value: {} }), 60)).toThrow(/body parser/)
  })

  it('a body one byte over the limit is 413, announced or not, and the stream is given back', async () => {
    const exact = `{"filesize":1${' '.repeat(1000 - 14)}}`
    expect(Buffer.byteLength(exact)).toBe(1000)
    expect(await read(bodyOf(exact), bodySchemas.startMultipart)).toEqual({ filesize: 1 })
    const long = Buffer.from(`${exact} `)
    let closed = 0
    const stream = (async function* () {
      try {
        yield* streamOf(long, 10)
        yield* streamOf(long, 10)
      } finally {
        closed += 1
      }
    })()
    await expect(read({ kind: 'stream', stream }, bodySchemas.startMultipart)).rejects.toThrow(status(413))
    expect(closed).toBe(1)
    await expect(
      read({ kind: 'stream', stream: streamOf(long), length: long.length }, bodySchemas.startMultipart),
    ).rejects.toThrow(status(413))
    await expect(read({ kind: 'bytes', bytes: long }, bodySchemas.startMultipart)).rejects.toThrow(status(413))
  })

  it('bytes come as they are, with their length', async () => {
    const bytes = Buffer.from('abc')
    for (const [body, length] of [
      [{ kind: 'bytes', bytes }, 3],
      [{ kind: 'stream', stream: streamOf(bytes), length: 3 }, 3],
      [{ kind: 'stream', stream: streamOf(bytes) }, undefined],
      [{ kind: 'none' }, 0],
    ] as const) {
      const { stream, length: told } = readByteStream(requestOf(body), 60)
      const chunks: Uint8Array[] = []
      for await (const chunk of stream) chunks.push(chunk)
      expect(told).toBe(length)
      expect(Buffer.concat(chunks).toString()).toBe(body.kind === 'none' ? '' : 'abc')
    }
  })
})

describe('a body that stands still', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** Yields a byte at each time in milliseconds, then stands still for ever. */
  async function* bytesAt(times: readonly number[], onClose: () => void): AsyncGenerator<Uint8Array> {
    try {
      for (const wait of times) {
        await new Promise((resolve) => setTimeout(resolve, wait))
        yield new Uint8Array(1)
      }
      await new Promise(() => {})
    } finally {
      onClose()
    }
  }

  const drain = async (stream: AsyncIterable<Uint8Array>): Promise<number> => {
    let count = 0
    for await (const chunk of stream) count += chunk.length
    return count
  }

  it('is given up with 408 after the idle time', async () => {
    const done = drain(
      withIdleTimeout(
        bytesAt([0, 500], () => {}),
        1,
      ),
    )
    const expectation = expect(done).rejects.toThrow(status(408))
    await vi.advanceTimersByTimeAsync(1400)
    await vi.advanceTimersByTimeAsync(200)
    await expectation
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is never cut while it moves', async () => {
    const times = Array.from({ length: 100 }, () => 900)
    async function* slow(): AsyncGenerator<Uint8Array> {
      for (const wait of times) {
        await new Promise((resolve) => setTimeout(resolve, wait))
        yield new Uint8Array(1)
      }
    }
    const done = drain(withIdleTimeout(slow(), 1))
    await vi.advanceTimersByTimeAsync(100_000)
    expect(await done).toBe(100)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not blamed for a slow receiver', async () => {
    const stream = withIdleTimeout(streamOf(new Uint8Array(3), 1), 1)
    const done = (async () => {
      let count = 0
      for await (const chunk of stream) {
        count += chunk.length
        await new Promise((resolve) => setTimeout(resolve, 5000))
      }
      return count
    })()
    await vi.advanceTimersByTimeAsync(20_000)
    expect(await done).toBe(3)
  })

  it('gives the stream back when the receiver leaves', async () => {
    let closed = 0
    const stream = bytesAt([0, 0, 0], () => {
      closed += 1
    })
    const receive = (async () => {
      for await (const _ of withIdleTimeout(stream, 1)) return
    })()
    await vi.advanceTimersByTimeAsync(10)
    await receive
    await vi.advanceTimersByTimeAsync(10)
    expect([closed, vi.getTimerCount()]).toEqual([1, 0])
  })
})

describe('through the whole library', () => {
  it('JSON is read whatever the Content-Type says', async () => {
    const registry = await createTestRegistry()
    for (const type of [
      undefined,
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=latin1',
      'garbage',
    ]) {
      const answer = await registry.call('POST', '/v1/entities', {
        token: 'alice',
        body: { name: 'alice' },
        headers: { 'content-type': type },
      })
      expect([200, 201]).toContain(answer.status)
    }
    await registry.close()
  })

  it.each(['memory', 'filesystem'] as const)(
    'an upload that stands still is 408, and leaves nothing on %s',
    async (storage) => {
      const registry = await createTestRegistry({ storage, library: { limits: { idleSeconds: 1 } } })
      const entity = (await registry.call('POST', '/v1/entities', { token: 'alice', body: { name: 'alice' } })).json
        .data.id
      const collection = (
        await registry.call('POST', '/v1/collections', { token: 'alice', body: { name: 'c', entity } })
      ).json.data.id
      const container = (
        await registry.call('POST', '/v1/containers', { token: 'alice', body: { name: 'n', collection } })
      ).json.data.id
      const image = (
        await registry.call('POST', '/v1/images', {
          token: 'alice',
          body: { hash: `sha256.${'0'.repeat(64)}`, container },
        })
      ).json.data.id
      const stream = (async function* () {
        yield Buffer.from('abc')
        await new Promise((resolve) => setTimeout(resolve, 5000).unref())
      })()
      const request = { body: { kind: 'stream', stream, length: 10 } } as const
      const answer = await registry.call('POST', `/v1/imagefile/${image}`, { token: 'alice', request })
      expect(answer.status).toBe(408)
      const keys = []
      for await (const { key } of registry.storage.list('blobs/')) keys.push(key)
      expect(keys).toEqual([])
      await registry.close()
    },
  )
})
