/** The record of a place that something may be done to. */
import type { CollectionRecord, ContainerRecord, EntityRecord } from '../../storage/metadata/contract.js'
import { collectionResource, containerResource, entityResource } from '../auth/resources.js'
import { checkName } from '../model/references.js'
import type { UseCase } from './context.js'
import type { CollectionPlace, ContainerPlace } from './input.js'
import type { ControlAction } from './records.js'

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
