import type { ContainerRecord, ContainerStore, EventSubject } from '../contract.js'
import { MetadataError } from '../errors.js'
import { writeEvent } from './activity.js'
import { noteChange } from './changes.js'
import { changePublic, changeTotals, touchContainer } from './contents.js'
import { deleteContainer, finishDeletions } from './deletions.js'
import { containerPage, containersOf } from './listed-places.js'
import { lockContainer } from './locks.js'
import { flag, insertOrFind, later, nullableFlag, pageSize } from './names.js'
import { containerPreview } from './previews.js'
import { collectionColumns, collectionOf, containerColumns, containerOf } from './rows.js'
import { refreshImageDocument, writeNameDocument } from './search-documents.js'
import { first, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'
import { tagHistory } from './tag-history.js'
import { claimRecord } from './usage.js'

const about = ({ entityId, entityName, collectionName, name, id }: ContainerRecord): EventSubject => ({
  ...{ path: `${entityName}/${collectionName}/${name}`, entityId, containerId: id },
})

const isHidden = (record: ContainerRecord): boolean => record.private || record.collectionPrivate

const refreshedAtOnce = 200

/**
 * Brings the search documents of the images behind the given one in line; returns the last of a
 * full portion.
 */
function* refreshImages(containerId: string, after: string): Steps<string | undefined> {
  if ((yield* lockContainer(containerId)) === undefined) return undefined
  const ids = yield* selectAll(
    (row) => row.id as string,
    `SELECT id FROM images WHERE container_id = ? AND id > ? ORDER BY id LIMIT ${refreshedAtOnce}`,
    containerId,
    after,
  )
  for (const id of ids) yield* refreshImageDocument(id)
  return ids.length < refreshedAtOnce ? undefined : ids.at(-1)
}

interface Updated {
  readonly record: ContainerRecord | undefined
  /** The last image whose search document has the new description, where others have not yet. */
  readonly unrefreshed?: string | undefined
}

function* updateContainer(
  id: string,
  { description, private: isPrivate, now, activity }: Parameters<ContainerStore['update']>[1],
): Steps<Updated> {
  const before = yield* lockContainer(id)
  if (before === undefined) return { record: undefined }
  const row = (yield {
    sql: `UPDATE containers SET description = COALESCE(?, description), private = COALESCE(?, private), updated_at = ${later}
      WHERE id = ? RETURNING ${containerColumns}, image_count, used_bytes`,
    values: [description ?? null, nullableFlag(isPrivate), now, now, id],
  })[0]
  if (row === undefined) return { record: undefined }
  const record = containerOf(row)
  yield* touchContainer(id, now, activity)
  yield* noteChange('container', id)
  yield* writeEvent(activity, {
    ...{ action: 'container.changed', at: now, ...about(record) },
    details: { description, private: isPrivate },
  })
  let unrefreshed: string | undefined
  if (description !== undefined) {
    const path = [record.entityName, record.collectionName, record.name]
    yield* writeNameDocument('search_containers', { id, path, description })
    unrefreshed = yield* refreshImages(id, '')
  }
  if (isHidden(record) !== before.hidden) {
    const sign = isHidden(record) ? -1 : 1
    const images = sign * (row.image_count as number)
    yield* changePublic(record.entityId, { containers: sign, images, bytes: sign * (row.used_bytes as number) })
  }
  return { record, unrefreshed }
}

export function containerStore(runner: SqlRunner): ContainerStore {
  return {
    createIfAbsent: (container) =>
      runner.run('transaction', function* () {
        // the lock keeps a change of the collection's flag from passing by the container that is
        // being made
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
              created_at, updated_at, changed_at, changed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING ${containerColumns}`,
            values: [
              ...[id, parent.entityId, parent.entityName, parent.id, parent.name, flag(parent.private)],
              ...[name, description, flag(container.private), owner, now, container.updatedAt ?? now],
              ...[container.updatedAt ?? now, container.activity?.actor.name ?? null],
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
          yield* writeEvent(container.activity, { action: 'container.created', at: now, ...about(record) })
          yield* claimRecord(record.entityId, container.maxRecords)
          yield* changeTotals(record.entityId, { containers: 1, hidden: isHidden(record) })
        }
        return result
      }),

    find: (id) =>
      runner.run('read', () =>
        selectFirst(containerOf, `SELECT ${containerColumns} FROM containers WHERE id = ? AND deleting_at IS NULL`, id),
      ),

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

    update: async (id, change) => {
      const { record, unrefreshed } = await runner.run('transaction', () => updateContainer(id, change))
      let after = unrefreshed
      while (after !== undefined) {
        const from = after
        after = await runner.run('transaction', () => refreshImages(id, from))
      }
      return record
    },

    page: (query) => runner.run('read', () => containerPage(runner.dialect, query)),

    findSummary: (id) => runner.run('read', () => first(containersOf(runner.dialect, [id]))),

    preview: (id) => runner.run('read', () => containerPreview(id)),

    delete: (id, deletion) => deleteContainer(runner, id, deletion),

    finishDeletions: (now) => finishDeletions(runner, now),

    history: (containerId, page) => runner.run('read', () => tagHistory(containerId, page)),

    listOf: (collectionId, page) =>
      runner.run('read', () =>
        selectAll(
          containerOf,
          `SELECT ${containerColumns} FROM containers WHERE collection_id = ? AND name > ? AND deleting_at IS NULL ORDER BY name LIMIT ?`,
          collectionId,
          page.after ?? '',
          pageSize(page.limit),
        ),
      ),
  }
}
