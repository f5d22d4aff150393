/** URLs of the server: where it listens, and what clients are told. */
import type { LibraryRequest } from 'sif-library'

export interface Address {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  /** Path of a socket, which is listened on instead of host and port. */
  readonly socket?: string
}

/** The path in `unix:/path`; undefined for any other URL. */
export function socketOf(url: string): string | undefined {
  return url.startsWith('unix:') ? url.slice('unix:'.length) : undefined
}

/** All addresses of the machine. */
export const isEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::'

/**
 * A port that the scheme implies is left out: `remote add` of the clients takes only URLs without
 * one (protocol 6.1).
 */
function toUrl({ scheme, host, port }: Address): string {
  const name = host.includes(':') ? `[${host}]` : host
  return `${scheme}://${name}${port === (scheme === 'http' ? 80 : 443) ? '' : `:${port}`}`
}

/** The URL that reaches the server from this machine; `unix:/path` for a socket. */
export function localUrl(address: Address): string {
  if (address.socket !== undefined) return `unix:${address.socket}`
  if (!isEverywhere(address.host)) return toUrl(address)
  return toUrl({ ...address, host: address.host === '::' ? '::1' : '127.0.0.1' })
}

/**
 * The public URL where no option names one: the address listened on. Listening on all of them there
 * are many, so it is the one that the client used, from the Host header: the answer goes to this
 * client only. `listening` is asked late, for a port 0 is known only then.
 */
export function defaultPublicUrl(listening: () => Address): (request: LibraryRequest) => string {
  return (request) => {
    const address = listening()
    const host = request.headers.host
    if (
      isEverywhere(address.host) &&
      typeof host === 'string' &&
      /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(host)
    )
      return `${address.scheme}://${host}`
    return localUrl(address)
  }
}
