/** Reading and changing what is private: for operators and hosts, below the routes. */
import type { MetadataStore } from '../../storage/metadata/contract.js'
import { LibraryError } from '../http/errors.js'
import { checkName } from '../model/references.js'

export interface PathVisibility {
  readonly kind: 'entity' | 'collection' | 'container'
  readonly path: string
  /** For an entity: what is made in it later starts private. */
  readonly private: boolean
  /** A container in a private collection is hidden, whatever its own flag says. */
  readonly privateByCollection: boolean
}

/** Shows, and with `change` first sets, whether an entity, collection or container is private. Throws `not-found`, `invalid-name`. */
export async function pathVisibility(
  store: { readonly metadata: MetadataStore; readonly clock: () => number },
  path: string,
  change?: 'private' | 'public',
): Promise<PathVisibility> {
  const { metadata, clock } = store
  const parts = path.split('/')
  const [entity = '', collection, container] = parts
  if (parts.length > 3)
    throw new LibraryError('invalid-name', 'the path must be entity, entity/collection or entity/collection/container')
  for (const part of parts) checkName('path', part)
  const value = change === 'private'
  const missing = (): LibraryError =>
    new LibraryError('not-found', `no such ${['entity', 'collection', 'container'][parts.length - 1]}: ${path}`)

  if (collection === undefined) {
    const found = await metadata.entities.findByName(entity)
    const record =
      found !== undefined && change !== undefined
        ? await metadata.entities.update(found.id, { defaultPrivate: value, now: clock() })
        : found
    if (record === undefined) throw missing()
    return { kind: 'entity', path, private: record.defaultPrivate, privateByCollection: false }
  }
  if (container === undefined) {
    const found = await metadata.collections.findByPath(entity, collection)
    const record =
      found !== undefined && change !== undefined
        ? await metadata.collections.setPrivate(found.id, value, clock())
        : found
    if (record === undefined) throw missing()
    return { kind: 'collection', path, private: record.private, privateByCollection: false }
  }
  const found = await metadata.containers.findByPath({ entity, collection, container })
  const record =
    found !== undefined && change !== undefined ? await metadata.containers.setPrivate(found.id, value, clock()) : found
  if (record === undefined) throw missing()
  return { kind: 'container', path, private: record.private, privateByCollection: record.collectionPrivate }
}
