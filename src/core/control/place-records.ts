/** Entities, collections and containers of the store, as people see them. */
import type {
  CollectionSummary,
  ContainerRecord,
  ContainerSummary,
  EntitySummary,
  DeletionPreview as StoredPreview,
} from '../../storage/metadata/contract.js'
import { collectionResource, containerResource, entityResource } from '../auth/resources.js'
import { canOf } from './asker.js'
import { date, dateOrNull, type UseCase } from './context.js'
import { pulledDays } from './days.js'
import type { ContainerPlace } from './input.js'
import type { Collection, Container, DeletionPreview, Entity, WithCan } from './records.js'

/** Changes with each change of the record; pulls, and bytes that come and go, leave it alone. */
const versionOf = (record: { readonly updatedAt: number }): string => record.updatedAt.toString(36)

export async function entityOf(
  { services, asker }: UseCase,
  record: EntitySummary,
  query: WithCan = {},
): Promise<Entity> {
  const resource = entityResource(record.name, record)
  const quota = record.quotaBytes ?? services.settings.limits.maxEntityBytes
  return {
    name: record.name,
    description: record.description,
    defaultPrivate: record.defaultPrivate,
    ...((await asker.may('push', resource)) && {
      usedBytes: record.usedBytes,
      images: record.imageCount,
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
  record: CollectionSummary,
  query: WithCan = {},
): Promise<Collection> {
  const place = { entity: record.entityName, collection: record.name }
  const resource = collectionResource(place, record)
  return {
    path: resource.path,
    entity: place.entity,
    name: record.name,
    description: record.description,
    private: record.private,
    ...((await asker.may('push', resource)) && { usedBytes: record.usedBytes, images: record.imageCount }),
    createdAt: date(record.createdAt),
    updatedAt: date(record.updatedAt),
    version: versionOf(record),
    ...(await canOf(asker, query, resource)),
  }
}

export const placeOf = (record: ContainerRecord): ContainerPlace => ({
  entity: record.entityName,
  collection: record.collectionName,
  container: record.name,
})

/** All of a page at once: their pulls are one question to the store. */
export async function containersOf(
  { services, asker }: UseCase,
  records: readonly ContainerSummary[],
  query: WithCan = {},
): Promise<readonly Container[]> {
  const pulled = await pulledDays(
    services,
    records.map(({ id }) => id),
  )
  return Promise.all(
    records.map(async (record): Promise<Container> => {
      const place = placeOf(record)
      const resource = containerResource(place, record)
      const { latest } = record
      const pullDays = pulled(record.id)
      return {
        path: resource.path,
        entity: place.entity,
        collection: place.collection,
        name: record.name,
        description: record.description,
        private: record.private,
        privateByCollection: record.collectionPrivate,
        latest:
          latest === null
            ? null
            : {
                tag: latest.tag,
                arch: latest.arch,
                digest: latest.digest,
                size: latest.size,
                signed: latest.signed,
                updatedAt: date(latest.updatedAt),
              },
        archs: record.archs,
        usedBytes: record.usedBytes,
        images: record.imageCount,
        pulls: record.downloadCount,
        pulls30: pullDays.reduce((sum, pulls) => sum + pulls, 0),
        pullDays,
        lastPulledAt: dateOrNull(record.lastPulledAt),
        createdAt: date(record.createdAt),
        updatedAt: date(record.changedAt),
        changedBy: record.changedBy,
        version: versionOf(record),
        ...(await canOf(asker, query, resource)),
      }
    }),
  )
}

export function previewOf(path: string, preview: StoredPreview): DeletionPreview {
  const { collections, containers, images, tags, bytes } = preview
  return { path, collections, containers, images, tags, bytes }
}
