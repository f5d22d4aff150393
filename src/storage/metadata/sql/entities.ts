import type { EntityStore } from '../contract.js'
import { writeEvent } from './activity.js'
import { noteChange } from './changes.js'
import { deleteEntity } from './deletions.js'
import { entitiesOf, entityPage } from './listed-places.js'
import { flag, insertOrFind, later, nullableFlag, pageSize } from './names.js'
import { entityPreview } from './previews.js'
import { entityColumns, entityOf } from './rows.js'
import { writeNameDocument } from './search-documents.js'
import { first, type SqlRunner, selectAll, selectFirst } from './steps.js'

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
          yield* writeEvent(entity.activity, { action: 'entity.created', at: entity.now, path: name, entityId: id })
        }
        return result
      }),

    find: (id) =>
      runner.run('read', () => selectFirst(entityOf, `SELECT ${entityColumns} FROM entities WHERE id = ?`, id)),

    findByName: (name) => runner.run('read', () => selectFirst(entityOf, byName, name)),

    update: (id, change) =>
      runner.run('transaction', function* () {
        const { description, defaultPrivate, quotaBytes, now, activity } = change
        const record = yield* selectFirst(
          entityOf,
          `UPDATE entities SET description = COALESCE(?, description), default_private = COALESCE(?, default_private),
            quota_bytes = CASE WHEN CAST(? AS INTEGER) = 1 THEN CAST(? AS BIGINT) ELSE quota_bytes END, updated_at = ${later}
            WHERE id = ? RETURNING ${entityColumns}`,
          ...[description ?? null, nullableFlag(defaultPrivate), flag(quotaBytes !== undefined), quotaBytes ?? null],
          ...[now, now, id],
        )
        if (record === undefined) return undefined
        yield* noteChange('entity', id)
        if (description !== undefined)
          yield* writeNameDocument('search_entities', { id, path: [record.name], description: record.description })
        yield* writeEvent(activity, {
          ...{ action: quotaBytes === undefined ? 'entity.changed' : 'quota.changed', at: now },
          ...{ path: record.name, entityId: id },
          details: { description, defaultPrivate, quotaBytes },
        })
        return record
      }),

    page: (query) => runner.run('read', () => entityPage(runner.dialect, query)),

    findSummary: (id) => runner.run('read', () => first(entitiesOf(runner.dialect, [id]))),

    preview: (id) => runner.run('read', () => entityPreview(id)),

    delete: (id, deletion) => deleteEntity(runner, id, deletion),

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
