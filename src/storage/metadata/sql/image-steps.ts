import type { Activity, BlobFacts, ImageRecord, ImageStore, TagRecord } from '../contract.js'
import { inContainer, writeEvent, writeHistory } from './activity.js'
import { noteImageChange } from './changes.js'
import { changeContents, noteTagsRemoved, touchContainer } from './contents.js'
import { type LockedContainer, lockBlob, lockContainerOf, releaseBlob } from './locks.js'
import { flag, later, nullableFlag } from './names.js'
import { imageColumns, imageOf, inspectionValues, tagOf } from './rows.js'
import { refreshImageDocument, removeImageDocument } from './search-documents.js'
import { changed, type Steps, selectAll, selectFirst } from './steps.js'
import { changeRecords, changeUsage } from './usage.js'

export function* findImage(id: string): Steps<ImageRecord | undefined> {
  return yield* selectFirst(imageOf, `SELECT ${imageColumns} FROM images WHERE id = ?`, id)
}

/** What is known of bytes that an image gets. */
interface VerifiedBytes {
  readonly facts: BlobFacts
  readonly archFromHeader: boolean
  readonly state: 'published' | 'unproven'
  readonly now: number
  readonly activity: Activity | undefined
}

/**
 * The image begins to refer to a blob, which is recorded and locked. The caller has settled the
 * usage.
 */
function* attachBlob(
  container: LockedContainer,
  image: ImageRecord,
  { facts, archFromHeader, state, now, activity }: VerifiedBytes,
): Steps<void> {
  yield {
    sql: 'UPDATE blobs SET unreferenced_at = NULL WHERE blob_key = ? AND unreferenced_at IS NOT NULL',
    values: [facts.key],
  }
  yield {
    sql: `UPDATE images SET state = ?, size = ?, blob_key = ?, arch = ?, arch_from_header = ?, signed = ?, encrypted = ?, fingerprints = ?, published_at = ?,
      pushed_by_name = ?, updated_at = ${later} WHERE id = ?`,
    values: [
      ...[
        state,
        facts.size,
        facts.key,
        facts.arch,
        flag(archFromHeader),
        nullableFlag(facts.signed),
        nullableFlag(facts.encrypted),
      ],
      ...[JSON.stringify(facts.fingerprints), now, activity?.actor.name ?? null, now, now, image.id],
    ],
  }
  if (image.blobKey !== null && image.blobKey !== facts.key) yield* releaseBlob(image.blobKey, now)
  yield* refreshImageDocument(image.id)
  yield* noteImageChange(image.id)
  yield* touchContainer(container.id, now, activity)
  yield* writeEvent(activity, {
    ...{ action: 'image.published', at: now, ...inContainer(container), digest: image.digest, arch: facts.arch },
    details: { size: facts.size },
  })
}

/** How much more the container holds with the image on its new bytes. */
const gained = (image: ImageRecord, size: number): { readonly bytes: number; readonly images: number } => ({
  bytes: size - image.size,
  images: image.blobKey === null ? 1 : 0,
})

/** Arch of an image on its new bytes: what the header says, else what was known before. */
function archOf(image: ImageRecord, fromHeader: string | null): Pick<ImageRecord, 'arch' | 'archFromHeader'> {
  return fromHeader === null
    ? { arch: image.arch, archFromHeader: image.archFromHeader }
    : { arch: fromHeader, archFromHeader: true }
}

/**
 * Publishes the image on the bytes of another one. The image unchanged when that one is not (any
 * more) published with the same digest.
 */
