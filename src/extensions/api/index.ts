/**
 * `sif-library/api`: the HTTP API for people and scripts, below `api/v1` of the mount.
 *
 *     createLibrary({ …, extensions: [libraryApi()] })
 * @module
 */
import {
  jsonResponse,
  type LibraryError,
  type LibraryExtension,
  type LibraryRequest,
  type LibraryResponse,
} from '../../core/extension.js'
import { imageRows } from './rows-images.js'
import { placeRows } from './rows-places.js'
import { registryRows } from './rows-registry.js'
import { sessionRoutes } from './session-routes.js'

/**
 * The envelope of the library protocol, with what programs need: the code of the error as `reason`,
 * and the request id.
 */
function renderError(error: LibraryError, _: LibraryRequest, requestId: string): LibraryResponse {
  const { status, message, code, field, current, headers } = error
  return jsonResponse(
    {
      error: {
        code: status,
        message,
        reason: code,
        requestId,
        ...(field !== undefined && { field }),
        ...(current !== undefined && { current }),
      },
    },
    status,
    { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers },
  )
}

/** The API as an extension: each row is a use case of `library.as(principal)`. */
export function libraryApi(): LibraryExtension {
  return {
    name: 'api',
    setup: (host) => ({
      routes: [...sessionRoutes(host), ...registryRows(host), ...placeRows(host), ...imageRows(host)],
      renderError,
    }),
  }
}
