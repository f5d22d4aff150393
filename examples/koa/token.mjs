// Gets an access token for the registry from the OpenID provider, by the device flow (RFC 8628): the person signs in with any browser. Prints the token, and nothing else, on stdout.
// OIDC_ISSUER=https://login.example OIDC_CLIENT=registry-cli OIDC_AUDIENCE=https://portal.example/library node examples/koa/token.mjs > token
import { setTimeout as wait } from 'node:timers/promises'

const { OIDC_ISSUER, OIDC_CLIENT = 'registry-cli', OIDC_AUDIENCE } = process.env
const fail = (why) => {
  console.error(why)
  process.exit(1)
}
if (!OIDC_ISSUER || !OIDC_AUDIENCE)
  fail('set OIDC_ISSUER, OIDC_AUDIENCE and, where it is not registry-cli, OIDC_CLIENT')

async function post(url, form) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ client_id: OIDC_CLIENT, ...form }) })
  return response.json()
}

const endpoints = await (await fetch(`${OIDC_ISSUER.replace(/\/$/, '')}/.well-known/openid-configuration`)).json()
// RFC 8707: `resource` asks for a token that is meant for the registry
const device = await post(endpoints.device_authorization_endpoint, { scope: 'openid', resource: OIDC_AUDIENCE })
if (device.device_code === undefined) fail(`the provider refuses: ${device.error} ${device.error_description ?? ''}`)
console.error(`sign in at ${device.verification_uri_complete ?? device.verification_uri} (code ${device.user_code})`)

let answer
let seconds = device.interval ?? 5
do {
  await wait(seconds * 1000)
  const grant = {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: device.device_code,
    resource: OIDC_AUDIENCE,
  }
  answer = await post(endpoints.token_endpoint, grant)
  if (answer.error === 'slow_down') seconds += 5
} while (answer.error === 'authorization_pending' || answer.error === 'slow_down')

const { access_token: token } = answer
if (token === undefined) fail(`no token: ${answer.error} ${answer.error_description ?? ''}`)
if (token.split('.').length !== 3) fail('the provider gave an opaque token: have it issue JWTs for this audience')
if (token.length < 200 || token.length > 4096)
  fail(`the token has ${token.length} characters; "remote login --tokenfile" takes 200 to 4096`)
console.log(token)
