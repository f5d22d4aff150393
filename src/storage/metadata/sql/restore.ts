import type { ImageRecord, ImageStore, RestoredImage, TagRecord } from '../contract.js'
import { MetadataError } from '../errors.js'
import { noteImageChange } from './changes.js'
import { changeContents, noteTagsRemoved, touchContainer } from './contents.js'
import { findImage, loseTag } from './image-steps.js'
import { type LockedContainer, lockContainer, releaseBlob } from './locks.js'
import { flag, nullableFlag } from './names.js'
import { imageColumns, imageOf, tagOf } from './rows.js'
import { refreshImageDocument } from './search-documents.js'
import { type Row, type Steps, selectFirst } from './steps.js'
import { changeRecords, changeUsage } from './usage.js'

/** Its bytes are lost to the store: it has none, or damaged ones where it should have others. */
function isLost(found: ImageRecord, image: RestoredImage): boolean {
  return found.state === 'pending' || (found.state === 'damaged' && found.blobKey !== image.blobKey)
}

function* putBack(id: string, image: RestoredImage, found: ImageRecord | undefined): Steps<void> {
  // one statement, because a blob that is found there may be forgotten before a second one locks
  // it; a row that the last condition leaves alone is locked too
  yield {
    sql: `INSERT INTO blobs (blob_key, digest, size, created_at) VALUES (?, ?, ?, ?)
      ON CONFLICT (blob_key) DO UPDATE SET unreferenced_at = NULL WHERE blobs.unreferenced_at IS NOT NULL`,
    values: [image.blobKey, image.digest, image.size, image.publishedAt ?? image.createdAt],
  }
  const facts = [
    ...[
      image.state,
      image.size,
      image.blobKey,
      image.arch,
      flag(image.archFromHeader),
      nullableFlag(image.signed),
      nullableFlag(image.encrypted),
    ],
    ...[JSON.stringify(image.fingerprints), Math.max(image.updatedAt, found?.updatedAt ?? 0), image.publishedAt],
  ]
  if (found === undefined) {
    yield {
      sql: `INSERT INTO images (state, size, blob_key, arch, arch_from_header, signed, encrypted, fingerprints, updated_at, published_at,
        id, container_id, digest, description, owner, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      values: [...facts, id, image.containerId, image.digest, image.description, image.owner, image.createdAt],
    }
    return
  }
  yield {
    sql: `UPDATE images SET state = ?, size = ?, blob_key = ?, arch = ?, arch_from_header = ?, signed = ?, encrypted = ?, fingerprints = ?, updated_at = ?,
      published_at = ? WHERE id = ?`,
    values: [...facts, id],
  }
  if (found.blobKey !== null) yield* releaseBlob(found.blobKey, image.updatedAt)
}

/**
 * An upload to this key is from before what was lost: it ended, and would be swept with the bytes
 * of the image. Returns what they had reserved, to be given back.
 */
function* endUploads(image: RestoredImage, now: number): Steps<readonly Row[]> {
  return yield {
    sql: `UPDATE uploads SET state = 'aborted', updated_at = ? WHERE blob_key = ? AND state IN ('open', 'completing') RETURNING size, entity_id`,
    values: [now, image.blobKey],
  }
}

/**
 * Sets the tags that are free, or that are the ones to be replaced; returns them, and the images
 * that lost one.
 */
function* putBackTags(
  imageId: string,
  image: RestoredImage,
): Steps<{
  readonly set: readonly TagRecord[]
  readonly losers: ReadonlySet<string>
}> {
  const set: TagRecord[] = []
  const losers = new Set<string>()
  for (const { arch, tag, updatedAt, replaces } of image.tags) {
    const sql = 'SELECT arch, tag, image_id, updated_at FROM tags WHERE container_id = ? AND arch = ? AND tag = ?'
    const there = yield* selectFirst(tagOf, sql, image.containerId, arch, tag)
    if (there !== undefined && there.updatedAt !== replaces) continue
    yield {
      sql: `INSERT INTO tags (container_id, arch, tag, image_id, updated_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (container_id, arch, tag) DO UPDATE SET image_id = excluded.image_id, updated_at = excluded.updated_at`,
      values: [image.containerId, arch, tag, imageId, updatedAt],
    }
    set.push({ arch, tag, imageId, updatedAt })
    if (there === undefined || there.imageId === imageId) continue
    yield* loseTag(there, updatedAt)
    losers.add(there.imageId)
  }
  return { set, losers }
}

/** The latest tag, the archs and the time of the last change. */
function* noteRestored(
  container: LockedContainer,
  {
    image,
    tags,
    losers,
  }: { readonly image: RestoredImage; readonly tags: readonly TagRecord[]; readonly losers: number },
): Steps<void> {
  const now = Math.max(image.updatedAt, ...tags.map(({ updatedAt }) => updatedAt))
  if (tags.length === 0 && losers === 0) return yield* touchContainer(container.id, now, undefined)
  const archs = [...new Set([...container.archs, ...tags.map(({ arch }) => arch)])].sort()
  // which also finds the latest one
  yield* noteTagsRemoved({ ...container, archs }, { archs: tags.map(({ arch }) => arch), now, activity: undefined })
}

export function* restoreImage(image: RestoredImage): Steps<Awaited<ReturnType<ImageStore['restore']>>> {
  const container = yield* lockContainer(image.containerId)
  if (container === undefined) throw new MetadataError('parent-missing', 'the container of the image does not exist')
  const sql = `SELECT ${imageColumns} FROM images WHERE container_id = ? AND digest = ?`
  const found = yield* selectFirst(imageOf, sql, image.containerId, image.digest)
  const restored = found === undefined || isLost(found, image)
  const id = found?.id ?? image.id
  if (restored) {
    // locks in the order container, upload, blob, entity
    const ended = yield* endUploads(image, image.updatedAt)
    yield* putBack(id, image, found)
    for (const row of ended) yield* changeUsage(row.entity_id as string, { reserved: -(row.size as number) })
  }
  const { set, losers } = yield* putBackTags(id, image)
  if (restored || set.length > 0) yield* refreshImageDocument(id)
  // its sidecar is right if it was believed in everything
  const inStep = restored ? id === image.id && set.length === image.tags.length : set.length === 0
  if (!inStep) yield* noteImageChange(id)
  for (const loser of losers) {
    yield* refreshImageDocument(loser)
    yield* noteImageChange(loser)
  }
  yield* noteRestored(container, { image, tags: set, losers: losers.size })
  if (restored)
    yield* changeContents(container, {
      bytes: image.size - (found?.size ?? 0),
      images: found === undefined || found.blobKey === null ? 1 : 0,
      now: image.updatedAt,
    })
  if (found === undefined) yield* changeRecords(container.entityId, 1)
  const record = yield* findImage(id)
  if (record === undefined) throw new MetadataError('internal', 'the image is not there after it was put back')
  return { record, restored, tags: set }
}
