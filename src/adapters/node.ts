/**
 * `sif-library/node`: for `node:http` and `node:https`.
 *
 *     createServer(libraryListener(library))
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Library } from '../core/index.js'
import { serveNode } from './node-http.js'

export interface ListenerOptions {
  /** Path that the registry lives under, such as `/library`. Default: the root. */
  readonly prefix?: string
  /** Called for paths that are not the registry's. Default: 404 with the error envelope. */
  readonly fallback?: (req: IncomingMessage, res: ServerResponse) => void
}

const notFound = JSON.stringify({ error: { code: 404, message: 'no such path' } })

/** Makes a request listener. */
export function libraryListener(library: Pick<Library, 'handle'>, options: ListenerOptions = {}): (req: IncomingMessage, res: ServerResponse) => void {
  const prefix = (options.prefix ?? '').replace(/\/+$/, '')
  const fallback =
    options.fallback ??
    ((_req, res) => {
      res.writeHead(404, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(notFound) }).end(notFound)
    })
  return (req, res) => {
    const full = req.url ?? '/'
    const next = full[prefix.length]
    if (!full.startsWith(prefix) || (prefix !== '' && next !== undefined && next !== '/' && next !== '?')) {
      fallback(req, res)
      return
    }
    const rest = full.slice(prefix.length)
    serveNode(library, req, { res, url: rest.startsWith('/') ? rest : `/${rest}`, native: req }).then(
      (served) => {
        if (!served) fallback(req, res)
      },
      (error: unknown) => res.destroy(error instanceof Error ? error : undefined),
    )
  }
}
