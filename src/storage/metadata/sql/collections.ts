import type { CollectionRecord, CollectionStore, EventSubject } from '../contract.js'
import { MetadataError } from '../errors.js'
import { writeEvent } from './activity.js'
import { noteChange } from './changes.js'
import { changePublic } from './contents.js'
import { deleteCollection } from './deletions.js'
import { collectionPage, collectionsOf } from './listed-places.js'
import { flag, insertOrFind, later, nullableFlag, pageSize } from './names.js'
import { collectionPreview } from './previews.js'
import { collectionColumns, collectionOf } from './rows.js'
import { writeNameDocument } from './search-documents.js'
import { first, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'
import { claimRecord } from './usage.js'

const about = ({ entityName, name, entityId }: CollectionRecord): EventSubject => ({
  path: `${entityName}/${name}`,
  entityId,
})

/** What of its containers that are not private themselves comes to light, or goes from it. */
function* showContainers(id: string, isPrivate: boolean): Steps<void> {
  const shown = yield* selectFirst(
    (row) => ({
      containers: Number(row.containers),
      images: Number(row.images),
      bytes: Number(row.bytes),
      entityId: row.entity_id as string | null,
    }),
    `SELECT count(*) AS containers, COALESCE(sum(image_count), 0) AS images, COALESCE(sum(used_bytes), 0) AS bytes, max(entity_id) AS entity_id
      FROM containers WHERE collection_id = ? AND private = 0 AND collection_private <> CAST(? AS INTEGER)`,
    id,
    flag(isPrivate),
  )
  yield {
    sql: 'UPDATE containers SET collection_private = ? WHERE collection_id = ?',
    values: [flag(isPrivate), id],
  }
  if (shown === undefined || shown.entityId === null) return
  const sign = isPrivate ? -1 : 1
  const { containers, images, bytes } = shown
  yield* changePublic(shown.entityId, { containers: sign * containers, images: sign * images, bytes: sign * bytes })
}

function* updateCollection(
  id: string,
  { description, private: isPrivate, now, activity }: Parameters<CollectionStore['update']>[1],
): Steps<CollectionRecord | undefined> {
  // locked before the collection, as whoever changes what a container holds does
  if (isPrivate !== undefined)
    yield { sql: 'SELECT id FROM containers WHERE collection_id = ? ORDER BY id FOR NO KEY UPDATE', values: [id] }
  const record = yield* selectFirst(
    collectionOf,
    `UPDATE collections SET description = COALESCE(?, description), private = COALESCE(?, private), updated_at = ${later}
      WHERE id = ? RETURNING ${collectionColumns}`,
    ...[description ?? null, nullableFlag(isPrivate), now, now, id],
  )
  if (record === undefined) return undefined
  yield* noteChange('collection', id)
  if (description !== undefined)
    yield* writeNameDocument('search_collections', { id, path: [record.entityName, record.name], description })
  yield* writeEvent(activity, {
    ...{ action: 'collection.changed', at: now, ...about(record) },
    details: { description, private: isPrivate },
  })
  if (isPrivate !== undefined) yield* showContainers(id, isPrivate)
  return record
}

export function collectionStore(runner: SqlRunner): CollectionStore {
  return {
    createIfAbsent: (collection) =>
      runner.run('transaction', function* () {
        const entityName = yield* selectFirst(
          (row) => row.name as string,
          'SELECT name FROM entities WHERE id = ?',
          collection.entityId,
        )
        if (entityName === undefined)
          throw new MetadataError('parent-missing', 'the entity of the new collection does not exist')
        const { id, name, description, owner, now } = collection
        const result = yield* insertOrFind(
          collectionOf,
          {
            sql: `INSERT INTO collections (id, entity_id, entity_name, name, description, private, owner, created_at, updated_at)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING ${collectionColumns}`,
            values: [
              id,
              collection.entityId,
              entityName,
              name,
              description,
              flag(collection.private),
              owner,
              now,
              collection.updatedAt ?? now,
            ],
          },
          {
            sql: `SELECT ${collectionColumns} FROM collections WHERE entity_id = ? AND name = ?`,
            values: [collection.entityId, name],
          },
        )
        const { record } = result
        if (result.created) {
          yield* writeNameDocument('search_collections', {
            id: record.id,
            path: [entityName, record.name],
            description: record.description,
          })
          yield* noteChange('collection', record.id)
          yield* writeEvent(collection.activity, { action: 'collection.created', at: now, ...about(record) })
          yield* claimRecord(record.entityId, collection.maxRecords)
        }
        return result
      }),

    find: (id) =>
      runner.run('read', () =>
        selectFirst(collectionOf, `SELECT ${collectionColumns} FROM collections WHERE id = ?`, id),
      ),

    findByPath: (entity, collection) =>
      runner.run('read', () =>
        selectFirst(
          collectionOf,
          `SELECT ${collectionColumns} FROM collections WHERE entity_name = ? AND name = ?`,
          entity,
          collection,
        ),
      ),

    update: (id, change) => runner.run('transaction', () => updateCollection(id, change)),

    page: (query) => runner.run('read', () => collectionPage(runner.dialect, query)),

    findSummary: (id) => runner.run('read', () => first(collectionsOf(runner.dialect, [id]))),

    preview: (id) => runner.run('read', () => collectionPreview(id)),

    delete: (id, deletion) => deleteCollection(runner, id, deletion),

    listOf: (entityId, page) =>
      runner.run('read', () =>
        selectAll(
          collectionOf,
          `SELECT ${collectionColumns} FROM collections WHERE entity_id = ? AND name > ? ORDER BY name LIMIT ?`,
          entityId,
          page.after ?? '',
          pageSize(page.limit),
        ),
      ),
  }
}
