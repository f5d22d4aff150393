/** Fastify 4 and 5, each with its generation of the plugins; and the first versions that package.json allows, without plugins. */
import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import compress from '@fastify/compress'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import formbody from '@fastify/formbody'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import session from '@fastify/session'
import serveFiles from '@fastify/static'
import { type FastifyInstance, fastify } from 'fastify'
import { fastify as fastify4 } from 'fastify4'
import compress4 from 'fastify4-compress'
import cookie4 from 'fastify4-cookie'
import cors4 from 'fastify4-cors'
import { fastify as fastify4First } from 'fastify4-first'
import formbody4 from 'fastify4-formbody'
import helmet4 from 'fastify4-helmet'
import rateLimit4 from 'fastify4-rate-limit'
import session4 from 'fastify4-session'
import serveFiles4 from 'fastify4-static'
import { fastify as fastify5First } from 'fastify5-first'
import { libraryPlugin } from '../../../src/adapters/fastify.js'
import {
  companyHeaders,
  describeUnknown,
  ERROR_PAGE,
  type Host,
  type HostOptions,
  listen,
  MANY_REQUESTS,
  readAll,
} from '../host.js'

type Session = { session?: { views?: number } }

const plugins5 = { compress, cookie, cors, formbody, helmet, rateLimit, session, serveFiles }
const plugins4 = {
  compress: compress4,
  cookie: cookie4,
  cors: cors4,
  formbody: formbody4,
  helmet: helmet4,
  rateLimit: rateLimit4,
  session: session4,
  serveFiles: serveFiles4,
} as unknown as typeof plugins5

type Plugins = typeof plugins5

async function addPlugins(app: FastifyInstance, plugins: Plugins, requestLimit: number): Promise<void> {
  await app.register(plugins.helmet)
  await app.register(plugins.cors, { origin: '*', methods: ['GET', 'PUT', 'POST'] })
  await app.register(plugins.compress)
  await app.register(plugins.cookie)
  await app.register(plugins.session, {
    secret: 'portal-secret-of-at-least-thirty-two-characters',
    cookie: { secure: false },
  })
  await app.register(plugins.rateLimit, { max: requestLimit })
  await app.register(plugins.formbody)
  // one route per file: its `/*` would be a second one at the root
  await app.register(plugins.serveFiles, { root: resolve('docs'), wildcard: false })
}

function addHooks(app: FastifyInstance, log: string[]): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-portal', 'yes')
  })
  app.addHook('preHandler', async (request) => {
    const { session } = request as Session
    if (session !== undefined) session.views = (session.views ?? 0) + 1
  })
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-response-time', '1')
    return payload
  })
  app.addHook('onResponse', async (request, reply) => {
    log.push(`${request.method} ${request.raw.url} ${reply.statusCode}`)
  })
}

function fastifyHost(name: string, make: typeof fastify, plugins?: Plugins): Host {
  return {
    name,
    // its JSON parser runs per route, and ours are encapsulated
    parses: [],
    ...(plugins === undefined
      ? {}
      : { company: { headers: companyHeaders, viewsOf: (native: unknown) => (native as Session).session?.views } }),
    start: async ({ library, prefix, company, requestLimit = MANY_REQUESTS }: HostOptions) => {
      const log: string[] = []
      const lines = new Writable({ write: (_line, _encoding, done) => done() })
      const app = make({
        requestTimeout: 0,
        ...(company ? { logger: { stream: lines } } : {}),
      }) as unknown as FastifyInstance
      if (company) {
        if (plugins !== undefined) await addPlugins(app, plugins, requestLimit)
        addHooks(app, log)
      }
      app.setErrorHandler((error: { statusCode?: number }, _request, reply) =>
        reply.code(error.statusCode ?? 500).send(ERROR_PAGE),
      )
      app.setNotFoundHandler(async (request, reply) => {
        const body = await readAll(request.raw)
        return reply.code(404).send(describeUnknown(request.method, request.raw.url ?? '', body))
      })
      app.post('/portal/echo', async (request) => ({ saw: request.body }))
      app.get('/portal/boom', async () => {
        throw new Error('boom')
      })
      await app.register(libraryPlugin, prefix === '' ? { library } : { library, prefix })
      await app.listen({ port: 0, host: '127.0.0.1' })
      const host = await listen(app.server, log)
      return {
        ...host,
        close: async () => {
          app.server.closeAllConnections()
          await app.close()
        },
      }
    },
  }
}

export const fastifyHosts: readonly Host[] = [
  fastifyHost('Fastify 5', fastify, plugins5),
  fastifyHost('Fastify 4', fastify4 as unknown as typeof fastify, plugins4),
  fastifyHost('Fastify 5.0.0', fastify5First as unknown as typeof fastify),
  fastifyHost('Fastify 4.10.0', fastify4First as unknown as typeof fastify),
]
