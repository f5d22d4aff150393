import type { CollectionStore } from '../contract.js'
import { MetadataError } from '../errors.js'
import { noteChange } from './changes.js'
import { writeNameDocument } from './documents.js'
import { flag, insertOrFind, later, pageSize } from './names.js'
import { collectionColumns, collectionOf } from './rows.js'
import { type SqlRunner, selectAll, selectFirst } from './steps.js'
import { claimRecord } from './usage.js'

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

    setPrivate: (id, value, now) =>
      runner.run('transaction', function* () {
        const record = yield* selectFirst(
          collectionOf,
          `UPDATE collections SET private = ?, updated_at = ${later} WHERE id = ? RETURNING ${collectionColumns}`,
          flag(value),
          now,
          now,
          id,
        )
        yield { sql: 'UPDATE containers SET collection_private = ? WHERE collection_id = ?', values: [flag(value), id] }
        if (record !== undefined) yield* noteChange('collection', id)
        return record
      }),

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
