/**
 * Deleting a container with all that it holds, and the places above it. A container goes out of
 * sight in one transaction, whatever its size: it gets a name that nobody can ask for, and a mark
 * by which every read and every lock leaves it out. What it held is then deleted in steps, by
 * whoever began or, after a crash, by `finishDeletions`.
 */
import type { Activity, ByWhom, Deletion, DeletionResult } from '../contract.js'
import { inContainer, writeEvent } from './activity.js'
import { noteChange } from './changes.js'
import { changeContents, changeTotals } from './contents.js'
import { removeImage } from './image-steps.js'
import { lockContainer, lockDeleting } from './locks.js'
import { imageColumns, imageOf } from './rows.js'
import { removeNameDocument } from './search-documents.js'
import { changed, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'
import { changeRecords, changeUsage } from './usage.js'

/** Images of one transaction. */
const imagesAtOnce = 50
const containersAtOnce = 100
/** How often what was made in a place while it was deleted is deleted too. */
const maxRounds = 5

function* hideContainer(id: string, now: number, activity: Activity | undefined): Steps<boolean> {
  const container = yield* lockContainer(id)
  if (container === undefined) return false
  const held = yield* selectFirst(
    (row) => ({ bytes: row.used_bytes as number, images: row.image_count as number }),
    'SELECT used_bytes, image_count FROM containers WHERE id = ?',
    id,
  )
  const { bytes = 0, images = 0 } = held ?? {}
  // no name has a space
  yield {
    sql: `UPDATE containers SET name = ?, deleting_at = ?, private = 1, latest_arch = NULL, latest_tag = NULL, archs = '[]' WHERE id = ?`,
    values: [`deleted ${id}`, now, id],
  }
  yield* removeNameDocument('search_containers', id)
  yield* noteChange('container', id)
  yield* writeEvent(activity, {
    ...{ action: 'container.deleted', at: now, ...inContainer(container) },
    details: { images, bytes },
  })
  yield* changeContents(container, { bytes: -bytes, images: -images, now })
  yield* changeRecords(container.entityId, -1)
  yield* changeTotals(container.entityId, { containers: -1, hidden: container.hidden })
  return true
}

/**
 * Deletes some of what a hidden container held, in the end its record. True when nothing of it is
 * left.
 */
function* emptyContainer(id: string, now: number): Steps<boolean> {
  const container = yield* lockDeleting(id)
  if (container === undefined) return true
  const images = yield* selectAll(
    imageOf,
    `SELECT ${imageColumns} FROM images WHERE container_id = ? ORDER BY id LIMIT ${imagesAtOnce}`,
    id,
  )
  let reserved = 0
  for (const image of images) reserved += yield* removeImage(image, now)
  if (images.length > 0) {
    yield* changeUsage(container.entityId, { reserved: -reserved })
    yield* changeRecords(container.entityId, -images.length)
  }
  if (images.length === imagesAtOnce) return false
  yield { sql: 'DELETE FROM containers WHERE id = ?', values: [id] }
  return true
}

async function finish(runner: SqlRunner, id: string, now: number): Promise<void> {
  while (!(await runner.run('transaction', () => emptyContainer(id, now)))) await pause()
}

/** Lets what waits for the event loop, or for the database, go first. */
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export async function deleteContainer(
  runner: SqlRunner,
  id: string,
  { now, activity }: ByWhom & { readonly now: number },
): Promise<boolean> {
  if (!(await runner.run('transaction', () => hideContainer(id, now, activity)))) return false
  await finish(runner, id, now)
  return true
}

export async function finishDeletions(runner: SqlRunner, now: number): Promise<number> {
  let settled = 0
  for (;;) {
    const ids = await runner.run('read', () =>
      selectAll(
        (row) => row.id as string,
        `SELECT id FROM containers WHERE deleting_at IS NOT NULL ORDER BY id LIMIT ${containersAtOnce}`,
      ),
    )
    for (const id of ids) await finish(runner, id, now)
    settled += ids.length
    if (ids.length < containersAtOnce) return settled
  }
}

const containersOf = (
  runner: SqlRunner,
  collectionId: string,
): Promise<readonly { readonly id: string; readonly isDeleting: boolean }[]> =>
  runner.run('probe', () =>
    selectAll(
      (row) => ({ id: row.id as string, isDeleting: row.deleting_at !== null }),
      `SELECT id, deleting_at FROM containers WHERE collection_id = ? ORDER BY name LIMIT ${containersAtOnce}`,
      collectionId,
    ),
  )

/**
 * Deletes the containers of a collection, or only those whose deletion has begun; false where
 * others are there.
 */
async function emptyCollection(
  runner: SqlRunner,
  id: string,
  { recursive = false, now, activity }: Deletion,
): Promise<boolean> {
  for (;;) {
    const containers = await containersOf(runner, id)
    if (containers.length === 0) return true
    if (!recursive && containers.some(({ isDeleting }) => !isDeleting)) return false
    for (const container of containers) {
      if (container.isDeleting) await finish(runner, container.id, now)
      else await deleteContainer(runner, container.id, { now, ...(activity === undefined ? {} : { activity }) })
    }
  }
}

function* removeCollection(id: string, now: number, activity: Activity | undefined): Steps<DeletionResult> {
  // whoever makes a container in it waits, or is waited for
  const collection = yield* selectFirst(
    (row) => ({ path: `${row.entity_name}/${row.name}`, entityId: row.entity_id as string }),
    'SELECT entity_id, entity_name, name FROM collections WHERE id = ? FOR UPDATE',
    id,
  )
  if (collection === undefined) return 'gone'
  if (yield* changed('SELECT id FROM containers WHERE collection_id = ? LIMIT 1', id)) return 'not-empty'
  yield* removeNameDocument('search_collections', id)
  yield* noteChange('collection', id)
  yield { sql: 'DELETE FROM collections WHERE id = ?', values: [id] }
  yield* writeEvent(activity, { action: 'collection.deleted', at: now, ...collection })
  yield* changeRecords(collection.entityId, -1)
  return 'deleted'
}

/** Empties and removes, again where something was made in between. */
async function inRounds(empty: () => Promise<boolean>, remove: () => Promise<DeletionResult>): Promise<DeletionResult> {
  for (let round = 1; ; round += 1) {
    if (!(await empty())) return 'not-empty'
    const result = await remove()
    if (result !== 'not-empty' || round === maxRounds) return result
  }
}

export function deleteCollection(runner: SqlRunner, id: string, deletion: Deletion): Promise<DeletionResult> {
  return inRounds(
    () => emptyCollection(runner, id, deletion),
    () => runner.run('transaction', () => removeCollection(id, deletion.now, deletion.activity)),
  )
}

function* removeEntity(id: string, now: number, activity: Activity | undefined): Steps<DeletionResult> {
  const name = yield* selectFirst((row) => row.name as string, 'SELECT name FROM entities WHERE id = ? FOR UPDATE', id)
  if (name === undefined) return 'gone'
  if (yield* changed('SELECT id FROM collections WHERE entity_id = ? LIMIT 1', id)) return 'not-empty'
  yield* removeNameDocument('search_entities', id)
  yield* noteChange('entity', id)
  yield { sql: 'DELETE FROM usage_day WHERE entity_id = ?', values: [id] }
  yield { sql: 'DELETE FROM entities WHERE id = ?', values: [id] }
  yield* writeEvent(activity, { action: 'entity.deleted', at: now, path: name, entityId: id })
  return 'deleted'
}

async function emptyEntity(runner: SqlRunner, id: string, deletion: Deletion): Promise<boolean> {
  for (;;) {
    const collections = await runner.run('probe', () =>
      selectAll(
        (row) => row.id as string,
        `SELECT id FROM collections WHERE entity_id = ? ORDER BY name LIMIT ${containersAtOnce}`,
        id,
      ),
    )
    if (collections.length === 0) return true
    if (deletion.recursive !== true) return false
    for (const collection of collections)
      if ((await deleteCollection(runner, collection, deletion)) === 'not-empty') return false
  }
}

export function deleteEntity(runner: SqlRunner, id: string, deletion: Deletion): Promise<DeletionResult> {
  return inRounds(
    () => emptyEntity(runner, id, deletion),
    () => runner.run('transaction', () => removeEntity(id, deletion.now, deletion.activity)),
  )
}
