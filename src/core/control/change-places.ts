/** Changing and deleting entities, collections and containers. */
import { z } from 'zod'
import type { ContainerRecord, DeletionResult } from '../../storage/metadata/contract.js'
import { entityResource } from '../auth/resources.js'
import { LibraryError } from '../http/errors.js'
import { containerPath } from '../model/references.js'
import { activityOf } from './activity.js'
import { assertVersion, type UseCase } from './context.js'
import type { DeleteOptions, EntityChange, PlaceChange } from './control.js'
import { findCollection, findContainer, findEntity } from './find-place.js'
import { collectionPlace, containerPlace, description, flag, ifMatchShape, read, type Shape } from './input.js'
import { existing, oneContainer } from './lists.js'
import { collectionOf, entityOf, previewOf } from './place-records.js'
import type { Collection, Container, DeletionPreview, Entity, IfMatch } from './records.js'

export const entityChange: Shape<EntityChange> = {
  description: description.optional(),
  defaultPrivate: flag.optional(),
  quotaBytes: z.int().min(0).nullable().optional().describe('null = the default of the registry, 0 = no limit'),
}

export const placeChange: Shape<PlaceChange> = {
  description: description.optional(),
  private: flag.optional(),
}

export const deleteQuery: Shape<Pick<DeleteOptions, 'recursive'>> = {
  recursive: flag.optional().describe('with everything in it'),
}

export async function updateEntity(useCase: UseCase, name: string, given: EntityChange & IfMatch): Promise<Entity> {
  const { services, asker } = useCase
  const { ifMatch, ...change } = read<EntityChange & IfMatch>({ ...entityChange, ...ifMatchShape }, given)
  const { entities } = services.metadata
  const record = await findEntity(useCase, name, 'manage')
  if (change.quotaBytes !== undefined)
    await asker.authorize('admin', { resource: entityResource(name, record), record })
  assertVersion(ifMatch, await entityOf(useCase, existing(await entities.findSummary(record.id), name)))
  const changed = await entities.update(record.id, {
    ...change,
    now: services.settings.clock(),
    activity: activityOf(asker),
  })
  if (changed !== undefined && changed.defaultPrivate !== record.defaultPrivate)
    services.emit('visibility.changed', { kind: 'entity', path: name, private: changed.defaultPrivate }, asker.by)
  return entityOf(useCase, existing(await entities.findSummary(record.id), name))
}

export async function updateCollection(
  useCase: UseCase,
  path: string,
  given: PlaceChange & IfMatch,
): Promise<Collection> {
  const { services, asker } = useCase
  const { ifMatch, ...change } = read<PlaceChange & IfMatch>({ ...placeChange, ...ifMatchShape }, given)
  const { collections } = services.metadata
  const record = await findCollection(useCase, collectionPlace(path), 'manage')
  assertVersion(ifMatch, await collectionOf(useCase, existing(await collections.findSummary(record.id), path)))
  const changed = await collections.update(record.id, {
    ...change,
    now: services.settings.clock(),
    activity: activityOf(asker),
  })
  if (changed !== undefined && changed.private !== record.private)
    services.emit('visibility.changed', { kind: 'collection', path, private: changed.private }, asker.by)
  return collectionOf(useCase, existing(await collections.findSummary(record.id), path))
}

export async function updateContainer(
  useCase: UseCase,
  path: string,
  given: PlaceChange & IfMatch,
): Promise<Container> {
  const { services, asker } = useCase
  const { ifMatch, ...change } = read<PlaceChange & IfMatch>({ ...placeChange, ...ifMatchShape }, given)
  const { containers } = services.metadata
  const record = await findContainer(useCase, containerPlace(path), 'manage')
  const seen = { id: record.id, path }
  assertVersion(ifMatch, await oneContainer(useCase, seen))
  const changed = await containers.update(record.id, {
    ...change,
    now: services.settings.clock(),
    activity: activityOf(asker),
  })
  if (changed !== undefined && changed.private !== record.private)
    services.emit('visibility.changed', { kind: 'container', path, private: changed.private }, asker.by)
  return oneContainer(useCase, seen)
}

export async function previewEntity(useCase: UseCase, name: string): Promise<DeletionPreview> {
  const { id } = await findEntity(useCase, name, 'manage')
  return previewOf(name, existing(await useCase.services.metadata.entities.preview(id), name))
}

