// Who asks: a JWT of the institute's OpenID provider, checked against its published keys; their groups come from the directory.
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import { bearerToken, LibraryError } from 'sif-library'

const refused = (cause) =>
  new LibraryError('unauthorized', 'the access token is not valid (any more): get a new one', { cause })
const unavailable = (who, cause) =>
  new LibraryError('unavailable', `${who} does not answer: try again`, { cause, headers: { 'retry-after': '5' } })

/** A provider that does not answer, or not with keys, is no fault of the token. */
const isFaultOfToken = (error) =>
  error instanceof errors.JOSEError &&
  !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC')

/**
 * `audience` is what the provider writes into tokens for this registry, and no other service's; `loginClaim` names the claim that leads to the person in the directory: it
 * must be one that people cannot choose. `directory` as in directory.mjs.
 */
export function oidcAuthenticate(
  { issuer, audience, jwksUri, loginClaim = 'preferred_username', algorithms = ['RS256', 'ES256', 'EdDSA'] },
  { directory, adminGroup },
) {
  const keys = createRemoteJWKSet(new URL(jwksUri))
  // without these two jose would check neither
  if (!issuer || !audience) throw new Error('the issuer and the audience of tokens must be set')
  return async (request) => {
    const token = bearerToken(request)
    if (token === null) return null
    // the algorithms are ours to choose, not the token's; without `exp` a token would hold for ever
    const checks = { issuer, audience, algorithms, requiredClaims: ['sub', 'exp', loginClaim], clockTolerance: 5 }
    const { payload } = await jwtVerify(token, keys, checks).catch((error) => {
      throw isFaultOfToken(error) ? refused(error) : unavailable('the login service', error)
    })
    // of a list or an object String() would make a name too, and of a list of one that of somebody else
    const login = payload[loginClaim]
    if (typeof login !== 'string' || login === '' || typeof payload.sub !== 'string')
      throw refused(new Error(`${loginClaim} and sub must be texts`))
    // when the directory is down nobody becomes anonymous and nobody keeps old groups: the answer is 503
    const person = await directory(login).catch((error) => {
      throw unavailable('the directory of people and groups', error)
    })
    if (person === undefined) throw refused(new Error('the directory has no such person'))
    return {
      id: `${payload.iss}#${payload.sub}`,
      name: person.name,
      groups: person.groups,
      admin: person.groups.includes(adminGroup),
    }
  }
}
