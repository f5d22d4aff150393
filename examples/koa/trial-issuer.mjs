// An OpenID provider to try the example with, and for its test: the npm package `oidc-provider` on loopback. Its sign-in page takes any name with any password: never let others reach it.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'

// oidc-provider wants Node 22, which has this; the rest of it runs on Node 20
URL.parse ??= (url, base) => (URL.canParse(url, base) ? new URL(url, base) : null)
const { Provider } = await import('oidc-provider')

const workingDay = 8 * 3600
const newKey = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid: 'one',
  alg: 'RS256',
  use: 'sig',
})

/**
 * `key` is a private JWK. The client `registry-cli` gets tokens for people by the device flow; the client `robot` gets its own by its secret. A token for a resource is a JWT with
 * that `aud`.
 */
export async function startIssuer({ port = 0, key = newKey(), robotSecret = randomBytes(16).toString('hex') } = {}) {
  const server = createServer()
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${server.address().port}`
  const client = { redirect_uris: [], response_types: [], application_type: 'native' }
  const provider = new Provider(issuer, {
    clients: [
      {
        ...client,
        client_id: 'registry-cli',
        token_endpoint_auth_method: 'none',
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      },
      { ...client, client_id: 'robot', client_secret: robotSecret, grant_types: ['client_credentials'] },
    ],
    jwks: { keys: [key] },
    ttl: Object.fromEntries(
      ['AccessToken', 'ClientCredentials', 'DeviceCode', 'Grant', 'IdToken', 'Interaction', 'Session'].map((name) => [
        name,
        workingDay,
      ]),
    ),
    cookies: { keys: [randomBytes(16).toString('hex')] },
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    // a robot has a name in the directory too
    extraTokenClaims: (_ctx, token) => ({ preferred_username: token.accountId ?? token.clientId }),
    features: {
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: 'openid',
          audience: resource,
          accessTokenTTL: workingDay,
          accessTokenFormat: 'jwt',
        }),
      },
    },
  })
  server.on('request', provider.callback())
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    robotSecret,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  }
}
