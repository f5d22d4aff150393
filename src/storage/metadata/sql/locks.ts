import { listOf } from './rows.js'
import { type Row, type Steps, selectFirst } from './steps.js'

export interface LockedContainer {
  readonly id: string
  readonly entityId: string
  readonly collectionId: string
  /** `entity/collection/container`. */
  readonly path: string
  /** Private, by itself or by its collection. */
  readonly hidden: boolean
  /** Of its tags, ascending. */
  readonly archs: readonly string[]
}

const columns = 'id, entity_id, entity_name, collection_id, collection_name, name, private, collection_private, archs'

const lockedContainer = (row: Row): LockedContainer => ({
  id: row.id as string,
  entityId: row.entity_id as string,
  collectionId: row.collection_id as string,
  path: `${row.entity_name}/${row.collection_name}/${row.name}`,
  hidden: row.private === 1 || row.collection_private === 1,
  archs: listOf(row.archs),
})

/**
 * Every change of an image, its tags or its search document holds the lock of the container it lies
 * in, so that two of them come one after the other. Locks are taken in the order container, upload,
 * blob, collection, entity, counters. One that is being deleted is as good as gone.
 */
export function* lockContainer(containerId: string): Steps<LockedContainer | undefined> {
  return yield* selectFirst(
    lockedContainer,
    `SELECT ${columns} FROM containers WHERE id = ? AND deleting_at IS NULL FOR NO KEY UPDATE`,
    containerId,
  )
}

export function* lockContainerOf(imageId: string): Steps<LockedContainer | undefined> {
  return yield* selectFirst(
    lockedContainer,
    `SELECT ${columns} FROM containers WHERE id = (SELECT container_id FROM images WHERE id = ?) AND deleting_at IS NULL FOR NO KEY UPDATE`,
    imageId,
  )
}

/** One that is being deleted. */
export function* lockDeleting(containerId: string): Steps<LockedContainer | undefined> {
  return yield* selectFirst(
    lockedContainer,
    `SELECT ${columns} FROM containers WHERE id = ? AND deleting_at IS NOT NULL FOR NO KEY UPDATE`,
    containerId,
  )
}

/**
 * Whoever begins or stops to refer to a blob holds its lock, so that the last one to stop sees that
 * it is the last.
 */
export function* lockBlob(key: string): Steps<void> {
  yield { sql: 'SELECT blob_key FROM blobs WHERE blob_key = ? FOR UPDATE', values: [key] }
}

/**
 * After an image stopped referring to the blob: it is unreferenced from now on, if that was the
 * last one.
 */
export function* releaseBlob(key: string, now: number): Steps<void> {
  yield* lockBlob(key)
  yield {
    sql: `UPDATE blobs SET unreferenced_at = ? WHERE blob_key = ? AND unreferenced_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM images WHERE images.blob_key = blobs.blob_key)`,
    values: [now, key],
  }
}
