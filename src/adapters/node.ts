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
  const prefix = normalizePrefix(options.prefix)
  const fallback = options.fallback ?? answerNotFound
  return (req, res) => {
    const url = urlBelow(prefix, req.url ?? '/')
    if (url === undefined) {
      fallback(req, res)
      return
    }
    serveNode(library, req, { res, url, native: req }).then(
      (served) => {
        if (!served) fallback(req, res)
      },
      // only a response that Node itself refuses to write comes here
      () => cutOff(res),
    )
  }
}
