// A registry in one of the hosts, at the root, run as its own process from the built package: `node host-app.mjs HOST DATA`. Accounts, records and bytes lie in DATA as `serve`
// has them, so that the commands of the CLI work beside it. `Bun` and `Deno` are run by those runtimes. The hosts over HTTP/2 take TLS_CERTIFICATE and TLS_KEY, speak HTTP/1.1 too,
// and say once that HTTP/2 was spoken.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { join } from 'node:path'
import { createLibrary } from 'sif-library'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { filesystemStorage } from 'sif-library/storage/filesystem'

const [host, data] = process.argv.slice(2)

/** Each starts to listen on a free port of 127.0.0.1 and resolves to the port and a way to stop. */
const hosts = {
  'node:http': async (library) => {
    const { libraryListener } = await import('sif-library/node')
    return listen(createServer(libraryListener(library)))
  },
  'connect 3': async (library) => underExpress((await import('connect')).default(), library),
  'Express 4': async (library) => underExpress((await import('express4')).default(), library),
  'Express 5': async (library) => underExpress((await import('express')).default(), library),
  'Koa 2': async (library) => underKoa((await import('koa2')).default, library),
  'Koa 3': async (library) => underKoa((await import('koa')).default, library),
  'Fastify 4': async (library) => underFastify((await import('fastify4')).fastify, library),
  'Fastify 5': async (library) => underFastify((await import('fastify')).fastify, library),
  Hono: async (library) => {
    const { libraryFetch } = await import('sif-library/fetch')
    const { createAdaptorServer } = await import('@hono/node-server')
    const { Hono } = await import('hono')
    const app = new Hono()
    app.mount('/', libraryFetch(library))
    return listen(createAdaptorServer({ fetch: app.fetch }))
  },
  Fetch: async (library) => {
    const { libraryFetch } = await import('sif-library/fetch')
    const { createAdaptorServer } = await import('@hono/node-server')
    return listen(createAdaptorServer({ fetch: libraryFetch(library, { fallback: true }) }))
  },
  'node:http2': async (library) => {
    const { libraryListener } = await import('sif-library/node')
    return listen(tellHttp2(createSecureServer(tls(), libraryListener(library))))
  },
  'connect 3 over HTTP/2': async (library) => {
    const { libraryMiddleware } = await import('sif-library/express')
    return listen(
      tellHttp2(createSecureServer(tls(), (await import('connect')).default().use(libraryMiddleware(library)))),
    )
  },
  'Koa 3 over HTTP/2': async (library) => {
    const { libraryMiddleware } = await import('sif-library/koa')
    return listen(
      tellHttp2(
        createSecureServer(tls(), new (await import('koa')).default().use(libraryMiddleware(library)).callback()),
      ),
    )
  },
  'Fastify 5 over HTTP/2': async (library) =>
    underFastify((await import('fastify')).fastify, library, { http2: true, https: tls() }),
  Bun: async (library) => {
    const { libraryFetch } = await import('sif-library/fetch')
    // both limits as docs/hosts.md has them
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: libraryFetch(library, { fallback: true }),
    })
    return { port: server.port, stop: () => server.stop() }
  },
  Deno: async (library) => {
    const { libraryFetch } = await import('sif-library/fetch')
    const server = Deno.serve(
      { hostname: '127.0.0.1', port: 0, onListen: () => {} },
      libraryFetch(library, { fallback: true }),
    )
    return { port: server.addr.port, stop: () => server.shutdown() }
  },
}

async function underExpress(app, library) {
  const { libraryMiddleware } = await import('sif-library/express')
  app.use(libraryMiddleware(library))
  return listen(createServer(app))
}

async function underKoa(Koa, library) {
  const { libraryMiddleware } = await import('sif-library/koa')
  return listen(createServer(new Koa().use(libraryMiddleware(library)).callback()))
}

async function underFastify(fastify, library, options = { forceCloseConnections: 'idle' }) {
  const { libraryPlugin } = await import('sif-library/fastify')
  const app = fastify({ requestTimeout: 0, ...options })
  if (options.http2) tellHttp2(app.server)
  await app.register(libraryPlugin, { library })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: app.server.address().port, stop: () => app.close() }
}

function tls() {
  return { cert: readFileSync(process.env.TLS_CERTIFICATE), key: readFileSync(process.env.TLS_KEY), allowHTTP1: true }
}

function tellHttp2(server) {
  server.once('stream', () => console.log('HTTP/2 was spoken'))
  return server
}

function listen(server) {
  server.requestTimeout = 0
  const stop = () =>
    new Promise((resolve) => {
      server.close(resolve)
      server.closeIdleConnections?.()
    })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({ port: server.address().port, stop })))
}

let origin
const library = createLibrary({
  publicUrl: () => origin,
  storage: filesystemStorage({ directory: join(data, 'blobs') }),
  metadata: sqliteMetadata({ file: join(data, 'registry.db') }),
  secret: 'a-secret-of-at-least-thirty-two-characters',
  on: { 'request.failed': ({ status, error }) => status >= 500 && console.error(error) },
})
await library.ready()
const { port, stop } = await hosts[host](library)
origin = `${process.env.TLS_KEY === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
process.once('SIGTERM', async () => {
  await stop()
  await library.close()
  process.exit(0)
})
console.log(`listening on ${origin}`)
