// Who asks: a JWT of the institute's OpenID provider, checked against its published keys.
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import { bearerToken, LibraryError } from 'sif-library'

/** `keys` is for tests; otherwise they are fetched from the provider and kept. */
export function oidcAuthenticate({ issuer, audience, jwksUri, keys = createRemoteJWKSet(new URL(jwksUri)) }) {
  return async (request) => {
    const token = bearerToken(request)
    if (token === null) return null
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience, requiredClaims: ['sub', 'preferred_username'] })
      return {
        id: `${payload.iss}#${payload.sub}`,
        name: payload.preferred_username,
        groups: Array.isArray(payload.groups) ? payload.groups.filter((group) => typeof group === 'string') : [],
        admin: payload.registry_admin === true,
      }
    } catch (error) {
      // a provider that does not answer is no fault of the token
      if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError))
        throw new LibraryError('unavailable', 'the login service does not answer', { cause: error })
      throw new LibraryError('unauthorized', 'the access token is not valid (any more): get a new one', { cause: error })
    }
  }
}

/**
 * What they may do: rules for single containers first, then the ready-made policy (own entity and groups). A rule is `path` → action → groups; `path` holds for everything
 * below it too.
 */
export function withRules(policy, rules) {
  const ruleFor = (path, action) => {
    for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      const groups = rules[at]?.[action]
      if (groups !== undefined) return groups
    }
  }
  return {
    authenticate: policy.authenticate,
    authorize: (question) => {
      const { principal, action, resource } = question
      const groups = ruleFor(resource.path, action)
      if (groups === undefined || principal?.admin) return policy.authorize(question)
      return principal !== null && groups.some((group) => principal.groups.includes(group))
    },
    // no `visible`: the search asks `authorize` about each row, so the rules hold there too
  }
}
