/** Hono on @hono/node-server, and a Fetch handler without a framework on the same server. */
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { cors } from 'hono/cors'
import { secureHeaders } from 'hono/secure-headers'
import { libraryFetch } from '../../../src/adapters/fetch.js'
import { describeUnknown, ERROR_PAGE, type Host, type HostOptions, listen } from '../host.js'

const rawPath = (request: Request): string => request.url.slice(request.url.indexOf('/', 8))

async function notFound(request: Request): Promise<Response> {
  return new Response(describeUnknown(request.method, rawPath(request), new Uint8Array(await request.arrayBuffer())), { status: 404 })
}

function hono({ library, prefix, company }: HostOptions, log: string[]): Hono {
  const app = new Hono()
  if (company) {
    app.use(async (c, next) => {
      await next()
      c.header('x-portal', 'yes')
      log.push(`${c.req.method} ${rawPath(c.req.raw)} ${c.res.status}`)
    })
    app.use(secureHeaders(), cors(), compress())
  }
  app.post('/portal/echo', async (c) => c.json({ saw: await c.req.json() }))
  app.get('/portal/boom', () => {
    throw new Error('boom')
  })
  app.onError((_error, c) => c.text(ERROR_PAGE, 500))
  app.notFound((c) => notFound(c.req.raw))
  // the answer type of mount knows no undefined, but Hono goes on to the next handler on it
  app.mount(prefix === '' ? '/' : prefix, libraryFetch(library) as (request: Request) => Promise<Response>)
  return app
}

export const honoHost: Host = {
  name: 'Hono',
  parses: false,
  cutsRefused: true,
  start: async (options) => {
    const log: string[] = []
    return listen(createAdaptorServer({ fetch: hono(options, log).fetch }) as Server, log)
  },
}

export const fetchHost: Host = {
  name: 'Fetch without a framework',
  parses: false,
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
