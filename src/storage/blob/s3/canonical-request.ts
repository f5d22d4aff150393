/** A request as its signature covers it, however the signature travels. */
export interface SignedRequest {
  readonly method: string
  /** As it is sent, percent-encoded. */
  readonly path: string
  readonly query: Readonly<Record<string, string | readonly string[] | null | undefined>>
  readonly headers: Readonly<Record<string, string>>
}

const REDACTED = '[redacted]'
const ALGORITHM = 'AWS4-HMAC-SHA256'

/**
 * The canonical request that a signature was made of (AWS "Create a signed AWS API request", step
 * 1): what to hold against the one that a store computed when it says SignatureDoesNotMatch. The
 * access key and a session token are replaced by `[redacted]`, the signature is no part of it.
 * Undefined where the request carries no signature of version 4.
 */
export function canonicalRequest({ method, path, query, headers }: SignedRequest): string | undefined {
  const sent = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')]),
  )
  const authorization = sent.get('authorization')
  const inQuery = query['X-Amz-SignedHeaders']
  const names =
    typeof inQuery === 'string'
      ? inQuery
      : authorization?.startsWith(ALGORITHM)
        ? /SignedHeaders=([^,\s]+)/.exec(authorization)?.[1]
        : undefined
  if (names === undefined) return undefined
  // bound to its bytes by a header, or not at all (AWS "Authenticating Requests: Using Query
  // Parameters")
  const payload = sent.get('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD'
  const lines = names
    .split(';')
    .map((name) => `${name}:${name === 'x-amz-security-token' ? REDACTED : (sent.get(name) ?? '')}`)
  return [method, path, canonicalQuery(query), ...lines, '', names, payload].join('\n')
}

function canonicalQuery(query: SignedRequest['query']): string {
  return Object.entries(query)
    .filter(([name]) => name !== 'X-Amz-Signature')
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value ?? '']).map(
        (one: string) => [encodeRfc3986(name), hide(name, one)] as const,
      ),
    )
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function hide(name: string, value: string): string {
  if (name === 'X-Amz-Security-Token') return REDACTED
  // what follows the key is date, region and service: the first thing to look at
  if (name === 'X-Amz-Credential') return REDACTED + encodeRfc3986(value.slice(Math.max(0, value.indexOf('/'))))
  return encodeRfc3986(value)
}

/** RFC 3986 percent-encoding as SigV4 wants it: everything but `A-Za-z0-9-._~`. */
export function encodeRfc3986(text: string): string {
  // most of what a URL carries is plain already, and this runs a dozen times for each
  if (/^[\w.~-]*$/.test(text)) return text
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
