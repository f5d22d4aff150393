/**
 * What an adapter hands to the core and gets back: plain values, so that no framework and no socket
 * is seen below the adapters.
 */

/** The body of a request, as the host left it. */
export type RequestBody =
  | { readonly kind: 'none' }
  /**
   * Nothing was read yet. `length` is the announced Content-Length in bytes, where there is one.
   */
  | { readonly kind: 'stream'; readonly stream: AsyncIterable<Uint8Array>; readonly length?: number }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /**
   * The host's own parser read the stream and left a value, such as `req.body` of `express.json()`.
   */
  | { readonly kind: 'parsed'; readonly value: unknown }

export interface LibraryRequest {
  /** Upper case. */
  readonly method: string
  /**
   * Raw (still percent-encoded) path below the mount prefix: starts with `/`, no host, no query.
   */
  readonly path: string
  /**
   * The path is that of the host's root: only rows of extensions answer that clients look for
   * there.
   */
  readonly root?: boolean
  /** Raw query without the `?`; empty when there is none. */
  readonly query: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: RequestBody
  /** Fires when the client leaves before the answer is complete. */
  readonly signal?: AbortSignal
  /**
   * Cuts the connection: called when an answer under way is given up because the client takes no
   * byte any more.
   */
  cut?(): void
  /** Address of the peer, for logs. */
  readonly remote?: string
  /**
   * The host framework's own request (`req.user`, `ctx.state`, session), for hooks; opaque to the
   * core.
   */
  readonly native?: unknown
}

export interface LibraryResponse {
  readonly status: number
  /** Names in lower case. `content-length` is set whenever it is known. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: null | string | Uint8Array | AsyncIterable<Uint8Array>
}

/** The value of a header; of a repeated one the first. */
export function readHeader(request: LibraryRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' || value === undefined ? value : value[0]
}
