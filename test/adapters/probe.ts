/** A stand-in for a library: answers what the suite wants to see on the wire, and remembers what it was asked. */
import { createHash } from 'node:crypto'
import type { Library, LibraryRequest, LibraryResponse } from '../../src/core/index.js'
import { readAll } from './host.js'

export const MiB = 1024 * 1024

export interface Probe extends Pick<Library, 'handle'> {
  readonly requests: LibraryRequest[]
  /** Bytes that `/source` has given out. */
  given: number
  /** Bytes that `/sink` and `/slow` have taken. */
  taken: number
  /** How the last body that was read or written ended: `end`, `error` or `return`. */
  ended: string | undefined
  /** Lets `/slow` go on reading. */
  release(): void
}

const json = (value: unknown, status = 200, headers: Record<string, string> = {}): LibraryResponse => {
  const body = JSON.stringify(value)
  return {
    status,
    headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers },
    body,
  }
}
const refused = (): LibraryResponse => json({ error: { code: 403, message: 'refused' } }, 403)
const type = { 'content-type': 'application/octet-stream' }

/** Answers without a stream, by path: what must go out exactly so. */
export const answers: Readonly<Record<string, LibraryResponse>> = {
  '/answers/json': json({ data: { ä: 1 } }),
  '/answers/large': json({ data: 'x'.repeat(8000) }),
  '/answers/created': json({ data: {} }, 201),
  '/answers/empty': { status: 200, headers: { 'content-length': '0' }, body: null },
  '/answers/etag': { status: 200, headers: { 'content-length': '0', etag: '"abc"' }, body: null },
  '/answers/bytes': {
    status: 206,
    headers: { ...type, 'content-length': '5', 'content-range': 'bytes 0-4/9' },
    body: Uint8Array.of(0, 1, 2, 254, 255),
  },
  '/answers/text': { status: 200, headers: { 'content-type': 'text/plain', 'content-length': '2' }, body: 'ok' },
  '/answers/see-other': {
    status: 303,
    headers: { location: 'http://other.example/a%2Fb?c=d', 'content-length': '0', 'cache-control': 'no-store' },
    body: null,
  },
  '/answers/cookie': {
    status: 200,
    headers: { 'content-length': '0', 'set-cookie': 'of-the-registry=1; Path=/; HttpOnly' },
    body: null,
  },
  '/answers/not-modified': { status: 304, headers: { etag: '"abc"' }, body: null },
  '/answers/unauthorized': json({ error: { code: 401 } }, 401, { 'www-authenticate': 'Bearer' }),
  '/answers/not-found': json({ error: { code: 404 } }, 404),
  '/answers/method': json({ error: { code: 405 } }, 405, { allow: 'GET, HEAD' }),
  '/answers/fault': json({ error: { code: 500 } }, 500),
  '/answers/full': json({ error: { code: 507 } }, 507),
}

async function describe(request: LibraryRequest): Promise<unknown> {
  const { method, path, query, body } = request
  switch (body.kind) {
    case 'none':
      return { method, path, query, body: 'none' }
    case 'stream':
      return { method, path, query, body: 'stream', length: body.length, text: (await readAll(body.stream)).toString() }
    case 'bytes':
      return { method, path, query, body: 'bytes', text: Buffer.from(body.bytes).toString() }
    case 'parsed':
      return { method, path, query, body: 'parsed', value: body.value }
  }
}

async function digest({ body }: LibraryRequest): Promise<unknown> {
  if (body.kind !== 'stream') throw new Error(`a body of kind ${body.kind}`)
  const hash = createHash('sha256')
  for await (const chunk of body.stream) hash.update(chunk)
  return { sha256: hash.digest('hex') }
}

export function createProbe(): Probe {
  let open = (): void => {}
  let gate = new Promise<void>((resolve) => (open = resolve))

  async function* source(size: number, breaksAt = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
    probe.ended = 'return'
    try {
      for (let left = size; left > 0; left -= 65_536) {
        if (size - left >= breaksAt) throw new Error('the storage failed')
        const chunk = Buffer.alloc(Math.min(left, 65_536), 7)
        probe.given += chunk.length
        yield chunk
        if (probe.given % MiB === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      probe.ended = 'end'
    } catch (error) {
      probe.ended = 'error'
      throw error
    } finally {
      probe.ended += '.'
    }
  }

  async function sink(request: LibraryRequest, wait: Promise<void>): Promise<LibraryResponse> {
    await wait
    if (request.body.kind !== 'stream') throw new Error(`a body of kind ${request.body.kind}`)
    try {
      for await (const chunk of request.body.stream) probe.taken += chunk.length
      probe.ended = 'end'
    } catch {
      probe.ended = 'error'
    }
    return json({ taken: probe.taken })
  }

  async function refuse(request: LibraryRequest): Promise<LibraryResponse> {
    if (request.body.kind === 'stream') for await (const _ of request.body.stream) break
    return refused()
  }

  const probe: Probe = {
    requests: [],
    given: 0,
    taken: 0,
    ended: undefined,
    release: () => {
      open()
      gate = new Promise((resolve) => (open = resolve))
    },
    handle: async (request) => {
      const { path } = request
      const answer = answers[path]
      if (answer === undefined && !path.startsWith('/probe') && !path.startsWith('//probe')) return undefined
      // made, as the real library does, before the body is touched
      void request.signal
      probe.requests.push(request)
      if (answer !== undefined) return request.method === 'HEAD' ? { ...answer, body: null } : answer
      const size = Number(request.query)
      if (path === '/probe/source' || path === '/probe/breaks' || path === '/probe/fails') {
        // as for every image: or middlewares such as compression would compress them
        const headers = { ...type, 'content-length': String(size), 'cache-control': 'private, no-transform' }
        if (request.method === 'HEAD') return { status: 200, headers, body: null }
        return {
          status: 200,
          headers,
          body: source(size, path === '/probe/breaks' ? size / 2 : path === '/probe/fails' ? 0 : undefined),
        }
      }
      if (path === '/probe/sink') return sink(request, Promise.resolve())
      if (path === '/probe/slow') return sink(request, gate)
      if (path === '/probe/refuse') return refuse(request)
      if (path === '/probe/refuse-unread') return refused()
      if (path === '/probe/digest') return json(await digest(request))
      return json(await describe(request))
    },
  }
  return probe
}
