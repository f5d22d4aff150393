/** Lists of entities, collections and containers, and one of them. */
import { z } from 'zod'
import type { CollectionSummary, ContainerSummary, EntitySummary } from '../../storage/metadata/contract.js'
import { collectionResource, containerResource, entityResource } from '../auth/resources.js'
import { LibraryError } from '../http/errors.js'
import { checkArch, checkName } from '../model/references.js'
import type { UseCase } from './context.js'
import type { CollectionQuery, ContainerQuery, EntityQuery } from './control.js'
import { findCollection, findContainer, findEntity } from './find-place.js'
import { canShape, collectionPlace, containerPlace, flag, pageShape, read, type Shape, text } from './input.js'
import { mapPage, readPage, splitPage } from './pages.js'
import { collectionOf, containersOf, entityOf, placeOf } from './place-records.js'
import type { Collection, Container, Entity, Page, PageQuery, WithCan } from './records.js'
import { listSpaces } from './spaces.js'

const named = text(255)
const part = text(256).optional()

export const entityQuery: Shape<EntityQuery & PageQuery> = {
  q: part.describe('a part of the name or the description'),
  sort: z.enum(['name', '-usedBytes', '-updatedAt']).optional().describe('default: name'),
  ...canShape,
  ...pageShape,
}

export const collectionQuery: Shape<CollectionQuery & PageQuery> = {
  q: part.describe('a part of the path or the description'),
  entity: named.optional().describe('name of an entity'),
  sort: z.enum(['name', '-usedBytes', '-updatedAt']).optional().describe('default: name'),
  ...canShape,
  ...pageShape,
}

export const containerQuery: Shape<ContainerQuery & PageQuery> = {
  q: part.describe('a part of the path or the description'),
  entity: named.optional().describe('name of an entity'),
  collection: named.optional().describe('name of a collection of that entity'),
  arch: text(32).optional().describe('has a tag of this architecture'),
  signed: flag.optional().describe('whether the image of the latest tag is signed'),
  mine: flag.optional().describe('only those in entities that you may push to'),
  private: flag.optional(),
  sort: z.enum(['name', '-updatedAt', '-pulls', '-usedBytes']).optional().describe('default: -updatedAt'),
  ...canShape,
  ...pageShape,
}

export async function listEntities(useCase: UseCase, given?: EntityQuery & PageQuery): Promise<Page<Entity>> {
  const { services, asker } = useCase
  const { page, query } = splitPage(read<EntityQuery & PageQuery>(entityQuery, given))
  const { with: _, sort = 'name', ...filters } = query
  const { filter: visibility, askEachRow } = await asker.visibility()
  const found = await readPage<EntitySummary>(services, asker, {
    list: 'entities',
    query: { sort, ...filters },
    page,
    read: (part) => services.metadata.entities.page({ visibility, sort, ...filters, ...part }),
    ask: askEachRow
      ? {
          isAllowed: (record) => asker.may('pull', entityResource(record.name, record)),
          idOf: ({ id }) => id,
        }
      : undefined,
  })
  return mapPage(found, (record) => entityOf(useCase, record, query))
}

export async function getEntity(useCase: UseCase, name: string, given?: WithCan): Promise<Entity> {
  const query = read<WithCan>(canShape, given)
  const { id } = await findEntity(useCase, name, 'pull')
  return entityOf(useCase, existing(await useCase.services.metadata.entities.findSummary(id), name), query)
}

/** Deleted while it was looked at. */
export function existing<R>(record: R | undefined, path: string): R {
  if (record === undefined) throw new LibraryError('not-found', `no such thing: ${path}`)
  return record
}

export async function listCollections(
  useCase: UseCase,
  given?: CollectionQuery & PageQuery,
): Promise<Page<Collection>> {
  const { services, asker } = useCase
  const { page, query } = splitPage(read<CollectionQuery & PageQuery>(collectionQuery, given))
  const { with: _, sort = 'name', ...filters } = query
  if (filters.entity !== undefined) checkName('entity', filters.entity)
  const { filter: visibility, askEachRow } = await asker.visibility()
  const found = await readPage<CollectionSummary>(services, asker, {
    list: 'collections',
    query: { sort, ...filters },
    page,
    read: (part) => services.metadata.collections.page({ visibility, sort, ...filters, ...part }),
    ask: askEachRow
      ? {
          isAllowed: (record) =>
            asker.may('pull', collectionResource({ entity: record.entityName, collection: record.name }, record)),
          idOf: ({ id }) => id,
        }
      : undefined,
  })
  return mapPage(found, (record) => collectionOf(useCase, record, query))
}

export async function getCollection(useCase: UseCase, path: string, given?: WithCan): Promise<Collection> {
  const query = read<WithCan>(canShape, given)
  const { id } = await findCollection(useCase, collectionPlace(path), 'pull')
  return collectionOf(useCase, existing(await useCase.services.metadata.collections.findSummary(id), path), query)
}

/** The entities that a list of containers keeps to; undefined: all of them. */
async function entitiesOf(useCase: UseCase, { entity, mine }: ContainerQuery): Promise<readonly string[] | undefined> {
  if (mine !== true) return entity === undefined ? undefined : [entity]
  const own = (await listSpaces(useCase)).map(({ name }) => name)
  return entity === undefined ? own : own.filter((name) => name === entity)
}

export async function listContainers(useCase: UseCase, given?: ContainerQuery & PageQuery): Promise<Page<Container>> {
  const { services, asker } = useCase
  const { page, query } = splitPage(read<ContainerQuery & PageQuery>(containerQuery, given))
  const { with: _, sort = '-updatedAt', entity, collection, mine, ...filters } = query
  if (entity !== undefined) checkName('entity', entity)
  if (filters.arch !== undefined) checkArch('arch', filters.arch)
  if (collection !== undefined) {
    checkName('collection', collection)
    if (entity === undefined)
      throw new LibraryError('invalid-request', 'collection: say of which entity', { field: 'collection' })
  }
  const entities = await entitiesOf(useCase, query)
  const within =
    collection === undefined ? undefined : await services.metadata.collections.findByPath(entity as string, collection)
  const isEmpty = entities?.length === 0 || (collection !== undefined && within === undefined)
  if (isEmpty) return { items: [], next: null }
  const { filter: visibility, askEachRow } = await asker.visibility()
  const found = await readPage<ContainerSummary>(services, asker, {
    list: 'containers',
    query: { sort, entity, collection, mine, ...filters },
    page,
    read: (part) =>
      services.metadata.containers.page({
        visibility,
        sort,
        ...filters,
        ...(entities !== undefined && { entities }),
        ...(within !== undefined && { collectionId: within.id }),
        ...part,
      }),
    ask: askEachRow
      ? {
          isAllowed: (record) => asker.may('pull', containerResource(placeOf(record), record)),
          idOf: ({ id }) => id,
        }
      : undefined,
  })
  return { items: await containersOf(useCase, found.items, query), next: found.next }
}

export async function getContainer(useCase: UseCase, path: string, given?: WithCan): Promise<Container> {
  const query = read<WithCan>(canShape, given)
  const { id } = await findContainer(useCase, containerPlace(path), 'pull')
  return oneContainer(useCase, { id, path }, query)
}

export async function oneContainer(
  useCase: UseCase,
  { id, path }: { readonly id: string; readonly path: string },
  query: WithCan = {},
): Promise<Container> {
  const record = existing(await useCase.services.metadata.containers.findSummary(id), path)
  const [container] = await containersOf(useCase, [record], query)
  return container as Container
}
