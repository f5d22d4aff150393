/** Paths of extensions at the host's root, while the library lives under a prefix: one option, the same in every host. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import mount from 'koa-mount'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { libraryMiddleware } from '../../src/adapters/express.js'
import { libraryPlugin } from '../../src/adapters/fastify.js'
import { libraryFetch } from '../../src/adapters/fetch.js'
import { libraryMiddleware as koaMiddleware } from '../../src/adapters/koa.js'
import { libraryListener } from '../../src/adapters/node.js'
import { defineRoute, jsonResponse, type LibraryExtension } from '../../src/core/extension.js'
import type { Library } from '../../src/core/index.js'
import { createTestRegistry, type TestRegistry } from '../support/registry.js'

const answer = ({ request, params, rest }: { request: { path: string }; params: object; rest: readonly string[] }) =>
  jsonResponse({ path: request.path, params, rest })

const oci: LibraryExtension = {
  name: 'oci',
  setup: () => ({
    routes: [
      defineRoute({
        ...{ name: 'oci.manifest', method: 'GET', path: '/v2/{name...}/manifests/{reference}', root: true },
        summary: 'A manifest',
        access: 'public',
        body: 'none',
        success: { status: 200, schema: 'text' },
        handler: answer,
      }),
      defineRoute({
        ...{ name: 'oci.below', method: 'GET', path: '/oci/status' },
        summary: 'Only below the mount',
        access: 'public',
        body: 'none',
        success: { status: 200, schema: 'text' },
        handler: answer,
      }),
    ],
  }),
}

const hostPage = (method: string | undefined, url: string | undefined): string => `the host's own: ${method} ${url}`
type Mount = (library: Library) => Promise<Server> | Server
const nodeServer = (listener: RequestListener): Server => createServer(listener)

const hosts: Readonly<Record<string, Mount>> = {
  'Express 5': (library) => {
    const app = express()
    app.use('/library', libraryMiddleware(library))
    app.use(libraryMiddleware(library, { root: true }))
    app.use((req, res) => void res.status(404).send(hostPage(req.method, req.originalUrl)))
    return nodeServer(app)
  },
  'Express 5, mounted at the path itself': (library) => {
    const app = express()
    app.use('/library', libraryMiddleware(library))
    app.use('/v2', libraryMiddleware(library, { root: true }))
    app.use((req, res) => void res.status(404).send(hostPage(req.method, req.originalUrl)))
    return nodeServer(app)
  },
  'Express 4': (library) => {
    const app = express4()
    app.use('/library', libraryMiddleware(library))
    app.use('/v2', libraryMiddleware(library, { root: true }))
    app.use((req, res) => void res.status(404).send(hostPage(req.method, req.originalUrl)))
    return nodeServer(app)
  },
  connect: (library) => {
    const app = connect()
    app.use('/library', libraryMiddleware(library))
    app.use('/v2', libraryMiddleware(library, { root: true }))
    app.use((req: { method?: string; originalUrl?: string }, res: { statusCode: number; end(text: string): void }) => {
      res.statusCode = 404
      res.end(hostPage(req.method, req.originalUrl))
    })
    return nodeServer(app)
  },
  Koa: (library) => {
    const app = new Koa()
    app.use(koaMiddleware(library, { prefix: '/library' }))
    app.use(koaMiddleware(library, { root: true }))
    app.use((ctx) => {
      ctx.status = 404
      ctx.body = hostPage(ctx.method, ctx.originalUrl)
    })
    return nodeServer(app.callback())
  },
  'Koa, by koa-mount': (library) => {
    const app = new Koa()
    app.use(mount('/library', koaMiddleware(library)))
    app.use(mount('/v2', koaMiddleware(library, { root: true })))
    app.use((ctx) => {
      ctx.status = 404
      ctx.body = hostPage(ctx.method, ctx.originalUrl)
    })
    return nodeServer(app.callback())
  },
  Fastify: async (library) => {
    const app = fastify()
    app.register(libraryPlugin, { library, prefix: '/library' })
    app.register(libraryPlugin, { library, prefix: '/v2', root: true })
    app.setNotFoundHandler((request, reply) => reply.code(404).send(hostPage(request.method, request.raw.url)))
    await app.ready()
    return app.server
  },
  'node:http': (library) => {
    const page: RequestListener = (req, res) => void res.writeHead(404).end(hostPage(req.method, req.url))
    const atRoot = libraryListener(library, { root: true, fallback: page })
    return nodeServer(libraryListener(library, { prefix: '/library', fallback: atRoot }))
  },
  'Hono, by Fetch': (library) => {
    const app = new Hono()
    app.mount('/library', libraryFetch(library, { fallback: true }))
    const atRoot = libraryFetch(library, { root: true })
    app.all('/v2/*', async (c, next) => {
      const response = await atRoot(c.req.raw)
      if (response === undefined) return next()
      return response
    })
    app.notFound((c) => c.text(hostPage(c.req.method, new URL(c.req.url).pathname), 404))
    return serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as unknown as Server
  },
}

describe.each(Object.entries(hosts))('%s', (_, start) => {
  let registry: TestRegistry
  let server: Server
  let origin: string

  beforeAll(async () => {
    registry = await createTestRegistry({ library: { extensions: [oci] } })
    server = await start(registry.library)
    if (!server.listening) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await registry.close()
  })

  const ask = async (path: string, init?: RequestInit): Promise<{ status: number; text: string }> => {
    const response = await fetch(`${origin}${path}`, init)
    return { status: response.status, text: await response.text() }
  }

  it('answers the path of an extension at the root, whole', async () => {
    const { status, text } = await ask('/v2/alice/tools/bwa/manifests/1.0')
    expect(status).toBe(200)
    expect(JSON.parse(text)).toEqual({
      ...{ path: '/v2/alice/tools/bwa/manifests/1.0', params: { reference: '1.0' }, rest: ['alice', 'tools', 'bwa'] },
    })
  })

  it('answers it below the mount too', async () => {
    const { status, text } = await ask('/library/v2/alice/tools/bwa/manifests/1.0')
    expect([status, JSON.parse(text).rest]).toEqual([200, ['alice', 'tools', 'bwa']])
    expect((await ask('/library/oci/status')).status).toBe(200)
    expect((await ask('/library/version')).status).toBe(200)
  })

  it.each([
    '/v2/imagefile/65f0c0de0000000000000001/_multipart',
    '/v2/nothing',
    '/version',
    '/oci/status',
    '/v1/search',
  ])('leaves %s to the host, untouched', async (path) => {
    const { status, text } = await ask(path)
    expect([status, text]).toEqual([404, hostPage('GET', path)])
  })

  it('leaves a body unread that is not an extension’s', async () => {
    const { status, text } = await ask('/v2/nothing', { method: 'POST', body: 'some bytes' })
    expect([status, text]).toEqual([404, hostPage('POST', '/v2/nothing')])
  })
})
