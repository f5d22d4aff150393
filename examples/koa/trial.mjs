// node examples/koa/trial.mjs: the registry on port 3000 with an OpenID provider and a directory (slapd) of its own, and what to type next. For trying; all of it is gone at the end.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSlapd } from '../../scripts/slapd.mjs'
import { startIssuer } from './trial-issuer.mjs'

const slapd = await startSlapd({ ldif: readFileSync(new URL('people.ldif', import.meta.url), 'utf8') })
const issuer = await startIssuer()
const data = mkdtempSync(join(tmpdir(), 'sif-library-trial-'))
const port = process.env.PORT ?? '3000'
const url = `http://127.0.0.1:${port}/library`
Object.assign(process.env, {
  PORT: port,
  DATA: data,
  OIDC_ISSUER: issuer.issuer,
  OIDC_JWKS_URI: issuer.jwksUri,
  LDAP_URL: slapd.url,
  LDAP_BASE: slapd.base,
  LDAP_BIND_DN: slapd.account.dn,
  LDAP_BIND_PASSWORD: slapd.account.password,
})
const end = async () => {
  await Promise.all([slapd.stop(), issuer.close()])
  rmSync(data, { recursive: true, force: true })
}
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => end().then(() => process.exit(0)))
await import('./server.mjs')
console.log(`sign in as alice, bob or carol, with any password:
  OIDC_ISSUER=${issuer.issuer} OIDC_AUDIENCE=${url} node examples/koa/token.mjs > token
  curl -H "Authorization: Bearer $(cat token)" ${url}/v1/token-status`)
