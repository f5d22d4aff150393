/**
 * Putting back entities, collections and containers. Names are their identity: what exists under a
 * name stays as it is, whatever id a sidecar says.
 */
import type { ContainerRecord } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import type { CollectionSidecar, ContainerSidecar, EntitySidecar, ImageSidecar } from './document.js'
import type { ReindexContext } from './reindex-context.js'

export interface NameRestorer {
  entity(sidecar: EntitySidecar): Promise<void>
  collection(sidecar: CollectionSidecar): Promise<void>
  container(sidecar: ContainerSidecar): Promise<void>
  /**
   * The container of an image, made from what the image's sidecar says where its own is missing.
   * undefined in a dry run that would make it.
   */
  containerOf(sidecar: ImageSidecar): Promise<ContainerRecord | undefined>
  /**
   * Why the image must not be put back: the store would show it to everybody, and its collection or
   * container was private, or nobody can tell.
   */
  whyItWouldBeExposed(sidecar: ImageSidecar, container: ContainerRecord | undefined): string | undefined
}

type Made<R> = (id: string) => Promise<{ readonly record: R; readonly created: boolean }>

const exposedBecause = (path: string, was: string): string =>
  `${path} ${was} and is public now, and everybody would see it: make ${path} private, run reindex again, and then open it if you wish`

const unknown = 'private, because it is known only from what lies in it'

