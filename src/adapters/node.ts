/**
 * `sif-library/node`: for `node:http` and `node:https`.
 *
 *     createServer(libraryListener(library))
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Library } from '../core/index.js'
import { serveNode } from './node-http.js'
import { cutOff } from './node-http2.js'
import { normalizePrefix, urlBelow } from './prefix.js'

export interface ListenerOptions {
  /** Path that the registry lives under, such as `/library`. Default: the root. */
  readonly prefix?: string
  /**
   * For the host's own root, beside the mount: only paths of extensions that clients look for there
   * (`/v2/`, `/pks/`) are answered, and no prefix is taken off. Default: false.
   */
  readonly root?: boolean
  /** Called for paths that are not the registry's. Default: 404 with the error envelope. */
  readonly fallback?: (req: IncomingMessage, res: ServerResponse) => void
}

const notFound = JSON.stringify({ error: { code: 404, message: 'no such path' } })

function answerNotFound(_req: IncomingMessage, res: ServerResponse): void {
  res
    .writeHead(404, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(notFound),
      'cache-control': 'no-store',
    })
    .end(notFound)
}

/** Makes a request listener. Hooks see the `IncomingMessage` as `request.native`. */
export function libraryListener(
  library: Pick<Library, 'handle'>,
  options: ListenerOptions = {},
): (req: IncomingMessage, res: ServerResponse) => void {
  const { root = false } = options
  const prefix = root ? '' : normalizePrefix(options.prefix)
  const fallback = options.fallback ?? answerNotFound
  return (req, res) => {
    const url = urlBelow(prefix, req.url ?? '/')
    if (url === undefined) {
      fallback(req, res)
      return
    }
    serveNode(library, req, { res, url, native: req, root }).then(
      (served) => {
        if (!served) fallback(req, res)
      },
      // only a response that Node itself refuses to write comes here
      () => cutOff(res),
    )
  }
}
