/**
 * Taking the mount prefix off a raw URL, for hosts that do not do it themselves. Nothing is decoded
 * or joined: the registry's own matcher wants the path as it came.
 */

/** `library/`, `/library` and `/library/` are one prefix: `/library`; none is the empty string. */
export function normalizePrefix(prefix = ''): string {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '')
  return trimmed === '' ? '' : `/${trimmed}`
}

/**
 * A request target without scheme and host, which a client or a proxy may send and a server must
 * take (RFC 9112 3.2.2).
 */
function withoutOrigin(target: string): string {
  if (target.startsWith('/')) return target
  const rest = target.replace(/^https?:\/\/[^/?#]*/i, '')
  return rest === target || rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * What of a raw URL (path and query) lies below a normalized prefix, with a leading slash;
 * undefined when it lies elsewhere.
 */
export function urlBelow(prefix: string, url: string): string | undefined {
  const target = withoutOrigin(url)
  if (!target.startsWith(prefix)) return undefined
  const rest = target.slice(prefix.length)
  if (rest.startsWith('/')) return rest
  return rest === '' || rest.startsWith('?') ? `/${rest}` : undefined
}
