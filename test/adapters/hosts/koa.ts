/** Koa 2 and 3, by the `prefix` option and by koa-mount; with koa-bodyparser or koa-body. */
import { createServer } from 'node:http'
import cors from '@koa/cors'
import Koa, { type Context, type Middleware } from 'koa'
import { koaBody } from 'koa-body'
import bodyParser from 'koa-bodyparser'
import compress from 'koa-compress'
import helmet from 'koa-helmet'
import requestLogger from 'koa-logger'
import mount from 'koa-mount'
import rateLimit from 'koa-ratelimit'
import session from 'koa-session'
import serveFiles from 'koa-static'
import Koa2 from 'koa2'
import { libraryMiddleware } from '../../../src/adapters/koa.js'
import { companyHeaders, describeUnknown, ERROR_PAGE, type Host, listen, MANY_REQUESTS, readAll } from '../host.js'

type Session = { session?: { views?: number } }

interface Flavour {
  readonly make: typeof Koa
  readonly byMount?: boolean
  readonly parser: () => Middleware
  readonly parses: readonly string[]
}

/** In the order in which a portal has them. */
function company(
  app: Koa,
  log: string[],
  { parser, requestLimit }: Pick<Flavour, 'parser'> & { readonly requestLimit: number },
): Middleware[] {
  app.keys = ['portal']
  return [
    async (ctx, next) => {
      ctx.set('x-portal', 'yes')
      const started = Date.now()
      await next()
      ctx.set('x-response-time', `${Date.now() - started}ms`)
    },
    requestLogger((_line, [, method, url, status]) => {
      if (status !== undefined) log.push(`${String(method)} ${String(url)} ${String(status)}`)
    }),
    helmet(),
    cors(),
    compress(),
    session({ key: 'portal' }, app),
    async (ctx, next) => {
      const { session } = ctx as Session
      if (session !== undefined) session.views = (session.views ?? 0) + 1
      await next()
    },
    rateLimit({ driver: 'memory', db: new Map(), max: requestLimit }),
    parser(),
  ]
}

function koaHost(name: string, { make, byMount = false, parser, parses }: Flavour): Host {
  return {
    name,
    parses,
    company: { headers: companyHeaders, viewsOf: (native) => (native as Session).session?.views },
    start: async ({ library, prefix, company: isAccompanied, requestLimit = MANY_REQUESTS }) => {
      const app = new make()
      const log: string[] = []
      app.silent = true
      app.use(async (ctx, next) => {
        try {
          await next()
        } catch {
          ctx.status = 500
          ctx.body = ERROR_PAGE
        }
      })
      if (isAccompanied) for (const middleware of company(app, log, { parser, requestLimit })) app.use(middleware)
      const echo = parser()
      app.use(async (ctx, next) => {
        if (ctx.path === '/portal/boom') throw new Error('boom')
        if (ctx.path !== '/portal/echo') return next()
        const answer = (): void => {
          ctx.body = { saw: (ctx.request as Context['request'] & { body?: unknown }).body }
        }
        // neither parser reads a body twice, but koa-body takes the second attempt for an empty one
        if (isAccompanied) answer()
        else await echo(ctx, async () => answer())
      })
      const files = isAccompanied ? [serveFiles('docs')] : []
      const ours =
        byMount && prefix !== '' ? mount(prefix, libraryMiddleware(library)) : libraryMiddleware(library, { prefix })
      // koa-static throws at paths that begin with two slashes: at the root it stands behind the registry
      for (const middleware of prefix === '' ? [ours, ...files] : [...files, ours]) app.use(middleware as Middleware)
      app.use(async (ctx) => {
        const body = await readAll(ctx.req)
        ctx.status = 404
        ctx.body = describeUnknown(ctx.method, ctx.url, body)
      })
      return listen(createServer(app.callback()), log)
    },
  }
}

const plain = { parser: bodyParser, parses: ['application/json'] }
const withKoaBody = { parser: koaBody, parses: ['application/json', 'text/plain'] }

export const koaHosts: readonly Host[] = [
  koaHost('Koa 3', { make: Koa, ...plain }),
  koaHost('Koa 2', { make: Koa2, ...plain }),
  koaHost('Koa 3 and koa-mount', { make: Koa, byMount: true, ...withKoaBody }),
]
