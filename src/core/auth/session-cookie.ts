/** The cookie by which a browser shows its session of the built-in accounts. */
import type { LibraryRequest } from '../http/messages.js'

const cookieName = 'sif_library_session'

/**
 * The session that a request brings along; null when there is none. Of several the first: that of
 * the longest path (RFC 6265 5.4).
 */
export function readSessionCookie(request: LibraryRequest): string | null {
  const given = request.headers.cookie
  const lines = typeof given === 'string' || given === undefined ? [given ?? ''] : given
  for (const pair of lines.flatMap((line) => line.split(';'))) {
    const equals = pair.indexOf('=')
    if (equals > 0 && pair.slice(0, equals).trim() === cookieName) return pair.slice(equals + 1).trim() || null
  }
  return null
}

/**
 * No script reads it, no page of another site has it sent, and no other mount of the host gets it.
 */
function attributes(publicUrl: string): string {
  const { pathname, protocol } = new URL(publicUrl)
  return `Path=${pathname.replace(/\/+$/, '') || '/'}; HttpOnly; SameSite=Strict${protocol === 'https:' ? '; Secure' : ''}`
}

/**
 * The value of `Set-Cookie` for a new session. The browser forgets it when it is closed; how long
 * it works is the server's business.
 */
export function sessionCookie(session: string, publicUrl: string): string {
  return `${cookieName}=${session}; ${attributes(publicUrl)}`
}

/** The value of `Set-Cookie` that takes it back. */
export function endedSessionCookie(publicUrl: string): string {
  return `${cookieName}=; ${attributes(publicUrl)}; Max-Age=0`
}
