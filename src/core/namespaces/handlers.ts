/** Entities, collections and containers (protocol 5.2, 5.3). Only a push calls these; all creates are idempotent, since pushes race. */
import type { CollectionRecord, ContainerRecord, EntityRecord } from '../../storage/metadata/contract.js'
import { may } from '../auth/access.js'
import { collectionResource, containerResource, entityResource } from '../auth/resources.js'
import type { LibraryResponse } from '../http/messages.js'
import { dataResponse } from '../http/responses.js'
import type { CreateCollectionBody, CreateContainerBody, CreateEntityBody } from '../model/bodies.js'
import { collectionObject, containerObject, entityObject, maxShownTags } from '../model/objects.js'
import { checkName, isId } from '../model/references.js'
import type { Located, RouteContext, RouteInput } from '../route.js'

type Input<B = unknown> = RouteInput<B>

export async function locateEntity({ services, params }: Input): Promise<Located<EntityRecord>> {
  const name = checkName('entity', params.entity ?? '')
  const record = await services.metadata.entities.findByName(name)
  return { resource: entityResource(name, record), record }
}

export async function locateCollection({ services, params }: Input): Promise<Located<CollectionRecord>> {
  const path = {
    entity: checkName('entity', params.entity ?? ''),
    collection: checkName('collection', params.collection ?? ''),
  }
  const record = await services.metadata.collections.findByPath(path.entity, path.collection)
  return { resource: collectionResource(path, record), record }
}

export async function locateContainer({ services, params }: Input): Promise<Located<ContainerRecord>> {
  const path = {
    entity: checkName('entity', params.entity ?? ''),
    collection: checkName('collection', params.collection ?? ''),
    container: checkName('container', params.container ?? ''),
  }
  const record = await services.metadata.containers.findByPath(path)
  return { resource: containerResource(path, record), record }
}

export async function getEntity({
  record,
  services,
  principal,
  request,
}: RouteContext<unknown, EntityRecord>): Promise<LibraryResponse> {
  const showsUsage = await may({ auth: services.auth, principal, request }, 'push', entityResource(record.name, record))
  return dataResponse(entityObject(record, { defaultQuotaBytes: services.settings.limits.maxEntityBytes, showsUsage }))
}

export function getCollection({ record }: RouteContext<unknown, CollectionRecord>): LibraryResponse {
  return dataResponse(collectionObject(record))
}

export async function getContainer({
  record,
  services,
}: RouteContext<unknown, ContainerRecord>): Promise<LibraryResponse> {
  const records = await services.metadata.tags.list(record.id, { limit: maxShownTags })
  return dataResponse(containerObject(record, { records, defaultArch: services.settings.defaultArch }))
}

/** The name is in the request, so saying no reveals nothing (protocol 5.3: POST answers 403, not 404). */
export async function locateNewEntity({
  services,
  body,
}: Input<CreateEntityBody>): Promise<Located<EntityRecord | undefined>> {
  const name = checkName('name', body.name)
  const record = await services.metadata.entities.findByName(name)
  return { resource: entityResource(name, record), record, creates: true }
}

export async function createEntity(
  context: RouteContext<CreateEntityBody, EntityRecord | undefined>,
): Promise<LibraryResponse> {
  const { services, body, record, principal, request } = context
  const { settings, metadata, hooks } = services
  const shown = { defaultQuotaBytes: settings.limits.maxEntityBytes, showsUsage: true }
  if (record !== undefined) return dataResponse(entityObject(record, shown))
  await hooks.beforeCreate?.({ kind: 'entity', path: body.name, principal, request })
  const made = await metadata.entities.createIfAbsent({
    id: settings.generateId(),
    name: body.name,
    description: body.description,
    // `defaultPrivate: false` in the body is only Go's zero value (protocol Q10)
    defaultPrivate: settings.defaultPrivate,
    owner: principal?.id ?? null,
    now: settings.clock(),
  })
  return dataResponse(entityObject(made.record, shown), made.created ? 201 : 200)
}

/** What a create found: its parent, and the record if it is there already. */
interface Child<P, R> {
  readonly parent: P
  readonly existing: R | undefined
}

export async function locateNewCollection({
  services,
  body,
}: Input<CreateCollectionBody>): Promise<Located<Child<EntityRecord, CollectionRecord>> | undefined> {
  const name = checkName('name', body.name)
  const parent = isId(body.entity) ? await services.metadata.entities.find(body.entity) : undefined
  if (parent === undefined) return undefined
  const path = { entity: parent.name, collection: name }
  const existing = await services.metadata.collections.findByPath(path.entity, name)
  return {
    resource: collectionResource(path, existing, parent.defaultPrivate),
    record: { parent, existing },
    creates: entityResource(parent.name, parent),
    byId: true,
  }
}

export async function createCollection(
  context: RouteContext<CreateCollectionBody, Child<EntityRecord, CollectionRecord>>,
): Promise<LibraryResponse> {
  const { services, body, record, principal, request } = context
  const { settings, metadata, hooks } = services
  if (record.existing !== undefined) return dataResponse(collectionObject(record.existing))
  await hooks.beforeCreate?.({ kind: 'collection', path: `${record.parent.name}/${body.name}`, principal, request })
  const made = await metadata.collections.createIfAbsent({
    id: settings.generateId(),
    entityId: record.parent.id,
    name: body.name,
    description: body.description,
    private: record.parent.defaultPrivate,
    owner: principal?.id ?? null,
    maxRecords: settings.limits.maxEntityRecords,
    now: settings.clock(),
  })
  return dataResponse(collectionObject(made.record), made.created ? 201 : 200)
}

export async function locateNewContainer({
  services,
  body,
}: Input<CreateContainerBody>): Promise<Located<Child<CollectionRecord, ContainerRecord>> | undefined> {
  const name = checkName('name', body.name)
  const parent = isId(body.collection) ? await services.metadata.collections.find(body.collection) : undefined
  if (parent === undefined) return undefined
  const path = { entity: parent.entityName, collection: parent.name, container: name }
  const existing = await services.metadata.containers.findByPath(path)
  return {
    resource: containerResource(path, existing, parent.private),
    record: { parent, existing },
    creates: collectionResource(path, parent),
    byId: true,
  }
}

export async function createContainer(
  context: RouteContext<CreateContainerBody, Child<CollectionRecord, ContainerRecord>>,
): Promise<LibraryResponse> {
  const { services, body, record, principal, request } = context
  const { settings, metadata, hooks } = services
  if (record.existing !== undefined) return dataResponse(containerObject(record.existing))
  await hooks.beforeCreate?.({
    kind: 'container',
    path: `${record.parent.entityName}/${record.parent.name}/${body.name}`,
    principal,
    request,
  })
  const made = await metadata.containers.createIfAbsent({
    id: settings.generateId(),
    collectionId: record.parent.id,
    name: body.name,
    description: body.description,
    private: record.parent.private,
    owner: principal?.id ?? null,
    maxRecords: settings.limits.maxEntityRecords,
    now: settings.clock(),
  })
  return dataResponse(containerObject(made.record), made.created ? 201 : 200)
}
