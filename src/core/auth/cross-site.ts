/**
 * Keeps web pages of other sites from writing with what a browser sends along by itself: cookies,
 * Basic credentials, its place in a network.
 */
import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import { bearerToken } from './policy.js'

const safeMethods = new Set(['GET', 'HEAD'])

/** A repeated header counts as one value, which is none of the allowed ones. */
function wholeHeader(request: LibraryRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' || value === undefined ? value : value.join(', ')
}

function isSameOrigin(origin: string, publicUrl: string): boolean {
  return origin === new URL(publicUrl).origin
}

/**
 * Throws `cross-site` for a write that the page of another site had a browser send. Browsers say so
 * by `Sec-Fetch-Site` (Fetch Metadata), on plain http beside loopback by `Origin` alone (Fetch
 * 3.2). `same-site` is refused: the host name of a neighbour is not this registry. Command lines
 * send neither header. A bearer token is proof enough: no page gets a browser to send one without
 * asking first, and nothing here answers such a question.
 */
export function refuseCrossSite(request: LibraryRequest, publicUrl: (request: LibraryRequest) => string): void {
  if (safeMethods.has(request.method)) return
  const site = wholeHeader(request, 'sec-fetch-site')
  const origin = wholeHeader(request, 'origin')
  if (site === undefined && origin === undefined) return
  const isOwn =
    site === undefined
      ? origin === undefined || isSameOrigin(origin, publicUrl(request))
      : site === 'same-origin' || site === 'none'
  if (isOwn || bearerToken(request) !== null) return
  throw new LibraryError('cross-site')
}
