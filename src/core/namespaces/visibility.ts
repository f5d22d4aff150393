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

export interface VisibilityOptions {
  /**
   * Make the path, and what it lies in, where it is not there yet. Needs a `change`. Default:
   * false.
   */
  readonly create?: boolean
  /**
   * Principal id written into what is made, as if that principal had pushed it. Default: the owner
   * of what it lies in, otherwise the user of the built-in accounts that has the entity's name,
   * otherwise null.
   */
  readonly owner?: string
}

interface VisibilityContext {
  readonly metadata: MetadataStore
  readonly clock: () => number
  readonly generateId: () => string
  /** Of entities that are made. */
  readonly defaultPrivate: boolean
}

interface Place {
  readonly entity: string
  readonly collection: string | undefined
  readonly container: string | undefined
}

function readPlace(path: string): Place {
  const parts = path.split('/')
  const [entity = '', collection, container] = parts
  if (parts.length > 3)
    throw new LibraryError('invalid-name', 'the path must be entity, entity/collection or entity/collection/container')
  for (const part of parts) checkName('path', part)
  return { entity, collection, container }
}

/**
 * Makes what is missing. The last level starts as wanted, so that it is never public in between;
 * those above it as if a push had made them.
 */
async function makePlace(
  { metadata, clock, generateId, defaultPrivate }: VisibilityContext,
  { entity: name, collection, container }: Place,
  { isPrivate, owner: given }: { readonly isPrivate: boolean; readonly owner: string | undefined },
): Promise<void> {
  const made = { description: '', now: clock() }
  const entity =
    (await metadata.entities.findByName(name)) ??
    (
      await metadata.entities.createIfAbsent({
        ...made,
        id: generateId(),
        name,
        defaultPrivate: collection === undefined ? isPrivate : defaultPrivate,
        owner: given ?? (await metadata.accounts.findUser(name))?.id ?? null,
      })
    ).record
  if (collection === undefined) return
  const parent =
    (await metadata.collections.findByPath(name, collection)) ??
    (
      await metadata.collections.createIfAbsent({
        ...made,
        id: generateId(),
        entityId: entity.id,
        name: collection,
        private: container === undefined ? isPrivate : entity.defaultPrivate,
        owner: given ?? entity.owner,
      })
    ).record
  if (container === undefined) return
  await metadata.containers.createIfAbsent({
    ...made,
    id: generateId(),
    collectionId: parent.id,
    name: container,
    private: isPrivate,
    owner: given ?? parent.owner,
  })
}

/**
 * Shows, and with `change` first sets, whether an entity, collection or container is private.
 * Throws `not-found`, `invalid-name`.
 */
export async function pathVisibility(
  context: VisibilityContext,
  path: string,
  change?: 'private' | 'public',
  { create = false, owner }: VisibilityOptions = {},
): Promise<PathVisibility> {
  const { metadata, clock } = context
  const place = readPlace(path)
  const { entity, collection, container } = place
  const value = change === 'private'
  const missing = (kind: PathVisibility['kind']): LibraryError =>
    new LibraryError('not-found', `no such ${kind}: ${path}`)
  if (create && change === undefined)
    throw new LibraryError('invalid-request', 'say whether what is made shall be private or public')
  if (create) await makePlace(context, place, { isPrivate: value, owner })

  if (collection === undefined) {
    const found = await metadata.entities.findByName(entity)
    const record =
      found !== undefined && change !== undefined
        ? await metadata.entities.update(found.id, { defaultPrivate: value, now: clock() })
        : found
    if (record === undefined) throw missing('entity')
    return { kind: 'entity', path, private: record.defaultPrivate, privateByCollection: false }
  }
  if (container === undefined) {
    const found = await metadata.collections.findByPath(entity, collection)
    const record =
      found !== undefined && change !== undefined
        ? await metadata.collections.update(found.id, { private: value, now: clock() })
        : found
    if (record === undefined) throw missing('collection')
    return { kind: 'collection', path, private: record.private, privateByCollection: false }
  }
  const found = await metadata.containers.findByPath({ entity, collection, container })
  const record =
    found !== undefined && change !== undefined
      ? await metadata.containers.update(found.id, { private: value, now: clock() })
      : found
  if (record === undefined) throw missing('container')
  return { kind: 'container', path, private: record.private, privateByCollection: record.collectionPrivate }
}
