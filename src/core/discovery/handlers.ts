/**
 * What the clients ask before anything else, and what operators ask (protocol 5.1, 6, 8; surface
 * 3).
 */
import type { Principal } from '../auth/policy.js'
import { isLibraryError, LibraryError } from '../http/errors.js'
import type { LibraryResponse } from '../http/messages.js'
import { dataResponse, emptyResponse, jsonResponse, textResponse } from '../http/responses.js'
import type { RouteContext } from '../route.js'
import { packageVersion } from '../version.js'

type Context = RouteContext<unknown, unknown>

// `2.0.0-alpha.2` is the first version with all of v2; anything unparsable makes clients fall back
// to v1 silently (protocol 5.1)
const versionAnswer = dataResponse({ version: `v${packageVersion}`, apiVersion: '2.0.0-alpha.2' })

export function getVersion(): LibraryResponse {
  return versionAnswer
}

/**
 * Every top-level value is an object, and no URI ends in a slash (protocol 6.1, Q37, Q41).
 * `keystoreAPI` is required in practice (Q38).
 */
export function getConfig({ services, request }: Context): LibraryResponse {
  const uri = services.settings.publicUrl(request)
  return jsonResponse({
    libraryAPI: { uri },
    keystoreAPI: { uri: services.settings.keyserver ?? uri },
    tokenAPI: { uri },
  })
}

/**
 * 404 for a bad token: `remote login` then prints "Invalid Credentials"; for 401 it prints
 * "Unknown" (protocol 6.3, Q39).
 */
export async function getTokenStatus({ services, request }: Context): Promise<LibraryResponse> {
  // a hook may throw at once as well as later
  const authenticated = async (): Promise<Principal | null> => services.auth.authenticate?.(request) ?? null
  const principal = await authenticated().catch((error: unknown) => {
    if (isLibraryError(error, 'unauthorized')) return null
    throw error
  })
  if (principal === null) throw new LibraryError('not-found', 'the access token is not valid')
  return jsonResponse({})
}

/** The page that `remote login` names (protocol 6.3). */
export function getTokenPage({ services }: Context): LibraryResponse {
  const { tokenPage } = services.settings
  if (tokenPage !== undefined) return emptyResponse(302, { location: tokenPage })
  return textResponse(
    'Access tokens of this registry are made by its operator: sif-library token create NAME\n',
    'text/plain; charset=utf-8',
  )
}

/**
 * A clean 404: with a 200 the client would be committed to a service that is not there (protocol
 * 8.1).
 */
export function getNotOffered(): LibraryResponse {
  throw new LibraryError('not-offered', 'not offered by this server')
}

export function getHealth(): LibraryResponse {
  return jsonResponse({ status: 'ok' })
}

/** 503 while metadata or storage do not answer. */
export async function getReadiness({ services }: Context): Promise<LibraryResponse> {
  const { metadata, storage } = await services.readiness()
  const ready = metadata && storage
  return jsonResponse({ status: ready ? 'ready' : 'not ready', metadata, storage }, ready ? 200 : 503)
}

export function getOpenApi({ services }: Context): LibraryResponse {
  return jsonResponse(services.openapi())
}
