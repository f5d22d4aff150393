/** The lines that people type, for the address of this registry. */
import { session } from './state/session.js'

export type Tool = 'apptainer' | 'singularity'

/** Where clients reach the registry. */
export const registryUrl = (): string =>
  session.value?.registry.url ?? new URL('..', document.baseURI).href.replace(/\/$/, '')

/** Leaves plain words alone, and quotes others for a shell. */
const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/**
 * `remote add` of the clients takes no port, and speaks https. Elsewhere the entry is made by a command of ours, which
 * asks for the token.
 */
export function signInLines(tool: Tool): readonly string[] {
  const { protocol, port, host, pathname } = new URL(registryUrl())
  if (protocol !== 'https:' || port !== '') return [`npx sif-library login ${quote(registryUrl())}`]
  return [
    `${tool} remote add --no-login sif-library ${quote(host + (pathname === '/' ? '' : pathname))}`,
    `${tool} remote login sif-library`,
    `${tool} remote use sif-library`,
  ]
}

export interface ImagePlace {
  readonly path: string
  /** A tag, or `sha256.` and the digest. */
  readonly selector: string
  /** Named where it is not the usual one. */
  readonly arch?: string | undefined
  /** Whoever is not signed in has no entry of this registry: the line names it. */
  readonly anonymous: boolean
}

const reference = ({ path, selector }: Pick<ImagePlace, 'path' | 'selector'>): string => `library://${path}:${selector}`

export function pullLine(tool: Tool, place: ImagePlace): string {
  const arch = place.arch === undefined || place.arch === 'amd64' ? '' : ` --arch ${place.arch}`
  const library = place.anonymous ? ` --library ${quote(registryUrl())}` : ''
  return `${tool} pull${arch}${library} ${reference(place)}`
}

export const pushLine = (tool: Tool, file: string, path: string, tag: string): string =>
  `${tool} push -U ${quote(file)} ${reference({ path, selector: tag })}`

export function definitionLines(place: ImagePlace): string {
  const library = place.anonymous ? `\nLibrary: ${registryUrl()}` : ''
  return `Bootstrap: library\nFrom: ${place.path}:${place.selector}${library}`
}

export const nextflowLine = (place: ImagePlace): string => `process.container = '${reference(place)}'`
