/**
 * Whether a pull may be redirected to the object store: only where the client does not carry its
 * token along.
 *
 * A store that finds a token beside the credentials in its URL answers 400, and client libraries
 * from 1.4 on write that answer into the image and report success (protocol 5.7, Q29). So where a
 * token would arrive, the client gets a transfer URL of ours.
 */
import type { LibraryRequest } from '../http/messages.js'
import { readHeader } from '../http/messages.js'

/**
 * To which targets of a redirect a client sends its token, from the fewest to the most: none; those
 * with the host and port of the registry; those whose host is the registry's or below it, on any
 * port; all.
 */
type TokenReach = 'nowhere' | 'authority' | 'name' | 'anywhere'

interface Generation {
  readonly product: 'singularity' | 'apptainer'
  /** The first version that is no longer of this generation. */
  readonly below: readonly [number, number, number]
  /** How it spells the scheme of its Authorization header. */
  readonly scheme: 'Bearer' | 'BEARER'
  readonly reach: TokenReach
}

const later = [Number.POSITIVE_INFINITY, 0, 0] as const

/** Each client by its User-Agent (protocol 11); the first row that fits counts. */
const generations: readonly Generation[] = [
  // Go's http.Client follows the redirect and compares host names
  { product: 'singularity', below: [3, 3, 0], scheme: 'Bearer', reach: 'name' },
  { product: 'singularity', below: [3, 9, 0], scheme: 'BEARER', reach: 'name' },
  // the client library 1.2.0-1.3.1 sends no token to the target; its own host is left out to be
  // sure
  { product: 'singularity', below: [3, 10, 0], scheme: 'BEARER', reach: 'authority' },
  // 1.3.2-1.3.3 sends it to every target
  { product: 'singularity', below: [3, 10, 5], scheme: 'BEARER', reach: 'anywhere' },
  // 1.4 and later compare scheme, host and port
  { product: 'singularity', below: later, scheme: 'Bearer', reach: 'authority' },
  { product: 'apptainer', below: [1, 1, 0], scheme: 'BEARER', reach: 'authority' },
  { product: 'apptainer', below: [1, 1, 6], scheme: 'BEARER', reach: 'anywhere' },
  { product: 'apptainer', below: [1, 2, 0], scheme: 'BEARER', reach: 'authority' },
  { product: 'apptainer', below: later, scheme: 'Bearer', reach: 'authority' },
]

// a version of SingularityPRO that is none of these (3.9-8) stays unknown
const agentPattern = /^(singularity|apptainer)(?:-?(?:ce|pro))?\/(\d+)\.(\d+)\.(\d+)/i

function findGeneration(request: LibraryRequest): Generation | undefined {
  const match = agentPattern.exec(readHeader(request, 'user-agent') ?? '')
  if (match === null) return undefined
  const [, product = '', ...numbers] = match
  const version = numbers.map(Number)
  const isBelow = (limit: Generation['below']): boolean => {
    const at = limit.findIndex((number, index) => number !== version[index])
    return at >= 0 && (version[at] ?? 0) < (limit[at] ?? 0)
  }
  return generations.find((row) => row.product === product.toLowerCase() && isBelow(row.below))
}

/**
 * Where the client of this request sends its token if it is redirected. `isSignedIn`: the host
 * knows who asks, also where a proxy in front has taken the token off.
 *
 * The User-Agent says it only together with the spelling of `Bearer`, which no host changes. A
 * client that neither tells is taken for the worst one that spells so.
 */
export function tokenReach(request: LibraryRequest, isSignedIn: boolean): TokenReach {
  const authorization = readHeader(request, 'authorization')
  if (authorization === undefined && !isSignedIn) return 'nowhere'
  const known = findGeneration(request)
  if (authorization === undefined) return known?.reach ?? 'authority'
  const scheme = authorization.trim().split(/\s/, 1)[0]
  if (known !== undefined && known.scheme === scheme) return known.reach
  // libraries up to 1.3 write it in capitals
  return known?.reach === 'anywhere' || scheme === 'BEARER' ? 'anywhere' : 'name'
}

/**
 * A host as URLs and Host headers name it; `port` is undefined where a Host leaves it to a scheme
 * that nobody told.
 */
interface Authority {
  readonly name: string
  readonly port: number | undefined
}

const defaultPorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

/** `EXAMPLE.org.`, `[0::1]` and `127.1` as one spelling each; undefined for what is no host. */
function readName(text: string): string | undefined {
  if (!URL.canParse(`http://${text}/`)) return undefined
  return new URL(`http://${text}/`).hostname.replace(/\.+$/, '')
}

function authorityOfUrl(text: string): Authority | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, hostname, port } = new URL(text)
  const name = readName(hostname)
  return name === undefined ? undefined : { name, port: port === '' ? defaultPorts[protocol] : Number(port) }
}

function authorityOfHost(text: string): Authority | undefined {
  const [, host = '', port] = /^(.*?)(?::(\d*))?$/.exec(text.trim()) ?? []
  const name = readName(host)
  return name === undefined ? undefined : { name, port: port === undefined || port === '' ? undefined : Number(port) }
}

/**
 * Every host under which the client may know this registry. A forged header costs its sender the
 * redirect, no more.
 */
function hostsOf(request: LibraryRequest, publicUrl: string): readonly Authority[] {
  const forwarded = [...(readHeader(request, 'forwarded') ?? '').matchAll(/\bhost="?([^";,\s]+)/gi)]
  const named = [
    readHeader(request, 'host') ?? '',
    ...(readHeader(request, 'x-forwarded-host') ?? '').split(','),
    ...forwarded.map(([, host = '']) => host),
  ]
  return [authorityOfUrl(publicUrl), ...named.map(authorityOfHost)].filter((host) => host !== undefined)
}

function isSameAuthority(host: Authority, target: Authority): boolean {
  if (host.name !== target.name) return false
  return host.port === undefined ? target.port === 80 || target.port === 443 : host.port === target.port
}

const isSameOrBelow = (host: Authority, target: Authority): boolean =>
  target.name === host.name || target.name.endsWith(`.${host.name}`)

/**
 * How a store lies to a registry: under its host and port, under its host name or below that, or
 * elsewhere. Both are absolute URLs.
 */
export function placeOfStore(publicUrl: string, storeUrl: string): 'authority' | 'name' | 'elsewhere' {
  const host = authorityOfUrl(publicUrl)
  const target = authorityOfUrl(storeUrl)
  if (host === undefined || target === undefined) return 'elsewhere'
  if (isSameAuthority(host, target)) return 'authority'
  return isSameOrBelow(host, target) ? 'name' : 'elsewhere'
}

/**
 * Whether a token that goes so far arrives at `target`, an absolute URL, when this request is
 * redirected there.
 */
export function tokenArrives(
  reach: TokenReach,
  {
    request,
    publicUrl,
    target,
  }: { readonly request: LibraryRequest; readonly publicUrl: string; readonly target: string },
): boolean {
  if (reach === 'nowhere') return false
  const store = authorityOfUrl(target)
  if (reach === 'anywhere' || store === undefined) return true
  const matches = reach === 'name' ? isSameOrBelow : isSameAuthority
  return hostsOf(request, publicUrl).some((host) => matches(host, store))
}
