/**
 * Entities, collections and containers (protocol 5.2, 5.3). Only a push calls these; all creates
 * are idempotent, since pushes race.
 */
import type { CollectionRecord, ContainerRecord, EntityRecord } from '../../storage/metadata/contract.js'
import type { Located } from '../auth/access.js'
import { may } from '../auth/access.js'
import type { Resource } from '../auth/policy.js'
import { collectionResource, containerResource, entityResource } from '../auth/resources.js'
import { activityOf } from '../hooks/activity.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryResponse } from '../http/messages.js'
import { dataResponse } from '../http/responses.js'
import type { CreateCollectionBody, CreateContainerBody, CreateEntityBody } from '../model/bodies.js'
import { collectionObject, containerObject, entityObject, maxShownTags } from '../model/objects.js'
import { checkName, isId } from '../model/references.js'
import type { RouteContext, RouteInput } from '../route.js'

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
  return dataResponse(
    entityObject(record, {
      viewer: principal,
      defaultQuotaBytes: services.settings.limits.maxEntityBytes,
      showsUsage,
    }),
  )
}

export function getCollection({ record, principal }: RouteContext<unknown, CollectionRecord>): LibraryResponse {
  return dataResponse(collectionObject(record, principal))
}

export async function getContainer({
  record,
  services,
  principal,
}: RouteContext<unknown, ContainerRecord>): Promise<LibraryResponse> {
  const records = await services.metadata.tags.list(record.id, { limit: maxShownTags })
  return dataResponse(containerObject(record, principal, { records, defaultArch: services.settings.defaultArch }))
}

/**
 * What was asked to be private must not be answered as if it were: it may be there already, or be
 * made by another push.
 */
function assertAsPrivate(wanted: boolean | undefined, resource: Resource): void {
  if (wanted === true && !resource.private)
    throw new LibraryError(
      'conflict',
      `${resource.path} is there already and not private: its operator can change that`,
    )
}

/**
 * The name is in the request, so saying no reveals nothing (protocol 5.3: POST answers 403, not
 * 404).
 */
export async function locateNewEntity({
  services,
  body,
}: Input<CreateEntityBody>): Promise<Located<EntityRecord | undefined>> {
  const name = checkName('name', body.name)
  const record = await services.metadata.entities.findByName(name)
  const resource = {
    ...entityResource(name, record),
    ...(record === undefined && { private: body.defaultPrivate === true }),
  }
  return { resource, record, creates: true }
}

export async function createEntity(
  context: RouteContext<CreateEntityBody, EntityRecord | undefined>,
): Promise<LibraryResponse> {
  const { services, body, record, principal, request } = context
  const { settings, metadata, hooks } = services
  const shown = { viewer: principal, defaultQuotaBytes: settings.limits.maxEntityBytes, showsUsage: true }
  if (record !== undefined) {
    assertAsPrivate(body.defaultPrivate, entityResource(record.name, record))
    return dataResponse(entityObject(record, shown))
  }
  await hooks.beforeCreate?.({ kind: 'entity', path: body.name, principal, request })
  const made = await metadata.entities.createIfAbsent({
    id: settings.generateId(),
    name: body.name,
    description: body.description,
    // `defaultPrivate: false` in the body is only Go's zero value (protocol Q10)
    defaultPrivate: body.defaultPrivate === true || settings.defaultPrivate,
    owner: principal?.id ?? null,
    now: settings.clock(),
    activity: activityOf(context),
  })
  assertAsPrivate(body.defaultPrivate, entityResource(body.name, made.record))
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
    resource: collectionResource(path, existing, body.private === true || parent.defaultPrivate),
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
  const path = { entity: record.parent.name, collection: body.name }
  if (record.existing !== undefined) {
    assertAsPrivate(body.private, collectionResource(path, record.existing))
    return dataResponse(collectionObject(record.existing, principal))
  }
  await hooks.beforeCreate?.({ kind: 'collection', path: `${record.parent.name}/${body.name}`, principal, request })
  const made = await metadata.collections.createIfAbsent({
    id: settings.generateId(),
    entityId: record.parent.id,
    name: body.name,
    description: body.description,
    private: body.private === true || record.parent.defaultPrivate,
    owner: principal?.id ?? null,
    maxRecords: settings.limits.maxEntityRecords,
    now: settings.clock(),
    activity: activityOf(context),
  })
  assertAsPrivate(body.private, collectionResource(path, made.record))
  return dataResponse(collectionObject(made.record, principal), made.created ? 201 : 200)
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
    resource: containerResource(path, existing, body.private === true || parent.private),
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
  const path = { entity: record.parent.entityName, collection: record.parent.name, container: body.name }
  if (record.existing !== undefined) {
    assertAsPrivate(body.private, containerResource(path, record.existing))
    return dataResponse(containerObject(record.existing, principal))
  }
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
    private: body.private === true || record.parent.private,
    owner: principal?.id ?? null,
    maxRecords: settings.limits.maxEntityRecords,
    now: settings.clock(),
    activity: activityOf(context),
  })
  assertAsPrivate(body.private, containerResource(path, made.record))
  return dataResponse(containerObject(made.record, principal), made.created ? 201 : 200)
}
