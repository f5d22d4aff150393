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
  req: IncomingMessage & { readonly body?: unknown },
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** Mounts a registry; paths that are not its own go on to the next handler with their request untouched. Hooks see the host's `req` as `request.native`. */
export function libraryMiddleware(library: Pick<Library, 'handle'>): LibraryMiddleware {
  return (req, res, next) => {
    // both strip the mount from req.url, and leave it raw otherwise
    serveNode(library, req, { res, url: urlBelow('', req.url ?? '/') ?? '/', native: req, parsed: req.body }).then(
      (served) => {
        if (!served) next()
      },
      next,
    )
  }
}
