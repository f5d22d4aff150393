/**
 * `sif-library/koa`: for Koa 2 and 3.
 *
 *     app.use(libraryMiddleware(library, { prefix: '/library' }))
 *     app.use(mount('/library', libraryMiddleware(library)))       // koa-mount
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isUint8Array } from 'node:util/types'
import type { Library, LibraryResponse } from '../core/index.js'
import { askLibrary, toReadable } from './node-http.js'
import { normalizePrefix, urlBelow } from './prefix.js'

/** What is used of Koa's context, so that this file needs no types of Koa. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** A body parser, such as koa-bodyparser, leaves what it read in `request.body`. */
  readonly request: object
  readonly url: string
  readonly originalUrl: string
  status: number
  body: unknown
  set(name: string, value: string): void
  append(name: string, value: string): void
  remove(name: string): void
}

/** Fits `app.use` of Koa. */
export type LibraryMiddleware = (ctx: KoaContext, next: () => Promise<unknown>) => Promise<void>

export interface KoaOptions {
  /**
   * Path that the registry lives under, such as `/library`. Default: the root, or where koa-mount
   * put us.
   */
  readonly prefix?: string
  /**
   * For the host's own root, beside the mount: only paths of extensions that clients look for there
   * (`/v2/`, `/pks/`) are answered, and no prefix is taken off. Default: false.
   */
  readonly root?: boolean
}

const empty = Buffer.alloc(0)

function toBody(body: LibraryResponse['body'], res: ServerResponse): unknown {
  // null would turn 200 into 204
  if (body === null) return empty
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body
  return isUint8Array(body) ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : toReadable(body, res)
}

/**
 * Mounts a registry; paths that are not its own go on to the next middleware with their request
 * untouched. Hooks see `ctx` as `request.native`.
 */
export function libraryMiddleware(library: Pick<Library, 'handle'>, options: KoaOptions = {}): LibraryMiddleware {
  const { root = false } = options
  const prefix = root ? '' : normalizePrefix(options.prefix)
  return async (ctx, next) => {
    const { req, res } = ctx
    const url = urlBelow(prefix, root ? ctx.originalUrl : ctx.url)
    const parsed = (ctx.request as { readonly body?: unknown }).body
    const response =
      url === undefined ? undefined : await askLibrary(library, req, { res, url, native: ctx, parsed, root })
    if (response === undefined) {
      await next()
      return
    }
    // in this order: Koa guesses a status and a type from the body
    ctx.body = toBody(response.body, res)
    ctx.status = response.status
    ctx.remove('content-type')
    for (const [name, value] of Object.entries(response.headers)) {
      // beside the cookies of the host
      if (name === 'set-cookie') ctx.append(name, value)
      else ctx.set(name, value)
    }
  }
}
