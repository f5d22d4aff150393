// node examples/hono/server.mjs
import { serve } from '@hono/node-server'
import { buildApp } from './app.mjs'

const port = Number(process.env.PORT ?? 3000)
const { app, library } = buildApp({
  publicUrl: process.env.PUBLIC_URL ?? `http://127.0.0.1:${port}/library`,
  directory: process.env.DATA ?? './hono-data',
  // token → user; at least 200 characters, or `remote login --tokenfile` refuses it
  people: { ['secret'.repeat(40)]: { id: '1', name: 'alice', groups: ['genomics'] } },
})
await library.ready()
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1', serverOptions: { requestTimeout: 0 } }, () =>
  console.log(`registry: http://127.0.0.1:${port}/library`),
)

// every hour: ends uploads that their clients left, deletes bytes that no image refers to any more
library.startUpkeep()

process.once('SIGTERM', () => {
  server.close(() => library.close())
  server.closeIdleConnections()
})
