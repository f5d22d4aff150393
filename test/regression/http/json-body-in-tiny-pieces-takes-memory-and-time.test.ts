/**
 * Each piece of a JSON body kept the whole socket buffer that it came in, so that an anonymous body of two megabytes, sent byte by byte, took gigabytes.
 * And as long as a byte came now and then, it could take for ever.
 */
import { afterEach, expect, test, vi } from 'vitest'
import { readJsonBody } from '../../../src/core/http/json-body.js'
import { bodySchemas } from '../../../src/core/model/bodies.js'
import { createTestRegistry } from '../../support/registry.js'

afterEach(() => void vi.useRealTimers())

const MiB = 1024 ** 2
const json = '{"filesize":5}'
const readStart = (stream: AsyncIterable<Uint8Array>, { limit = 2 * MiB, idleSeconds = 60 } = {}) =>
  readJsonBody(
    { method: 'POST', path: '/', query: '', headers: {}, body: { kind: 'stream', stream } },
    { limit, idleSeconds, schema: bodySchemas.startMultipart },
  )

/** The text byte by byte, each in a buffer of its own, as large as the one that a socket is read into. */
async function* inLargeBuffers(text: string): AsyncGenerator<Uint8Array> {
  for (const byte of Buffer.from(text)) {
    const buffer = Buffer.alloc(65_536)
    buffer[0] = byte
    yield buffer.subarray(0, 1)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a body of 20,000 pieces does not keep their 1.2 GiB of buffers', async () => {
  const before = process.memoryUsage().arrayBuffers
  let atEnd = 0
  async function* watched(): AsyncGenerator<Uint8Array> {
    yield* inLargeBuffers(json.padEnd(20_000))
    atEnd = process.memoryUsage().arrayBuffers
  }
  expect(await readStart(watched())).toEqual({ filesize: 5 })
  expect((atEnd - before) / MiB).toBeLessThan(400)
})

/** A space each ten seconds, then the JSON. */
async function* dripping(pieces: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < pieces; sent += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10_000))
    yield Buffer.from(' ')
  }
  yield Buffer.from(json)
}

test.each([
  [29, 'is read'],
  [31, 'is given up'],
])(
  'a body that drips %d times each ten seconds %s: five times the idle time are all that it has',
  async (pieces, outcome) => {
    vi.useFakeTimers()
    let closed = 0
    async function* closing(): AsyncGenerator<Uint8Array> {
      try {
        yield* dripping(pieces)
      } finally {
        closed += 1
      }
    }
    const came = readStart(closing()).then(
      (body) => ({ body }),
      (error: unknown) => ({ error }),
    )
    await vi.advanceTimersByTimeAsync(pieces * 10_000)
    const error = expect.objectContaining({ status: 408, message: 'the JSON body did not come within 300 seconds' })
    expect(await came).toEqual(outcome === 'is read' ? { body: { filesize: 5 } } : { error })
    expect(closed).toBe(1)
  },
)

test('a silence of a quarter of a minute ends it, however long other bodies may be silent', async () => {
  vi.useFakeTimers()
  async function* stalled(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('{')
    await new Promise(() => {})
  }
  const failed = expect(readStart(stalled())).rejects.toMatchObject({ status: 408 })
  await vi.advanceTimersByTimeAsync(15_001)
  await failed
})

test('pieces of every size are put together as they were sent', async () => {
  const registry = await createTestRegistry()
  try {
    const description = Array.from({ length: 3000 }, (_, index) => String.fromCharCode(97 + (index % 26))).join('')
    const bytes = Buffer.from(JSON.stringify({ name: 'alice', description }))
    async function* growing(): AsyncGenerator<Uint8Array> {
      for (let at = 0, size = 1; at < bytes.length; at += size, size += 7) yield bytes.subarray(at, at + size)
    }
    const made = await registry.call('POST', '/v1/entities', {
      token: 'alice',
      request: { body: { kind: 'stream', stream: growing() } },
    })
    expect([made.status, made.json.data.description]).toEqual([201, description])
  } finally {
    await registry.close()
  }
})