export async function previewCollection(useCase: UseCase, path: string): Promise<DeletionPreview> {
  const { id } = await findCollection(useCase, collectionPlace(path), 'manage')
  return previewOf(path, existing(await useCase.services.metadata.collections.preview(id), path))
}

export async function previewContainer(useCase: UseCase, path: string): Promise<DeletionPreview> {
  const { id } = await findContainer(useCase, containerPlace(path), 'delete')
  return previewOf(path, existing(await useCase.services.metadata.containers.preview(id), path))
}

/**
 * The host may refuse to let go of an image: it is asked about each one before anything is deleted.
 */
async function askAboutImages(
  { services, asker }: UseCase,
  containers: AsyncIterable<ContainerRecord> | readonly ContainerRecord[],
): Promise<void> {
  const { hooks, metadata } = services
  if (hooks.beforeDelete === undefined) return
  const { principal, request } = asker
  for await (const container of containers) {
    const path = containerPath(container)
    let after: string | undefined
    do {
      const page = await metadata.images.page({
        containerId: container.id,
        sort: 'publishedAt',
        limit: 200,
        ...(after !== undefined && { after }),
      })
      for (const image of page.items) await hooks.beforeDelete({ principal, request, path, image })
      after = page.next
    } while (after !== undefined)
  }
}

async function* containersIn(
  { services }: UseCase,
  within: { readonly entity: string; readonly collectionId?: string },
): AsyncGenerator<ContainerRecord> {
  const { entity, collectionId } = within
  let after: string | undefined
  do {
    const page = await services.metadata.containers.page({
      visibility: 'all',
      sort: 'name',
      limit: 200,
      ...(collectionId === undefined ? { entities: [entity] } : { collectionId }),
      ...(after !== undefined && { after }),
    })
    yield* page.items
    after = page.next
  } while (after !== undefined)
}

function assertDeleted(result: DeletionResult, path: string): void {
  if (result === 'not-empty')
    throw new LibraryError('conflict', `${path} is not empty: delete what is in it first, or say recursive`)
  if (result === 'gone') throw new LibraryError('not-found', `no such thing: ${path}`)
}

export async function deleteEntity(useCase: UseCase, name: string, given?: DeleteOptions): Promise<void> {
  const { services, asker } = useCase
  const { ifMatch, recursive = false } = read<DeleteOptions>({ ...deleteQuery, ...ifMatchShape }, given)
  const { entities } = services.metadata
  const record = await findEntity(useCase, name, 'manage')
  assertVersion(ifMatch, await entityOf(useCase, existing(await entities.findSummary(record.id), name)))
  if (recursive) await askAboutImages(useCase, containersIn(useCase, { entity: name }))
  const now = services.settings.clock()
  assertDeleted(await entities.delete(record.id, { recursive, now, activity: activityOf(asker) }), name)
  services.emit('place.deleted', { kind: 'entity', path: name }, asker.by)
}

export async function deleteCollection(useCase: UseCase, path: string, given?: DeleteOptions): Promise<void> {
  const { services, asker } = useCase
  const { ifMatch, recursive = false } = read<DeleteOptions>({ ...deleteQuery, ...ifMatchShape }, given)
  const { collections } = services.metadata
  const record = await findCollection(useCase, collectionPlace(path), 'manage')
  assertVersion(ifMatch, await collectionOf(useCase, existing(await collections.findSummary(record.id), path)))
  if (recursive)
    await askAboutImages(useCase, containersIn(useCase, { entity: record.entityName, collectionId: record.id }))
  const now = services.settings.clock()
  assertDeleted(await collections.delete(record.id, { recursive, now, activity: activityOf(asker) }), path)
  services.emit('place.deleted', { kind: 'collection', path }, asker.by)
}

export async function deleteContainer(useCase: UseCase, path: string, given?: IfMatch): Promise<void> {
  const { services, asker } = useCase
  const { ifMatch } = read<IfMatch>(ifMatchShape, given)
  const record = await findContainer(useCase, containerPlace(path), 'delete')
  if (ifMatch !== undefined) assertVersion(ifMatch, await oneContainer(useCase, { id: record.id, path }))
  await askAboutImages(useCase, [record])
  const now = services.settings.clock()
  const isDeleted = await services.metadata.containers.delete(record.id, { now, activity: activityOf(asker) })
  assertDeleted(isDeleted ? 'deleted' : 'gone', path)
  services.emit('place.deleted', { kind: 'container', path }, asker.by)
}
