// OIDC_ISSUER=https://login.example OIDC_JWKS_URI=https://login.example/jwks node examples/koa/server.mjs
import { createServer } from 'node:http'
import { buildApp } from './app.mjs'

const port = Number(process.env.PORT ?? 3000)
const { app, library } = buildApp({
  publicUrl: process.env.PUBLIC_URL ?? `http://127.0.0.1:${port}/library`,
  directory: process.env.DATA ?? './koa-data',
  oidc: { issuer: process.env.OIDC_ISSUER, audience: process.env.OIDC_AUDIENCE ?? 'registry', jwksUri: process.env.OIDC_JWKS_URI },
  rules: JSON.parse(process.env.RULES ?? '{}'),
})
await library.ready()

// an upload may take longer than Node's 300 seconds
const server = createServer({ requestTimeout: 0 }, app.callback()).listen(port, '127.0.0.1', () => console.log(`registry: http://127.0.0.1:${port}/library`))

process.once('SIGTERM', () => {
  server.close(() => library.close())
  server.closeIdleConnections()
})