export function* shareBytesOf(
  image: ImageRecord,
  container: LockedContainer,
  shareBytes: { imageId: string; defaultQuotaBytes: number; now: number; activity: Activity | undefined },
): Steps<ImageRecord> {
  const candidate = yield* findImage(shareBytes.imageId)
  if (candidate === undefined || candidate.blobKey === null) return image
  yield* lockBlob(candidate.blobKey)
  // read again under the lock: only now it can't be deleted before this image refers to its blob
  const source = yield* findImage(shareBytes.imageId)
  if (
    source === undefined ||
    source.state !== 'published' ||
    source.digest !== image.digest ||
    source.blobKey !== candidate.blobKey
  )
    return image
  // bytes that are known as damaged by another image of theirs
  if (yield* changed(`SELECT id FROM images WHERE blob_key = ? AND state = 'damaged' LIMIT 1`, source.blobKey))
    return image
  const { arch, archFromHeader } = archOf(image, source.archFromHeader ? source.arch : null)
  const facts = {
    key: source.blobKey,
    size: source.size,
    arch,
    signed: source.signed,
    encrypted: source.encrypted,
    fingerprints: source.fingerprints,
  }
  const { now, activity, defaultQuotaBytes } = shareBytes
  yield* attachBlob(container, image, { facts, archFromHeader, state: 'published', now, activity })
  yield* changeContents(container, { ...gained(image, source.size), defaultQuotaBytes, now })
  return (yield* findImage(image.id)) ?? image
}

type Publishing = Parameters<ImageStore['publish']>[0]

export function* publishImage({
  imageId,
  uploadId,
  blob,
  inspection,
  state,
  partsDigest = null,
  now,
  activity,
}: Publishing): Steps<'published' | 'already' | 'gone'> {
  const container = yield* lockContainerOf(imageId)
  const image = container && (yield* findImage(imageId))
  const claimed = (yield {
    sql: `UPDATE uploads SET state = ?, parts_digest = ?, updated_at = ? WHERE id = ? AND image_id = ? AND state = 'completing' RETURNING size, entity_id`,
    values: [image ? 'completed' : 'aborted', partsDigest, now, uploadId, imageId],
  })[0]
  if (claimed === undefined) return 'gone'
  const entityId = claimed.entity_id as string
  const reserved = -(claimed.size as number)
  const completed = { action: 'upload.completed', at: now, details: { uploadId, size: -reserved } } as const
  if (container === undefined || image === undefined) {
    // the image was deleted while its upload completed: nobody else will give the reservation back
    yield* changeUsage(entityId, { reserved })
    return 'gone'
  }
  const subject = { ...inContainer(container), digest: image.digest }
  if (image.state === 'published' || image.state === 'unproven') {
    yield* writeEvent(activity, { ...completed, ...subject })
    yield* changeUsage(entityId, { reserved })
    return 'already'
  }
  yield {
    sql: 'INSERT INTO blobs (blob_key, digest, size, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (blob_key) DO NOTHING',
    values: [blob.key, image.digest, blob.size, now],
  }
  yield* lockBlob(blob.key)
  if (inspection !== undefined)
    yield {
      sql: 'UPDATE blobs SET inspection_version = ?, inspected_at = ?, inspection = ? WHERE blob_key = ?',
      values: [...inspectionValues(inspection), blob.key],
    }
  const { arch, archFromHeader } = archOf(image, blob.arch)
  yield* writeEvent(activity, { ...completed, ...subject })
  yield* attachBlob(container, image, { facts: { ...blob, arch }, archFromHeader, state, now, activity })
  yield* changeContents(container, { ...gained(image, blob.size), reserved, now })
  return 'published'
}

/**
 * Deletes the image with its tags, and ends its uploads; returns how many bytes these had reserved.
 * The caller holds the container's lock, and settles what the container and those above it hold.
 */
export function* removeImage(image: ImageRecord, now: number): Steps<number> {
  const { id } = image
  yield* noteImageChange(id)
  yield { sql: 'DELETE FROM tags WHERE image_id = ?', values: [id] }
  yield* removeImageDocument(id)
  yield { sql: 'DELETE FROM images WHERE id = ?', values: [id] }
  const aborted = yield {
    sql: `UPDATE uploads SET state = 'aborted', updated_at = ? WHERE image_id = ? AND state = 'open' RETURNING size`,
    values: [now, id],
  }
  if (image.blobKey !== null) yield* releaseBlob(image.blobKey, now)
  return aborted.reduce((sum, row) => sum + (row.size as number), 0)
}

