/** Hono on @hono/node-server, and a Fetch handler without a framework on the same server. */
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { getSignedCookie, setSignedCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { logger } from 'hono/logger'
import { secureHeaders } from 'hono/secure-headers'
import { rateLimiter } from 'hono-rate-limiter'
import { libraryFetch } from '../../../src/adapters/fetch.js'
import {
  companyHeaders,
  describeUnknown,
  ERROR_PAGE,
  type Host,
  type HostOptions,
  listen,
  MANY_REQUESTS,
} from '../host.js'

const rawPath = (request: Request): string => request.url.slice(request.url.indexOf('/', 8))

async function notFound(request: Request): Promise<Response> {
  return new Response(describeUnknown(request.method, rawPath(request), new Uint8Array(await request.arrayBuffer())), {
    status: 404,
  })
}

type Env = { Variables: { session: { views: number } } }

/** The middlewares that Hono brings, a session of its signed cookies, and a rate limiter. */
function addCompany(app: Hono<Env>, log: string[], requestLimit: number): void {
  const print = (line: string): void => {
    const words = line.split(' ')
    if (words[0] === '-->') log.push(`${words[1]} ${words[2]} ${words[3]?.replace(/\D*\[\d+m/g, '')}`)
  }
  app.use(async (c, next) => {
    await next()
    c.header('x-portal', 'yes')
  })
  app.use(logger(print), secureHeaders(), cors(), compress())
  app.use(async (c, next) => {
    const session = { views: Number((await getSignedCookie(c, 'secret', 'portal')) || 0) + 1 }
    c.set('session', session)
    await setSignedCookie(c, 'portal', String(session.views), 'secret')
    await next()
  })
  app.use(rateLimiter<Env>({ limit: requestLimit, standardHeaders: false, keyGenerator: () => 'all' }))
  // by Content-Length; a body without one is read whole before it goes on
  app.use(bodyLimit({ maxSize: 2 ** 32 }))
  app.use(serveStatic({ root: 'docs' }))
}

function hono({ library, prefix, company, requestLimit = MANY_REQUESTS }: HostOptions, log: string[]): Hono<Env> {
  const app = new Hono<Env>()
  if (company) addCompany(app, log, requestLimit)
  app.post('/portal/echo', async (c) => c.json({ saw: await c.req.json() }))
  app.get('/portal/boom', () => {
    throw new Error('boom')
  })
  app.onError((_error, c) => c.text(ERROR_PAGE, 500))
  app.notFound((c) => notFound(c.req.raw))
  const ours = libraryFetch(library, { native: (_request, c) => c })
  // the answer type of mount knows no undefined, but Hono goes on to the next handler on it
  app.mount(prefix === '' ? '/' : prefix, ours as (request: Request) => Promise<Response>, { optionHandler: (c) => c })
  return app
}

export const honoHost: Host = {
  name: 'Hono',
  dropsCookies: true,
  parses: [],
  // its rate limiter names no limit in a header of every answer
  company: {
    headers: companyHeaders.filter((name) => name !== 'x-ratelimit-limit'),
    viewsOf: (native) => (native as Context<Env>).get('session').views,
  },
  cutsRefused: true,
  start: async (options) => {
    const log: string[] = []
    return listen(createAdaptorServer({ fetch: hono(options, log).fetch }) as Server, log)
  },
}

export const fetchHost: Host = {
  name: 'Fetch without a framework',
  parses: [],
  cutsRefused: true,
  start: async ({ library, prefix, company }) => {
    const log: string[] = []
    const ours = libraryFetch(library, { prefix })
    const route = async (request: Request): Promise<Response> => {
      const path = rawPath(request)
      if (path === '/portal/boom') return new Response(ERROR_PAGE, { status: 500 })
      if (path === '/portal/echo') return Response.json({ saw: await request.json() })
      return (await ours(request)) ?? notFound(request)
    }
    const fetch = async (request: Request): Promise<Response> => {
      const response = await route(request)
      if (company) {
        response.headers.set('x-portal', 'yes')
        log.push(`${request.method} ${rawPath(request)} ${response.status}`)
      }
      return response
    }
    return listen(createAdaptorServer({ fetch }) as Server, log)
  },
}
