/** The hosts that speak HTTP/2, over cleartext connections: bodies without a length, streams that are cut instead of connections. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAdaptorServer } from '@hono/node-server'
import connect from 'connect'
import { type FastifyInstance, fastify } from 'fastify'
import { fastify as fastify4 } from 'fastify4'
import { Hono } from 'hono'
import Koa from 'koa'
import Koa2 from 'koa2'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { libraryMiddleware } from '../../src/adapters/express.js'
import { libraryPlugin } from '../../src/adapters/fastify.js'
import { libraryFetch } from '../../src/adapters/fetch.js'
import { libraryMiddleware as koaMiddleware } from '../../src/adapters/koa.js'
import { libraryListener } from '../../src/adapters/node.js'
import { createLibrary, type Library } from '../../src/core/index.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { makeSif } from '../fixtures/sif.js'
import { connectHttp2, type Http2Client } from './client-http2.js'
import { answers, createProbe, MiB } from './probe.js'
import { ask, pull, push, type Registry } from './push.js'

interface Running {
  readonly origin: string
  close(): Promise<void>
}

async function listen(server: Http2Server): Promise<Running> {
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const session of sessions) session.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Mountable = Pick<Library, 'handle'>
/** The Node hosts are typed for HTTP/1; what HTTP/2 hands them has the same shape. */
type Listener = Parameters<typeof createServer>[1] & {}

function underKoa(make: typeof Koa, library: Mountable): Promise<Running> {
  const app = new make().use(koaMiddleware(library))
  app.silent = true
  return listen(createServer(app.callback() as unknown as Listener))
}

async function underFastify(make: typeof fastify, library: Mountable): Promise<Running> {
  const app = make({ http2: true }) as unknown as FastifyInstance
  await app.register(libraryPlugin, { library })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return listen(app.server as unknown as Http2Server)
}

const hosts: Readonly<Record<string, (library: Mountable) => Promise<Running>>> = {
  'node:http2': (library) => listen(createServer(libraryListener(library) as unknown as Listener)),
  'connect 3': (library) => listen(createServer(connect().use(libraryMiddleware(library)) as unknown as Listener)),
  'Koa 3': (library) => underKoa(Koa, library),
  'Koa 2': (library) => underKoa(Koa2, library),
  'Fastify 5': (library) => underFastify(fastify, library),
  'Fastify 4': (library) => underFastify(fastify4 as unknown as typeof fastify, library),
  Hono: (library) => {
    const app = new Hono().mount('/', libraryFetch(library) as (request: Request) => Promise<Response>)
    return listen(createAdaptorServer({ fetch: app.fetch, createServer }) as Http2Server)
  },
}

/** Waits until something holds, for at most five seconds. */
async function until(what: string, holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 10) {
    if (waited > 5_000) throw new Error(`never: ${what}`)
    await sleep(10)
  }
}

