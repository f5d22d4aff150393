/**
 * Where Node's responses and requests over HTTP/2 differ from those over HTTP/1: streams that are
 * cut instead of connections, and no Host.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a response on HTTP/2 has beside those of HTTP/1. */
interface Http2Stream {
  readonly aborted: boolean
  readonly destroyed: boolean
  close(code: number): void
}

const streamOf = (res: ServerResponse): Http2Stream | undefined => (res as { readonly stream?: Http2Stream }).stream

/** HTTP/2's INTERNAL_ERROR. Its `destroy` would tell the client that all is well. */
const internalError = 2

/**
 * Cuts what the client must not take for a whole answer: on HTTP/2 the stream, else the connection,
 * by the response or by the request where that is over.
 */
export function cutOff(res: ServerResponse, side: ServerResponse | IncomingMessage = res): void {
  const stream = streamOf(res)
  if (stream === undefined) side.destroy()
  else stream.close(internalError)
}

/** Nobody reads any more. */
export function isGone(res: ServerResponse): boolean {
  return streamOf(res)?.destroyed ?? res.destroyed
}

/** The client got the whole answer. */
export function isAnswered(res: ServerResponse): boolean {
  return res.writableFinished && streamOf(res)?.aborted !== true
}

/** On HTTP/2 the host that was asked for stands in a pseudo header (RFC 9113 8.3.1). */
export function readHeaders(req: IncomingMessage): IncomingMessage['headers'] {
  if (req.httpVersionMajor < 2) return req.headers
  const named = Object.entries(req.headers).filter(([name]) => !name.startsWith(':'))
  return { host: req.headers[':authority'] as string | undefined, ...Object.fromEntries(named) }
}
