/** Making entities, collections and containers: with what they lie in, as a push does it. */
import type { CollectionRecord, ContainerRecord, CreateResult, EntityRecord } from '../../storage/metadata/contract.js'
import type { Resource } from '../auth/policy.js'
import { collectionResource, containerResource, entityResource } from '../auth/resources.js'
import { LibraryError } from '../http/errors.js'
import { checkName } from '../model/references.js'
import { activityOf } from './activity.js'
import type { UseCase } from './context.js'
import type { NewEntity, NewPlace } from './control.js'
import {
  type CollectionPlace,
  type ContainerPlace,
  collectionPlace,
  containerPlace,
  description,
  flag,
  read,
  type Shape,
  text,
} from './input.js'
import { existing, oneContainer } from './lists.js'
import { collectionOf, entityOf } from './place-records.js'
import type { Collection, Container, Entity, Made } from './records.js'

export const newEntity: Shape<NewEntity> = {
  name: text(255),
  description: description.optional(),
  defaultPrivate: flag.optional().describe('what is made in it later starts private'),
}

export const newPlace: Shape<NewPlace> = {
  path: text(767),
  description: description.optional(),
  private: flag.optional(),
}

interface Wanted {
  readonly description?: string | undefined
  readonly private?: boolean | undefined
}

/**
 * What was asked to be private must not be answered as if it were: it may be there already, or be
 * made by another one.
 */
function assertAsPrivate(wanted: boolean | undefined, { path, private: isPrivate }: Resource): void {
  if (wanted === true && !isPrivate)
    throw new LibraryError('conflict', `${path} is there already and not private: change that first`)
}

export async function makeEntity(
  { services, asker }: UseCase,
  name: string,
  wanted: Wanted = {},
): Promise<CreateResult<EntityRecord>> {
  const { metadata, settings, hooks } = services
  const record = await metadata.entities.findByName(name)
  const startsPrivate = wanted.private === true || settings.defaultPrivate
  const resource = { ...entityResource(name, record), ...(record === undefined && { private: startsPrivate }) }
  await asker.authorize('push', { resource, record, creates: true })
  if (record !== undefined) {
    assertAsPrivate(wanted.private, resource)
    return { record, created: false }
  }
  await hooks.beforeCreate?.({ kind: 'entity', path: name, principal: asker.principal, request: asker.request })
  const made = await metadata.entities.createIfAbsent({
    id: settings.generateId(),
    name,
    description: wanted.description ?? '',
    defaultPrivate: startsPrivate,
    owner: asker.principal?.id ?? null,
    now: settings.clock(),
    activity: activityOf(asker),
  })
  assertAsPrivate(wanted.private, entityResource(name, made.record))
  return made
}

export async function makeCollection(
  useCase: UseCase,
  place: CollectionPlace,
  wanted: Wanted = {},
): Promise<CreateResult<CollectionRecord>> {
  const { services, asker } = useCase
  const { metadata, settings, hooks } = services
  const record = await metadata.collections.findByPath(place.entity, place.collection)
  const parent = await metadata.entities.findByName(place.entity)
  const isPrivate = wanted.private === true || (parent?.defaultPrivate ?? settings.defaultPrivate)
  const resource = collectionResource(place, record, isPrivate)
  const creates = parent === undefined ? true : entityResource(parent.name, parent)
  // before anything is made
  await asker.authorize('push', { resource, record, creates })
  if (record !== undefined) {
    assertAsPrivate(wanted.private, resource)
    return { record, created: false }
  }
  const entity = parent ?? (await makeEntity(useCase, place.entity)).record
  await hooks.beforeCreate?.({
    ...{ kind: 'collection', path: resource.path },
    principal: asker.principal,
    request: asker.request,
  })
  const made = await metadata.collections.createIfAbsent({
    id: settings.generateId(),
    entityId: entity.id,
    name: place.collection,
    description: wanted.description ?? '',
    private: wanted.private === true || entity.defaultPrivate,
    owner: asker.principal?.id ?? null,
    maxRecords: settings.limits.maxEntityRecords,
    now: settings.clock(),
    activity: activityOf(asker),
  })
  assertAsPrivate(wanted.private, collectionResource(place, made.record))
  return made
}

export async function makeContainer(
  useCase: UseCase,
  place: ContainerPlace,
  wanted: Wanted = {},
): Promise<CreateResult<ContainerRecord>> {
  const { services, asker } = useCase
  const { metadata, settings, hooks } = services
  const record = await metadata.containers.findByPath(place)
  const collection =
    record === undefined ? await metadata.collections.findByPath(place.entity, place.collection) : undefined
  const entity =
    record === undefined && collection === undefined ? await metadata.entities.findByName(place.entity) : undefined
  const startsPrivate = collection?.private ?? entity?.defaultPrivate ?? settings.defaultPrivate
  const resource = containerResource(place, record, wanted.private === true || startsPrivate)
  const parent =
    collection !== undefined
      ? collectionResource(place, collection)
      : entity !== undefined
        ? entityResource(entity.name, entity)
        : true
  // before anything is made
  await asker.authorize('push', { resource, record, creates: record === undefined ? parent : resource })
  if (record !== undefined) {
    assertAsPrivate(wanted.private, resource)
    return { record, created: false }
  }
  const { record: within } = collection === undefined ? await makeCollection(useCase, place) : { record: collection }
  await hooks.beforeCreate?.({
    ...{ kind: 'container', path: resource.path },
    principal: asker.principal,
    request: asker.request,
  })
  const made = await metadata.containers.createIfAbsent({
    id: settings.generateId(),
    collectionId: within.id,
    name: place.container,
    description: wanted.description ?? '',
    private: wanted.private === true || within.private,
    owner: asker.principal?.id ?? null,
    maxRecords: settings.limits.maxEntityRecords,
    now: settings.clock(),
    activity: activityOf(asker),
  })
  assertAsPrivate(wanted.private, containerResource(place, made.record))
  return made
}

export async function createEntity(useCase: UseCase, given: NewEntity): Promise<Made<Entity>> {
  const { name, description: words, defaultPrivate } = read<NewEntity>(newEntity, given)
  const { record, created } = await makeEntity(useCase, checkName('name', name), {
    description: words,
    private: defaultPrivate,
  })
  const summary = existing(await useCase.services.metadata.entities.findSummary(record.id), name)
  return { ...(await entityOf(useCase, summary)), created }
}

export async function createCollection(useCase: UseCase, given: NewPlace): Promise<Made<Collection>> {
  const { path, ...wanted } = read<NewPlace>(newPlace, given)
  const { record, created } = await makeCollection(useCase, collectionPlace(path), wanted)
  const summary = existing(await useCase.services.metadata.collections.findSummary(record.id), path)
  return { ...(await collectionOf(useCase, summary)), created }
}

export async function createContainer(useCase: UseCase, given: NewPlace): Promise<Made<Container>> {
  const { path, ...wanted } = read<NewPlace>(newPlace, given)
  const { record, created } = await makeContainer(useCase, containerPlace(path), wanted)
  return { ...(await oneContainer(useCase, { id: record.id, path })), created }
}
