/**
 * `sif-library/express`: for Express 4 and 5, and connect 3.
 *
 *     app.use('/library', libraryMiddleware(library))
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Library } from '../core/index.js'
import { serveNode } from './node-http.js'
import { urlBelow } from './prefix.js'

/** Fits `app.use` of Express and connect. */
export type LibraryMiddleware = (
  req: IncomingMessage & { readonly body?: unknown; readonly originalUrl?: string },
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void

export interface MiddlewareOptions {
  /**
   * For the host's own root, beside the mount: only paths of extensions that clients look for there (`/v2/`, `/pks/`)
   * are answered, and no prefix is taken off. Default: false.
   */
  readonly root?: boolean
}

/** Mounts a registry; paths that are not its own go on to the next handler with their request untouched. Hooks see the host's `req` as `request.native`. */
export function libraryMiddleware(
  library: Pick<Library, 'handle'>,
  { root = false }: MiddlewareOptions = {},
): LibraryMiddleware {
  return (req, res, next) => {
    // both strip the mount from req.url, and leave it raw otherwise
    const target = (root ? req.originalUrl : undefined) ?? req.url ?? '/'
    const url = urlBelow('', target) ?? '/'
    serveNode(library, req, { res, url, native: req, parsed: req.body, root }).then((served) => {
      if (!served) next()
    }, next)
  }
}
