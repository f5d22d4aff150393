import type { ContainerStore } from '../contract.js'
import { MetadataError } from '../errors.js'
import { noteChange } from './changes.js'
import { writeNameDocument } from './documents.js'
import { flag, insertOrFind, later, pageSize } from './names.js'
import { collectionColumns, collectionOf, containerColumns, containerOf } from './rows.js'
import { changed, type SqlRunner, selectAll, selectFirst } from './steps.js'
import { claimRecord } from './usage.js'

export function containerStore(runner: SqlRunner): ContainerStore {
  return {
    createIfAbsent: (container) =>
      runner.run('transaction', function* () {
        // the lock keeps a change of the collection's flag from passing by the container that is being made
        const parent = yield* selectFirst(
          collectionOf,
          `SELECT ${collectionColumns} FROM collections WHERE id = ? FOR SHARE`,
          container.collectionId,
        )
        if (parent === undefined)
          throw new MetadataError('parent-missing', 'the collection of the new container does not exist')
        const { id, name, description, owner, now } = container
        const result = yield* insertOrFind(
          containerOf,
          {
            sql: `INSERT INTO containers (id, entity_id, entity_name, collection_id, collection_name, collection_private, name, description, private, owner,
              created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING ${containerColumns}`,
            values: [
              ...[id, parent.entityId, parent.entityName, parent.id, parent.name, flag(parent.private)],
              ...[name, description, flag(container.private), owner, now, container.updatedAt ?? now],
            ],
          },
          {
            sql: `SELECT ${containerColumns} FROM containers WHERE collection_id = ? AND name = ?`,
            values: [parent.id, name],
          },
        )
        const { record } = result
        if (result.created) {
          const path = [record.entityName, record.collectionName, record.name]
          yield* writeNameDocument('search_containers', { id: record.id, path, description: record.description })
          yield* noteChange('container', record.id)
          yield* claimRecord(record.entityId, container.maxRecords)
        }
        return result
      }),

    find: (id) =>
      runner.run('read', () => selectFirst(containerOf, `SELECT ${containerColumns} FROM containers WHERE id = ?`, id)),

    findByPath: ({ entity, collection, container }) =>
      runner.run('read', () =>
        selectFirst(
          containerOf,
          `SELECT ${containerColumns} FROM containers WHERE entity_name = ? AND collection_name = ? AND name = ?`,
          entity,
          collection,
          container,
        ),
      ),

    setPrivate: (id, value, now) =>
      runner.run('transaction', function* () {
        const sql = `UPDATE containers SET private = ?, updated_at = ${later} WHERE id = ? RETURNING ${containerColumns}`
        const record = yield* selectFirst(containerOf, sql, flag(value), now, now, id)
        if (record !== undefined) yield* noteChange('container', id)
        return record
      }),

    countDownloads: async (id, count) => {
      await runner.run('statement', () =>
        changed('UPDATE containers SET download_count = download_count + ? WHERE id = ?', count, id),
      )
    },

    listOf: (collectionId, page) =>
      runner.run('read', () =>
        selectAll(
          containerOf,
          `SELECT ${containerColumns} FROM containers WHERE collection_id = ? AND name > ? ORDER BY name LIMIT ?`,
          collectionId,
          page.after ?? '',
          pageSize(page.limit),
        ),
      ),
  }
}