describe.each(Object.entries(hosts))('%s over HTTP/2', (name, start) => {
  describe('on the wire', () => {
    const probe = createProbe()
    let running: Running
    let client: Http2Client
    beforeAll(async () => {
      running = await start(probe)
      client = connectHttp2(running.origin)
    })
    beforeEach(() => {
      Object.assign(probe, { given: 0, taken: 0, ended: undefined })
      probe.requests.length = 0
    })
    afterAll(() => running.close())

    test('answers go out as they are', async () => {
      for (const [path, answer] of Object.entries(answers)) {
        // Koa 2 itself leaves HEAD over HTTP/2 without an answer
        for (const method of name === 'Koa 2' ? ['GET'] : ['GET', 'HEAD']) {
          const came = await client.call(running.origin, path, { method })
          const { body } = answer
          const expected = method === 'HEAD' || body === null ? Buffer.alloc(0) : Buffer.from(body as string)
          expect([path, came.status, came.body.equals(expected)]).toEqual([path, answer.status, true])
          for (const [name, value] of Object.entries(answer.headers))
            expect([path, name, came.header(name)]).toEqual([path, name, value])
        }
      }
    })

    test('a body without a length arrives, whole', async () => {
      const bytes = randomBytes(3 * MiB + 17)
      const { stream, response } = client.open('/probe/digest', { method: 'PUT' })
      stream.end(bytes)
      expect((await response)[':status']).toBe(200)
      let text = ''
      for await (const chunk of stream) text += String(chunk)
      expect(JSON.parse(text)).toEqual({ sha256: createHash('sha256').update(bytes).digest('hex') })
    })

    test('a request without a body has none, or an empty one', async () => {
      for (const method of ['GET', 'DELETE', 'POST', 'PUT']) {
        const { stream, response } = client.open('/probe/echo', { method, endStream: true })
        await response
        let text = ''
        for await (const chunk of stream) text += String(chunk)
        const came = JSON.parse(text) as { method: string; body: string; text?: string }
        expect([came.method, came.body === 'none' || came.text === '']).toEqual([method, true])
      }
    })

    test('headers have the Host that was asked for, and no pseudo headers', async () => {
      await client.call(running.origin, '/probe/echo', { headers: { 'x-odd': '1' } })
      const { headers = {} } = probe.requests.at(-1) ?? {}
      expect(headers).toMatchObject({ host: new URL(running.origin).host, 'x-odd': '1' })
      expect(Object.keys(headers).filter((name) => name.startsWith(':'))).toEqual([])
      expect(probe.requests.at(-1)?.query).toBe('')
    })

    test('a whole answer does not fire the signal', async () => {
      expect((await client.call(running.origin, '/probe/source?100000')).body).toHaveLength(100_000)
      await sleep(50)
      expect([probe.requests.at(-1)?.signal?.aborted, probe.ended]).toEqual([false, 'end.'])
    })

    test('a slow reader slows the disk, and its leaving ends the read', async () => {
      const { stream, response } = client.open(`/probe/source?${256 * MiB}`, { endStream: true })
      await response
      stream.pause()
      await sleep(200)
      expect(probe.given).toBeLessThan(8 * MiB)
      const { signal } = probe.requests.at(-1) ?? {}
      stream.close(8)
      await until('the read is ended', () => probe.ended === 'return.')
      await until('the signal fires', () => signal?.aborted === true)
      expect((await client.call(running.origin, '/answers/json')).status).toBe(200)
    })

    test('a client that leaves in the middle of an upload ends it', async () => {
      const { stream } = client.open('/probe/sink', { method: 'PUT' })
      stream.write(Buffer.alloc(MiB / 2))
      await until('bytes arrive', () => probe.taken > 0)
      const { signal } = probe.requests.at(-1) ?? {}
      // not close(): that ends the body first
      stream.destroy()
      await until('the body ends with an error', () => probe.ended === 'error')
      await until('the signal fires', () => signal?.aborted === true)
      expect((await client.call(running.origin, '/answers/json')).status).toBe(200)
    })

    test.each(['/probe/refuse', '/probe/refuse-unread'])(
      '%s: an upload that is refused early is answered',
      async (path) => {
        const { stream, response } = client.open(path, { method: 'PUT' })
        stream.end(Buffer.alloc(2 * MiB))
        expect((await response)[':status']).toBe(403)
        stream.resume()
        expect((await client.call(running.origin, '/answers/json')).status).toBe(200)
      },
    )

    test('a body that fails midway resets its stream and leaves the connection alone', async () => {
      const { stream, response } = client.open(`/probe/breaks?${4 * MiB}`, { endStream: true })
      expect((await response)[':status']).toBe(200)
      let received = 0
      stream.on('data', (chunk: Buffer) => {
        received += chunk.length
      })
      if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
      expect([stream.rstCode !== 0, received < 4 * MiB]).toEqual([true, true])
      expect((await client.call(running.origin, '/answers/json')).status).toBe(200)
    })
  })

  describe('with a real registry', () => {
    let library: Library
    let running: Running
    let client: Http2Client
    let alice: Registry
    let anonymous: Registry
    beforeAll(async () => {
      library = createLibrary({
        publicUrl: (request) => `http://${String(request.headers.host)}`,
        storage: memoryStorage(),
        metadata: sqliteMetadata({ file: ':memory:' }),
        limits: { partBytes: 131_072 },
      })
      running = await start(library)
      client = connectHttp2(running.origin)
      await library.accounts.addUser({ name: 'alice' })
      anonymous = { url: running.origin, call: client.call }
      alice = { ...anonymous, token: (await library.accounts.createToken({ user: 'alice' })).token }
    })
    afterAll(async () => {
      await running.close()
      await library.close()
    })

    test('an image is pushed in one piece, and pulled', async () => {
      const image = makeSif({ size: 300_000 })
      await push(alice, { path: 'alice/tools/bwa', bytes: image })
      expect((await pull(anonymous, 'alice/tools/bwa:latest')).equals(image)).toBe(true)
    })

    test('an image is pushed in parts, and pulled', async () => {
      const image = makeSif({ size: 500_001, seed: 2 })
      await push(alice, { path: 'alice/tools/bwa', bytes: image, tag: 'parts', multipart: true })
      expect((await pull(anonymous, 'alice/tools/bwa:parts')).equals(image)).toBe(true)
    })

    test('refusals are the envelope of the registry', async () => {
      const refused = await ask(anonymous, 'POST', '/v1/entities', { name: 'alice' })
      expect([refused.status, (refused.json().error as { code: number }).code]).toEqual([401, 401])
    })
  })
})
