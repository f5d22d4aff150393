/**
 * `sif-library/express`: for Express 4 and 5, connect 3, and what is built on them (Nest, Next's
 * pages API).
 *
 *     app.use('/library', libraryMiddleware(library))
 *     app.use(libraryMiddleware(library, { prefix: '/library' }))   // where the host leaves the mount in the URL
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Library } from '../core/index.js'
import { serveNode } from './node-http.js'
import { normalizePrefix, urlBelow } from './prefix.js'

/** Fits `app.use` of Express and connect. */
export type LibraryMiddleware = (
  req: IncomingMessage & { readonly body?: unknown; readonly originalUrl?: string },
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void

export interface ExpressOptions {
  /**
   * Path that the registry lives under, such as `/library`, for hosts that call the middleware with
   * the whole URL, or with a URL that has lost more than the path (`req.originalUrl` is looked at
   * then). Default: the root, or where `app.use('/library', …)` put us, which takes the path off
   * the URL itself.
   */
  readonly prefix?: string
  /**
   * For the host's own root, beside the mount: only paths of extensions that clients look for there
   * (`/v2/`, `/pks/`) are answered, and no prefix is taken off. Default: false.
   */
  readonly root?: boolean
}

/**
 * Mounts a registry; paths that are not its own go on to the next handler with their request
 * untouched. Hooks see the host's `req` as `request.native`.
 */
export function libraryMiddleware(library: Pick<Library, 'handle'>, options: ExpressOptions = {}): LibraryMiddleware {
  const { root = false } = options
  const prefix = root ? '' : normalizePrefix(options.prefix)
  return (req, res, next) => {
    // Express and connect strip the mount from req.url, and leave it raw otherwise; Nest on Fastify
    // leaves `/` there
    const given = (root ? req.originalUrl : undefined) ?? req.url ?? '/'
    const url = urlBelow(prefix, given) ?? (prefix === '' ? '/' : urlBelow(prefix, req.originalUrl ?? ''))
    if (url === undefined) {
      next()
      return
    }
    serveNode(library, req, { res, url, native: req, parsed: req.body, root }).then((served) => {
      if (!served) next()
    }, next)
  }
}
