import { type Steps, selectFirst } from './steps.js'

export interface LockedContainer {
  readonly id: string
  readonly entityId: string
}

const lockedContainer = (row: Readonly<Record<string, unknown>>): LockedContainer => ({
  id: row.id as string,
  entityId: row.entity_id as string,
})

/**
 * Every change of an image, its tags or its search document holds the lock of the container it lies in, so that two of them come one after the other. Locks are taken
 * in the order container, upload, blob, entity.
 */
export function* lockContainer(containerId: string): Steps<LockedContainer | undefined> {
  return yield* selectFirst(
    lockedContainer,
    'SELECT id, entity_id FROM containers WHERE id = ? FOR NO KEY UPDATE',
    containerId,
  )
}

export function* lockContainerOf(imageId: string): Steps<LockedContainer | undefined> {
  return yield* selectFirst(
    lockedContainer,
    'SELECT id, entity_id FROM containers WHERE id = (SELECT container_id FROM images WHERE id = ?) FOR NO KEY UPDATE',
    imageId,
  )
}

/** Whoever begins or stops to refer to a blob holds its lock, so that the last one to stop sees that it is the last. */
export function* lockBlob(key: string): Steps<void> {
  yield { sql: 'SELECT blob_key FROM blobs WHERE blob_key = ? FOR UPDATE', values: [key] }
}

/** After an image stopped referring to the blob: it is unreferenced from now on, if that was the last one. */
export function* releaseBlob(key: string, now: number): Steps<void> {
  yield* lockBlob(key)
  yield {
    sql: `UPDATE blobs SET unreferenced_at = ? WHERE blob_key = ? AND unreferenced_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM images WHERE images.blob_key = blobs.blob_key)`,
    values: [now, key],
  }
}
