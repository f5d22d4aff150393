/** Koa 2 and 3, by the `prefix` option and by koa-mount. */
import { createServer } from 'node:http'
import Koa, { type Context } from 'koa'
import bodyParser from 'koa-bodyparser'
import mount from 'koa-mount'
import Koa2 from 'koa2'
import { libraryMiddleware } from '../../../src/adapters/koa.js'
import { describeUnknown, ERROR_PAGE, type Host, listen, readAll } from '../host.js'

function koaHost(name: string, make: typeof Koa, byMount: boolean): Host {
  return {
    name,
    parses: true,
    start: async ({ library, prefix, company }) => {
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
      if (company) {
        app.use(async (ctx, next) => {
          const { url } = ctx
          ctx.set('x-portal', 'yes')
          ctx.cookies.set('session', 'portal')
          ctx.res.once('finish', () => log.push(`${ctx.method} ${url} ${ctx.status}`))
          const started = Date.now()
          await next()
          ctx.set('x-response-time', `${Date.now() - started}ms`)
        })
        app.use(bodyParser())
      }
      const echo = bodyParser()
      app.use(async (ctx, next) => {
        if (ctx.path === '/portal/boom') throw new Error('boom')
        if (ctx.path !== '/portal/echo') return next()
        await echo(ctx, async () => {
          ctx.body = { saw: (ctx.request as Context['request'] & { body?: unknown }).body }
        })
      })
      app.use(byMount && prefix !== '' ? mount(prefix, libraryMiddleware(library)) : libraryMiddleware(library, { prefix }))
      app.use(async (ctx) => {
        const body = await readAll(ctx.req)
        ctx.status = 404
        ctx.body = describeUnknown(ctx.method, ctx.url, body)
      })
      return listen(createServer(app.callback()), log)
    },
  }
}

export const koaHosts: readonly Host[] = [koaHost('Koa 3', Koa, false), koaHost('Koa 2', Koa2, false), koaHost('Koa 3 and koa-mount', Koa, true)]