export function* deleteImage(id: string, now: number, activity?: Activity): Steps<boolean> {
  const container = yield* lockContainerOf(id)
  const image = container && (yield* findImage(id))
  if (container === undefined || image === undefined) return false
  const tags = yield* selectAll(tagOf, 'SELECT arch, tag, image_id, updated_at FROM tags WHERE image_id = ?', id)
  const reserved = yield* removeImage(image, now)
  for (const { arch, tag } of tags)
    yield* writeHistory(activity, {
      containerId: container.id,
      at: now,
      arch,
      tag,
      digest: null,
      previous: image.digest,
    })
  if (image.blobKey !== null) {
    yield* noteTagsRemoved(container, { archs: tags.map(({ arch }) => arch), now, activity })
    yield* writeEvent(activity, {
      ...{ action: 'image.deleted', at: now, ...inContainer(container), digest: image.digest, arch: image.arch },
      details: { size: image.size, tags: tags.slice(0, 20).map(({ arch, tag }) => `${tag} ${arch}`) },
    })
  }
  const images = image.blobKey === null ? 0 : -1
  yield* changeContents(container, { bytes: -image.size, images, reserved: -reserved, now })
  yield* changeRecords(container.entityId, -1)
  return true
}

/** An image `i` whose push was never finished; one value: created before. */
export const abandoned: string = `i.state = 'pending' AND i.created_at < ? AND NOT EXISTS
  (SELECT u.id FROM uploads u WHERE u.image_id = i.id AND u.state IN ('open', 'completing'))`

export function* deleteIfAbandoned(id: string, before: number): Steps<boolean> {
  const container = yield* lockContainerOf(id)
  if (container === undefined) return false
  // without bytes it has no tag, no document and no sidecar
  const deleted = yield* changed(`DELETE FROM images AS i WHERE i.id = ? AND ${abandoned} RETURNING id`, id, before)
  if (deleted) yield* changeRecords(container.entityId, -1)
  return deleted
}

/**
 * The image is later than the tag that it had, so that a sidecar which still has the tag is known
 * as older.
 */
export function* loseTag({ imageId, updatedAt }: TagRecord, now: number): Steps<void> {
  const at = Math.max(now, updatedAt + 1)
  yield { sql: `UPDATE images SET updated_at = ${later} WHERE id = ?`, values: [at, at, imageId] }
}

/** Compare-and-set of a member of an image that its search document and its sidecar show. */
export function* changeImage(id: string, sql: string, ...values: readonly (string | number | null)[]): Steps<boolean> {
  if ((yield* lockContainerOf(id)) === undefined) return false
  const done = yield* changed(sql, ...values)
  if (!done) return false
  yield* refreshImageDocument(id)
  yield* noteImageChange(id)
  return true
}

/**
 * What was read in the bytes before was wrong, or less: the record follows what is read in them
 * now.
 */
export function* correctFacts(
  id: string,
  { arch, signed, encrypted, fingerprints }: Omit<BlobFacts, 'key' | 'size'>,
  now: number,
  seen: { readonly blobKey: string },
): Steps<boolean> {
  const image = yield* findImage(id)
  if (image === undefined || image.blobKey !== seen.blobKey) return false
  const archFromHeader = arch !== null
  const isSame =
    (archFromHeader ? image.arch === arch && image.archFromHeader : !image.archFromHeader) &&
    image.signed === signed &&
    image.encrypted === encrypted &&
    JSON.stringify(image.fingerprints) === JSON.stringify(fingerprints)
  if (isSame) return false
  return yield* changeImage(
    id,
    `UPDATE images SET arch = COALESCE(?, arch), arch_from_header = ?, signed = ?, encrypted = ?, fingerprints = ?, updated_at = ${later}
      WHERE id = ? AND blob_key = ? RETURNING id`,
    ...[arch, flag(archFromHeader), nullableFlag(signed), nullableFlag(encrypted)],
    ...[JSON.stringify(fingerprints), now, now, id, seen.blobKey],
  )
}
