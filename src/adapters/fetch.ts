/**
 * `sif-library/fetch`: for servers that speak `Request` and `Response`: Hono, Bun, Deno, workers.
 *
 *     app.mount('/library', libraryFetch(library, { fallback: true }))                      // Hono
 *     Bun.serve({ fetch: libraryFetch(library, { prefix: '/library', fallback: true }) })
 * @module
 */
import { isUint8Array } from 'node:util/types'
import type { Library, LibraryRequest, LibraryResponse, RequestBody } from '../core/index.js'
import { normalizePrefix, urlBelow } from './prefix.js'

export interface FetchOptions {
  /** Path that the registry lives under, where the host does not strip it. Default: the root. */
  readonly prefix?: string
  /**
   * For the host's own root, beside the mount: only paths of extensions that clients look for there
   * (`/v2/`, `/pks/`) are answered, and no prefix is taken off: hand on the request as it came.
   * Default: false.
   */
  readonly root?: boolean
  /**
   * Answer 404 where the path is not ours, for hosts without a next handler. Default: false, and
   * `undefined` is returned.
   */
  readonly fallback?: boolean
  /**
   * What hooks see as `request.native`, made of the arguments that the host calls with. Default:
   * the `Request`.
   */
  readonly native?: (request: Request, ...rest: readonly unknown[]) => unknown
}

/** Fits `app.mount` of Hono and the `fetch` of other servers. */
export type LibraryFetch<Answer = Response | undefined> = (
  request: Request,
  ...rest: readonly unknown[]
) => Promise<Answer>

function readBody(request: Request): RequestBody {
  const { body } = request
  if (request.bodyUsed) return { kind: 'parsed', value: undefined }
  if (body === null) return { kind: 'none' }
  const length = request.headers.get('content-length')
  // an early end must not cancel the request, or the client never reads our answer
  const stream: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => body.values({ preventCancel: true }) }
  return length === null ? { kind: 'stream', stream } : { kind: 'stream', stream, length: Number(length) }
}

/** HTTP/2 has no Host; some hosts show it in the URL only. */
function readHeaders(request: Request): Record<string, string> {
  const headers = Object.fromEntries(request.headers)
  headers.host ??= new URL(request.url).host
  return headers
}

function toLibraryRequest(
  request: Request,
  url: string,
  { root, native }: { readonly root: boolean; readonly native: unknown },
): LibraryRequest {
  const mark = url.indexOf('?')
  return {
    method: request.method,
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? '' : url.slice(mark + 1),
    headers: readHeaders(request),
    body: readBody(request),
    // read late: some hosts make it only when somebody asks
    get signal() {
      return request.signal
    },
    ...(root && { root }),
    native,
  }
}

/** Pulled chunk by chunk as the client reads; a client that leaves ends the iteration. */
function toStream(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await iterator.next()
          if (done === true) controller.close()
          else controller.enqueue(value)
        } catch {
          // some hosts write the message of this error to the client
          controller.error(new Error('the body was cut short'))
        }
      },
      cancel: async () => {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

function toResponse({ status, headers, body }: LibraryResponse): Response {
  // as bytes: Response adds a charset to the type of strings
  const content = typeof body === 'string' ? new TextEncoder().encode(body) : body
  return new Response(
    content === null || isUint8Array(content) ? (content as Uint8Array<ArrayBuffer> | null) : toStream(content),
    { status, headers },
  )
}

/**
 * Makes a Fetch handler; it answers undefined where the path is not ours, with the request
 * untouched, or 404 with `fallback`.
 */
export function libraryFetch(
  library: Pick<Library, 'handle'>,
  options: FetchOptions & { readonly fallback: true },
): LibraryFetch<Response>
export function libraryFetch(library: Pick<Library, 'handle'>, options?: FetchOptions): LibraryFetch
export function libraryFetch(library: Pick<Library, 'handle'>, options: FetchOptions = {}): LibraryFetch {
  const { root = false } = options
  const prefix = root ? '' : normalizePrefix(options.prefix)
  const nativeOf = options.native ?? ((request) => request)
  return async (request, ...rest) => {
    // cut out of the URL as it stands: `new URL` costs more than the whole look-up
    const url = urlBelow(prefix, request.url.slice(request.url.indexOf('/', request.url.indexOf('://') + 3)))
    const response =
      url === undefined
        ? undefined
        : await library.handle(toLibraryRequest(request, url, { root, native: nativeOf(request, ...rest) }))
    if (response !== undefined) return toResponse(response)
    return options.fallback === true
      ? Response.json(
          { error: { code: 404, message: 'no such path' } },
          { status: 404, headers: { 'cache-control': 'no-store' } },
        )
      : undefined
  }
}
