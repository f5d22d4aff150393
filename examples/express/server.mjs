// node examples/express/server.mjs
import { buildApp } from './app.mjs'

const port = Number(process.env.PORT ?? 3000)
const origin = process.env.PORTAL_ORIGIN ?? `http://127.0.0.1:${port}`
const { app, library } = buildApp({
  origin,
  directory: process.env.PORTAL_DATA ?? './portal-data',
  secret: process.env.PORTAL_SECRET,
})
await library.ready()

const server = app.listen(port, '127.0.0.1', () =>
  console.log(`portal: ${origin} · registry: ${origin}/library · sign in as alice with alice-password`),
)
// an upload may take longer than Node's 300 seconds
server.requestTimeout = 0

// every hour: ends uploads that their clients left, deletes bytes that no image refers to any more
library.startUpkeep()

process.once('SIGTERM', () => {
  server.close(() => library.close())
  server.closeIdleConnections()
})
