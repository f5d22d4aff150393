import type { EntityStore } from '../contract.js'
import { noteChange } from './changes.js'
import { flag, insertOrFind, later, nullableFlag, pageSize } from './names.js'
import { entityColumns, entityOf } from './rows.js'
import { writeNameDocument } from './search-documents.js'
import { type SqlRunner, selectAll, selectFirst } from './steps.js'

const byName = `SELECT ${entityColumns} FROM entities WHERE name = ?`

export function entityStore(runner: SqlRunner): EntityStore {
  return {
    createIfAbsent: (entity) =>
      runner.run('transaction', function* () {
        const result = yield* insertOrFind(
          entityOf,
          {
            sql: `INSERT INTO entities (id, name, description, default_private, quota_bytes, owner, created_at, updated_at)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING ${entityColumns}`,
            values: [
              ...[entity.id, entity.name, entity.description, flag(entity.defaultPrivate), entity.quotaBytes ?? null],
              ...[entity.owner, entity.now, entity.updatedAt ?? entity.now],
            ],
          },
          { sql: byName, values: [entity.name] },
        )
        const { id, name, description } = result.record
        if (result.created) {
          yield* writeNameDocument('search_entities', { id, path: [name], description })
          yield* noteChange('entity', id)
        }
        return result
      }),

    find: (id) =>
      runner.run('read', () => selectFirst(entityOf, `SELECT ${entityColumns} FROM entities WHERE id = ?`, id)),

    findByName: (name) => runner.run('read', () => selectFirst(entityOf, byName, name)),

    update: (id, change) =>
      runner.run('transaction', function* () {
        const record = yield* selectFirst(
          entityOf,
          `UPDATE entities SET default_private = COALESCE(?, default_private),
            quota_bytes = CASE WHEN CAST(? AS INTEGER) = 1 THEN CAST(? AS BIGINT) ELSE quota_bytes END, updated_at = ${later}
            WHERE id = ? RETURNING ${entityColumns}`,
          nullableFlag(change.defaultPrivate),
          flag(change.quotaBytes !== undefined),
          change.quotaBytes ?? null,
          change.now,
          change.now,
          id,
        )
        if (record !== undefined) yield* noteChange('entity', id)
        return record
      }),

    list: (page) =>
      runner.run('read', () =>
        selectAll(
          entityOf,
          `SELECT ${entityColumns} FROM entities WHERE name > ? ORDER BY name LIMIT ?`,
          page.after ?? '',
          pageSize(page.limit),
        ),
      ),
  }
}
