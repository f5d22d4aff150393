/**
 * References as people type them: `entity/collection/container`, with `:tag` or `:sha256.HEX`
 * behind.
 */
import { UsageError } from '../failure.js'

export interface Place {
  /** Without the selector. */
  readonly path: string
  /** Its parts: 1 is an entity, 2 a collection, 3 a container. */
  readonly depth: number
  readonly tag?: string
  /** 64 lower-case hex digits. */
  readonly digest?: string
}

export function readPlace(text: string): Place {
  const bare = text.replace(/^library:\/{2,3}/, '').replace(/\/+$/, '')
  const colon = bare.indexOf(':', bare.lastIndexOf('/') + 1)
  const path = colon < 0 ? bare : bare.slice(0, colon)
  const selector = colon < 0 ? undefined : bare.slice(colon + 1)
  const parts = path.split('/')
  const depth = parts.length
  if (path === '' || depth > 3 || parts.includes(''))
    throw new UsageError(`${text} is no path: entity, entity/collection or entity/collection/container`)
  if (selector === undefined) return { path, depth }
  if (depth < 3) throw new UsageError(`${text}: a tag or a hash stands behind entity/collection/container alone`)
  const digest = /^sha256[.:]([0-9a-f]{64})$/.exec(selector)?.[1]
  return digest === undefined ? { path, depth, tag: selector } : { path, depth, digest }
}

/** A container, with or without a selector. */
export function readContainer(text: string): Place {
  const place = readPlace(text)
  if (place.depth < 3) throw new UsageError(`${text} names no container: entity/collection/container`)
  return place
}
