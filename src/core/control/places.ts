/** Entities, collections and containers, as people see them. */
import type { CollectionRecord, ContainerRecord, EntityRecord } from '../../storage/metadata/contract.js'
import { collectionResource, containerResource, entityResource } from '../auth/resources.js'
import { checkName } from '../model/references.js'
import { canOf } from './asker.js'
import { date, type UseCase } from './context.js'
import {
  type CollectionPlace,
  type ContainerPlace,
  canShape,
  collectionPlace,
  containerPlace,
  pageShape,
  read,
  type Shape,
  text,
} from './input.js'
import { mapPage, readPage } from './pages.js'
import type { Collection, Container, ControlAction, Entity, Page, PageQuery, WithCan } from './records.js'

/** Changes with each change of the record; pulls and bytes that come and go leave it alone. */
const versionOf = (record: { readonly updatedAt: number }): string => record.updatedAt.toString(36)

export async function entityOf(
  { services, asker }: UseCase,
  record: EntityRecord,
  query: WithCan = {},
): Promise<Entity> {
  const resource = entityResource(record.name, record)
  const { maxEntityBytes } = services.settings.limits
  const quota = record.quotaBytes ?? maxEntityBytes
  return {
    name: record.name,
    description: record.description,
    defaultPrivate: record.defaultPrivate,
    ...((await asker.may('push', resource)) && {
      usedBytes: record.usedBytes,
      reservedBytes: record.reservedBytes,
      quotaBytes: quota === 0 ? null : quota,
    }),
    createdAt: date(record.createdAt),
    updatedAt: date(record.updatedAt),
    version: versionOf(record),
    ...(await canOf(asker, query, resource)),
  }
}

export async function collectionOf(
  { asker }: UseCase,
  record: CollectionRecord,
  query: WithCan = {},
): Promise<Collection> {
  const place = { entity: record.entityName, collection: record.name }
  return {
    path: `${place.entity}/${place.collection}`,
    entity: place.entity,
    name: record.name,
    description: record.description,
    private: record.private,
    createdAt: date(record.createdAt),
    updatedAt: date(record.updatedAt),
    version: versionOf(record),
    ...(await canOf(asker, query, collectionResource(place, record))),
  }
}

export async function containerOf({ asker }: UseCase, record: ContainerRecord, query: WithCan = {}): Promise<Container> {
  const place = placeOf(record)
  return {
    path: `${place.entity}/${place.collection}/${place.container}`,
    entity: place.entity,
    collection: place.collection,
    name: record.name,
    description: record.description,
    private: record.private,
    privateByCollection: record.collectionPrivate,
    pulls: record.downloadCount,
    createdAt: date(record.createdAt),
    updatedAt: date(record.updatedAt),
    version: versionOf(record),
    ...(await canOf(asker, query, containerResource(place, record))),
  }
}

export const placeOf = (record: ContainerRecord): ContainerPlace => ({
  entity: record.entityName,
  collection: record.collectionName,
  container: record.name,
})

/** The record of an entity that the action may be done to. */
export async function findEntity(
  { services, asker }: UseCase,
  name: string,
  action: ControlAction,
): Promise<EntityRecord> {
  checkName('entity', String(name))
  const record = await services.metadata.entities.findByName(name)
  return asker.authorize(action, { resource: entityResource(name, record), record })
}

export async function findCollection(
  { services, asker }: UseCase,
  { entity, collection }: CollectionPlace,
  action: ControlAction,
): Promise<CollectionRecord> {
  const record = await services.metadata.collections.findByPath(entity, collection)
  return asker.authorize(action, { resource: collectionResource({ entity, collection }, record), record })
}

export async function findContainer(
  { services, asker }: UseCase,
  place: ContainerPlace,
  action: ControlAction,
): Promise<ContainerRecord> {
  const record = await services.metadata.containers.findByPath(place)
  return asker.authorize(action, { resource: containerResource(place, record), record })
}

type EntityQuery = { readonly q?: string } & PageQuery & WithCan

export const entityQuery: Shape<EntityQuery> = {
  ...pageShape,
  ...canShape,
  q: text(255).optional().describe('a part of the name'),
}

/** By name. Entities whose things start private are shown to those who may pull from them. */
export async function listEntities(useCase: UseCase, given?: EntityQuery): Promise<Page<Entity>> {
  const { services, asker } = useCase
  const { q = '', limit, cursor, ...query } = read(entityQuery, given)
  const part = q.toLowerCase()
  const page = await readPage<EntityRecord>(services, asker, {
    list: 'entities',
    query: { q },
    page: { ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) },
    read: (after, most) =>
      services.metadata.entities.list({ limit: most, ...(after !== undefined && { after }) }),
    cursorOf: ({ name }) => name,
    isAllowed: (record) =>
      record.name.includes(part) && (asker.isOperator || asker.may('pull', entityResource(record.name, record))),
  })
  return mapPage(page, (record) => entityOf(useCase, record, query))
}

export async function getEntity(useCase: UseCase, name: string, given?: WithCan): Promise<Entity> {
  const query = read(canShape, given)
  return entityOf(useCase, await findEntity(useCase, name, 'pull'), query)
}

export async function getCollection(useCase: UseCase, path: string, given?: WithCan): Promise<Collection> {
  const query = read(canShape, given)
  return collectionOf(useCase, await findCollection(useCase, collectionPlace(path), 'pull'), query)
}

export async function getContainer(useCase: UseCase, path: string, given?: WithCan): Promise<Container> {
  const query = read(canShape, given)
  return containerOf(useCase, await findContainer(useCase, containerPlace(path), 'pull'), query)
}
