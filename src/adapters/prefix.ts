/** Taking the mount prefix off a raw URL, for hosts that do not do it themselves. Nothing is decoded or joined: the registry's own matcher wants the path as it came. */

/** `library/`, `/library` and `/library/` are one prefix: `/library`; none is the empty string. */
export function normalizePrefix(prefix = ''): string {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '')
  return trimmed === '' ? '' : `/${trimmed}`
}

/** What of a raw URL (path and query) lies below a normalized prefix, with a leading slash; undefined when it lies elsewhere. */
export function urlBelow(prefix: string, url: string): string | undefined {
  if (!url.startsWith(prefix)) return undefined
  const rest = url.slice(prefix.length)
  if (rest.startsWith('/')) return rest
  return rest === '' || rest.startsWith('?') ? `/${rest}` : undefined
}