export function createNameRestorer({ services, dryRun, report, unreadable }: ReindexContext): NameRestorer {
  const { metadata, settings } = services
  /** What this run made, or would make. */
  const made = new Set<string>()
  /**
   * Public in the store, and private by a sidecar of what was lost: of another record of that name,
   * or of a later time.
   */
  const wasPrivate = new Set<string>()
  /** Collections whose sidecar cannot be read, by what the sidecars of their containers say. */
  const undecided = new Set<string>()

  type ComparedRecord = { readonly id: string; readonly private: boolean; readonly updatedAt: number }
  const compare = (
    path: string,
    { sidecar, found }: { readonly sidecar: ComparedRecord; readonly found: ComparedRecord },
  ): void => {
    if (sidecar.private && !found.private && (sidecar.id !== found.id || sidecar.updatedAt > found.updatedAt))
      wasPrivate.add(path)
  }

  /** With the id of the sidecar, or another one where that is taken. */
  const make = async <R>(id: string, create: Made<R>): Promise<{ readonly record: R; readonly created: boolean }> => {
    try {
      return await create(id)
    } catch (error) {
      if (!isMetadataError(error, 'exists')) throw error
      return create(settings.generateId())
    }
  }

  const restore = async <R>(
    place: {
      readonly kind: 'entity' | 'collection' | 'container'
      readonly path: string
      readonly id: string
      readonly private: boolean
      readonly why?: string
    },
    create: Made<R>,
  ): Promise<R | undefined> => {
    const { kind, path, why } = place
    const item = { outcome: 'restored', kind, what: path, why: why ?? (place.private ? 'private' : 'public') } as const
    if (dryRun) {
      if (!made.has(path)) report(item)
      made.add(path)
      return undefined
    }
    const { record, created } = await make(place.id, create)
    if (created) {
      made.add(path)
      report(item)
    }
    return record
  }

  const times = (sidecar: { readonly createdAt: number; readonly updatedAt: number }) => ({
    now: sidecar.createdAt,
    updatedAt: sidecar.updatedAt,
  })

  const entityOf = async (name: string, id: string): Promise<{ readonly id: string } | undefined> =>
    (await metadata.entities.findByName(name)) ??
    restore({ kind: 'entity', path: name, id, private: true, why: unknown }, (free) =>
      metadata.entities.createIfAbsent({
        id: free,
        name,
        description: '',
        defaultPrivate: true,
        owner: null,
        now: settings.clock(),
      }),
    )

  const collectionOf = async (
    names: { readonly entity: string; readonly collection: string },
    ids: { readonly entity: string; readonly collection: string },
  ) => {
    const { entity: entityName, collection: name } = names
    const found = await metadata.collections.findByPath(entityName, name)
    if (found !== undefined) return found
    const entity = await entityOf(entityName, ids.entity)
    return restore(
      { kind: 'collection', path: `${entityName}/${name}`, id: ids.collection, private: true, why: unknown },
      (id) =>
        metadata.collections.createIfAbsent({
          id,
          entityId: entity?.id ?? '',
          name,
          description: '',
          private: true,
          owner: null,
          now: settings.clock(),
        }),
    )
  }

  return {
    entity: async (sidecar) => {
      const { name, description, defaultPrivate, quotaBytes, owner } = sidecar
      const found = await metadata.entities.findByName(name)
      if (found !== undefined) {
        // two sidecars of one name, of which this run believed the other: private stays private
        if (made.has(name) && defaultPrivate && !found.defaultPrivate)
          await metadata.entities.update(found.id, { defaultPrivate, now: settings.clock() })
        return
      }
      await restore({ kind: 'entity', path: name, id: sidecar.id, private: defaultPrivate }, (id) =>
        metadata.entities.createIfAbsent({
          id,
          name,
          description,
          defaultPrivate,
          quotaBytes,
          owner,
          ...times(sidecar),
        }),
      )
    },

    collection: async (sidecar) => {
      const { entityName, name, description, owner } = sidecar
      const path = `${entityName}/${name}`
      const found = await metadata.collections.findByPath(entityName, name)
      if (found !== undefined) {
        if (!made.has(path)) compare(path, { sidecar, found })
        else if (sidecar.private && !found.private)
          await metadata.collections.update(found.id, { private: true, now: settings.clock() })
        return
      }
      const entity = await entityOf(entityName, sidecar.entityId)
      await restore({ kind: 'collection', path, id: sidecar.id, private: sidecar.private }, (id) =>
        metadata.collections.createIfAbsent({
          id,
          entityId: entity?.id ?? '',
          name,
          description,
          private: sidecar.private,
          owner,
          ...times(sidecar),
        }),
      )
    },

    container: async (sidecar) => {
      const { entityName, collectionName, name, description, owner } = sidecar
      const path = `${entityName}/${collectionName}/${name}`
      if (unreadable.has(sidecar.collectionId)) undecided.add(`${entityName}/${collectionName}`)
      const found = await metadata.containers.findByPath({
        entity: entityName,
        collection: collectionName,
        container: name,
      })
      if (found !== undefined) {
        if (!made.has(path)) compare(path, { sidecar, found })
        else if (sidecar.private && !found.private)
          await metadata.containers.update(found.id, { private: true, now: settings.clock() })
        return
      }
      const names = { entity: entityName, collection: collectionName }
      const collection = await collectionOf(names, { entity: sidecar.entityId, collection: sidecar.collectionId })
      await restore({ kind: 'container', path, id: sidecar.id, private: sidecar.private }, (id) =>
        metadata.containers.createIfAbsent({
          id,
          collectionId: collection?.id ?? '',
          name,
          description,
          private: sidecar.private,
          owner,
          ...times(sidecar),
        }),
      )
    },

    containerOf: async ({ entity, collection, container: name, containerId }) => {
      const path = { entity, collection, container: name }
      const found = await metadata.containers.findByPath(path)
      if (found !== undefined) return found
      const parent = await collectionOf(path, { entity: settings.generateId(), collection: settings.generateId() })
      return restore(
        { kind: 'container', path: `${entity}/${collection}/${name}`, id: containerId, private: true, why: unknown },
        (id) =>
          metadata.containers.createIfAbsent({
            id,
            collectionId: parent?.id ?? '',
            name,
            description: '',
            private: true,
            owner: null,
            now: settings.clock(),
          }),
      )
    },

    whyItWouldBeExposed: ({ entity, collection, container: name, containerId }, container) => {
      if (container?.private === true || container?.collectionPrivate === true) return undefined
      const paths = { collection: `${entity}/${collection}`, container: `${entity}/${collection}/${name}` }
      const exposing = [paths.collection, paths.container].find((path) => wasPrivate.has(path))
      if (exposing !== undefined) return exposedBecause(exposing, 'was private')
      const isCollection =
        undecided.has(paths.collection) || (container !== undefined && unreadable.has(container.collectionId))
      const unknownPath = isCollection ? paths.collection : unreadable.has(containerId) ? paths.container : undefined
      return unknownPath === undefined
        ? undefined
        : exposedBecause(unknownPath, 'may have been private (its sidecar cannot be read)')
    },
  }
}
