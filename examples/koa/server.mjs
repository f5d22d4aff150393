// See README.md for the variables; `node examples/koa/trial.mjs` runs it with a provider and a directory to try.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { buildApp } from './app.mjs'

const { env } = process
const port = Number(env.PORT ?? 3000)
const publicUrl = env.PUBLIC_URL ?? `http://127.0.0.1:${port}/library`
const { app, library } = buildApp({
  publicUrl,
  directory: env.DATA ?? './koa-data',
  oidc: {
    issuer: env.OIDC_ISSUER,
    audience: env.OIDC_AUDIENCE ?? publicUrl,
    jwksUri: env.OIDC_JWKS_URI,
    loginClaim: env.OIDC_LOGIN_CLAIM,
  },
  ldap: {
    url: env.LDAP_URL,
    ca: env.LDAP_CA_FILE && readFileSync(env.LDAP_CA_FILE, 'utf8'),
    base: env.LDAP_BASE,
    bindDn: env.LDAP_BIND_DN,
    bindPassword: env.LDAP_BIND_PASSWORD,
    loginAttribute: env.LDAP_LOGIN_ATTRIBUTE,
  },
  rules: JSON.parse(env.RULES ?? '{}'),
  adminGroup: env.ADMIN_GROUP,
  defaultPrivate: env.DEFAULT_PRIVATE === 'true',
})
await library.ready()

// an upload may take longer than Node's 300 seconds
const server = createServer({ requestTimeout: 0 }, app.callback()).listen(port, '127.0.0.1', () =>
  console.log(`registry: http://127.0.0.1:${port}/library`),
)

// every hour: ends uploads that their clients left, deletes bytes that no image refers to any more
library.startUpkeep()

process.once('SIGTERM', () => {
  server.close(() => library.close())
  server.closeIdleConnections()
})
