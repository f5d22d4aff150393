/** Names, tags, hashes and references: the one place that knows their grammar (protocol 2). */
import type { ContainerRecord } from '../../storage/metadata/contract.js'
import { LibraryError } from '../http/errors.js'

const namePattern = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/
// The CLIs since 3.3 check no tags, so more is seen than the old grammar allows; a comma separates
// tags on the command line and cannot be in one.
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$/
const sha256HashPattern = /^sha256\.([a-f0-9]{64})$/
const uuidHashPattern = /^sif\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const archPattern = /^[a-z0-9_]{1,32}$/
const idPattern = /^[0-9a-f]{24}$/
const maxNameLength = 255

/**
 * How a request names an image inside its container. `sif.<uuid>` is legal on the wire, but nothing
 * is stored under one.
 */
export type Selector =
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'hash'; readonly digest: string }
  | { readonly kind: 'uuid' }

/** A reference, resolved: short forms carry the default entity and collection. */
export interface Reference {
  readonly entity: string
  readonly collection: string
  readonly container: string
  /** undefined where the reference had no `:`. */
  readonly selector: Selector | undefined
}

const quote = (value: string): string => JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)

/**
 * Returns a name that keeps the grammar of protocol 2.1; throws `invalid-name` that says which
 * field.
 */
export function checkName(field: string, value: string): string {
  if (value.length > maxNameLength || !namePattern.test(value)) {
    throw new LibraryError(
      'invalid-name',
      `${field}: ${quote(value)} is no valid name: lower-case letters and digits, with single . _ - between them, ${maxNameLength} characters at most`,
    )
  }
  return value
}

/**
 * Returns a tag that may be set. One that looks like a hash could never be pulled, so it is refused
 * (protocol 2.2).
 */
export function checkTag(field: string, value: string): string {
  if (!tagPattern.test(value)) {
    throw new LibraryError(
      'invalid-name',
      `${field}: ${quote(value)} is no valid tag: letters, digits and . _ + -, 128 characters at most, not starting with . + or -`,
    )
  }
  if (sha256HashPattern.test(value) || uuidHashPattern.test(value))
    throw new LibraryError('invalid-name', `${field}: a tag may not look like a hash`)
  return value
}

/**
 * Returns an architecture in a closed alphabet, since it is compared and stored; Go names such as
 * `amd64` (protocol 2.6).
 */
export function checkArch(field: string, value: string): string {
  if (!archPattern.test(value))
    throw new LibraryError('invalid-name', `${field}: ${quote(value)} is no architecture such as amd64 or arm64`)
  return value
}

/** Wire form `sha256.<hex>` to digest hex; throws `invalid-name`. */
export function digestFromHash(field: string, hash: string): string {
  const digest = sha256HashPattern.exec(hash)?.[1]
  if (digest === undefined)
    throw new LibraryError(
      'invalid-name',
      `${field}: ${quote(hash)} is no hash of the form sha256.<64 lower-case hex digits>`,
    )
  return digest
}

/** Digest hex to wire form (protocol 2.5). */
export function hashFromDigest(digest: string): string {
  return `sha256.${digest}`
}

/** Whether a value can be an id of ours; another one needs no look-up. */
export function isId(value: string): boolean {
  return idPattern.test(value)
}

/** What follows the first `:` of a reference. */
export function parseSelector(value: string): Selector {
  const digest = sha256HashPattern.exec(value)?.[1]
  if (digest !== undefined) return { kind: 'hash', digest }
  if (uuidHashPattern.test(value)) return { kind: 'uuid' }
  return { kind: 'tag', tag: checkTag('tag', value) }
}

/** A digest behind `@`, as users of OCI registries write it. Clients append `:latest` to a reference without a colon. */
function refuseAtSign(segments: readonly string[]): void {
  const [name = '', after = ''] = (segments.at(-1) ?? '').split('@')
  const hash = /^sha256[.:]([0-9a-f]{64})(?::latest)?$/i.exec(after)?.[1]?.toLowerCase()
  if (!after.startsWith('sha256')) return
  const parts = [...segments.slice(0, -1), name.split(':')[0] ?? '']
  const path = parts.every((part) => namePattern.test(part)) ? parts.join('/') : 'NAME'
  throw new LibraryError(
    'invalid-name',
    `an image is named by its hash behind a colon, not an @: library://${path}:sha256.${hash ?? '<64 lower-case hex digits>'}`,
  )
}

/**
 * Resolves the decoded segments of a reference: one part → default entity and collection, two →
 * default entity (protocol 2.3). A container name cannot hold a `:`, so the last segment is split
 * at its first one (protocol 3.2).
 */
export function parseReference(
  segments: readonly string[],
  defaults: { readonly defaultEntity: string; readonly defaultCollection: string },
): Reference {
  const last = segments.at(-1)
  if (last?.includes('@')) refuseAtSign(segments)
  if (last === undefined || segments.length > 3)
    throw new LibraryError('invalid-name', 'the reference must have one to three parts, entity/collection/container')
  const colon = last.indexOf(':')
  const [entity, collection] =
    segments.length === 3
      ? [segments[0] as string, segments[1] as string]
      : segments.length === 2
        ? [defaults.defaultEntity, segments[0] as string]
        : [defaults.defaultEntity, defaults.defaultCollection]
  return {
    entity: checkName('entity', entity),
    collection: checkName('collection', collection),
    container: checkName('container', colon < 0 ? last : last.slice(0, colon)),
    selector: colon < 0 ? undefined : parseSelector(last.slice(colon + 1)),
  }
}

/** `entity/collection/container`. */
export function containerPath(container: Pick<ContainerRecord, 'entityName' | 'collectionName' | 'name'>): string {
  return `${container.entityName}/${container.collectionName}/${container.name}`
}
