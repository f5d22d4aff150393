import type { Activity, CreateResult, ImageRecord, ImageStore } from '../contract.js'
import { MetadataError } from '../errors.js'
import { inContainer as ofContainer, writeEvent } from './activity.js'
import {
  abandoned,
  changeImage,
  correctFacts,
  deleteIfAbandoned,
  deleteImage,
  findImage,
  publishImage,
  shareBytesOf,
} from './image-steps.js'
import { imagePage, imageSummary } from './listed-images.js'
import { lockContainer, lockContainerOf } from './locks.js'
import { later, pageSize } from './names.js'
import { imagePreview } from './previews.js'
import { restoreImage } from './restore.js'
import { imageColumns, imageInContainerColumns, imageInContainerOf, imageOf, tagOf } from './rows.js'
import { changed, isListed, listValue, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'
import { claimRecord } from './usage.js'

// one that is being deleted is as good as gone
const inContainer = `SELECT ${imageInContainerColumns} FROM images i JOIN containers c ON c.id = i.container_id AND c.deleting_at IS NULL`
const byId = `${inContainer} WHERE i.id = ?`
const byPath = 'c.entity_name = ? AND c.collection_name = ? AND c.name = ?'

/**
 * One statement of three lookups, each in one index: container by path, tag by (container, arch,
 * tag), image by id.
 */
export const findByTag: string = `SELECT ${imageInContainerColumns} FROM containers c JOIN tags t ON t.container_id = c.id JOIN images i ON i.id = t.image_id
  WHERE ${byPath} AND t.arch = ? AND t.tag = ?`
const findByDigest = `SELECT ${imageInContainerColumns} FROM containers c JOIN images i ON i.container_id = c.id WHERE ${byPath} AND i.digest = ?`

type NewImage = Parameters<ImageStore['createIfAbsent']>[0]

function* createImage({
  id,
  containerId,
  digest,
  description,
  owner,
  now,
  shareBytes,
  maxRecords,
  maxPending,
  activity,
}: NewImage): Steps<Awaited<ReturnType<ImageStore['createIfAbsent']>>> {
  const container = yield* lockContainer(containerId)
  if (container === undefined)
    throw new MetadataError('parent-missing', 'the container of the new image does not exist')
  const result = yield* findOrInsert({ id, containerId, digest, description, owner, now })
  const { record } = result
  const published =
    shareBytes === undefined || record.state === 'published' || record.state === 'unproven'
      ? record
      : yield* shareBytesOf(record, container, { ...shareBytes, now, activity })
  if (result.created) {
    if (published.state === 'pending') yield* checkPending(owner, maxPending)
    // last, because it locks the entity: container, upload, blob, entity is the order of all
    yield* claimRecord(container.entityId, maxRecords)
  }
  return { ...result, record: published, shared: published !== record && published.state === 'published' }
}

/** Throws where the owner has more images without bytes, with the one that was just made. */
function* checkPending(owner: string | null, maxPending: number | undefined): Steps<void> {
  if (maxPending === undefined) return
  const condition = owner === null ? 'owner IS NULL' : 'owner = ?'
  const values = owner === null ? [] : [owner]
  const sql = `SELECT id FROM images WHERE ${condition} AND state = 'pending' LIMIT 1 OFFSET CAST(? AS INTEGER)`
  if (yield* changed(sql, ...values, maxPending))
    throw new MetadataError('limit-exceeded', `${maxPending} images of the owner have no bytes`, {
      limit: 'pending-images',
    })
}

/** Nobody else can insert between the two statements: the container is locked. */
function* findOrInsert({
  id,
  containerId,
  digest,
  description,
  owner,
  now,
}: Omit<NewImage, 'shareBytes'>): Steps<CreateResult<ImageRecord>> {
  const found = yield* selectFirst(
    imageOf,
    `SELECT ${imageColumns} FROM images WHERE container_id = ? AND digest = ?`,
    containerId,
    digest,
  )
  if (found !== undefined) return { record: found, created: false }
  const [row = {}] = yield {
    sql: `INSERT INTO images (id, container_id, digest, description, state, size, arch_from_header, fingerprints, owner, created_at, updated_at)
      VALUES (?, ?, ?, ?, 'pending', 0, 0, '[]', ?, ?, ?) RETURNING ${imageColumns}`,
    values: [id, containerId, digest, description, owner, now, now],
  }
  return { record: imageOf(row), created: true }
}

/** Writes the event of an image that is there. The caller holds the container's lock. */
function* tellOf(
  action: 'image.damaged' | 'image.changed',
  id: string,
  now: number,
  activity: Activity | undefined,
): Steps<void> {
  if (activity === undefined) return
  const container = yield* lockContainerOf(id)
  const image = yield* findImage(id)
  if (container === undefined || image === undefined) return
  const { digest, arch } = image
  yield* writeEvent(activity, { action, at: now, ...ofContainer(container), digest, arch })
}

export function imageStore(runner: SqlRunner): ImageStore {
  return {
    createIfAbsent: (image) => runner.run('transaction', () => createImage(image)),

    find: (id) => runner.run('read', () => selectFirst(imageInContainerOf, byId, id)),

    findByPath: ({ entity, collection, container }, selector) =>
      runner.run('read', () =>
        'digest' in selector
          ? selectFirst(imageInContainerOf, findByDigest, entity, collection, container, selector.digest)
          : selectFirst(imageInContainerOf, findByTag, entity, collection, container, selector.arch, selector.tag),
      ),

    page: (query) => runner.run('read', () => imagePage(runner.dialect, query)),

    findSummary: (id) => runner.run('read', () => imageSummary(runner.dialect, id)),

    preview: (id) => runner.run('read', () => imagePreview(id)),

    findPublished: (digest, limit) =>
      runner.run('read', () =>
        selectAll(
          imageInContainerOf,
          `${inContainer} WHERE i.digest = ? AND i.state = 'published' ORDER BY i.published_at DESC, i.id DESC LIMIT ?`,
          digest,
          pageSize(limit),
        ),
      ),

    tagsOf: (imageId) =>
      runner.run('read', () =>
        selectAll(
          tagOf,
          'SELECT arch, tag, image_id, updated_at FROM tags WHERE image_id = ? ORDER BY arch, tag',
          imageId,
        ),
      ),

    publish: (change) => runner.run('transaction', () => publishImage(change)),

    setState: (id, from, to, now, seen, activity) =>
      runner.run('transaction', function* () {
        const done = yield* changeImage(
          id,
          `UPDATE images SET state = ?, updated_at = ${later} WHERE id = ? AND blob_key ${seen === undefined ? 'IS NOT NULL' : '= ?'}
            AND ${isListed(runner.dialect, 'state')} RETURNING id`,
          ...[to, now, now, id, ...(seen === undefined ? [] : [seen.blobKey ?? '']), listValue(from)],
        )
        if (done && to === 'damaged') yield* tellOf('image.damaged', id, now, activity)
        return done
      }),

    setFacts: (id, facts, now, seen) => runner.run('transaction', () => correctFacts(id, facts, now, seen)),

    setArchIfUnknown: (id, arch, now) =>
      runner.run('transaction', function* () {
        yield* changeImage(
          id,
          `UPDATE images SET arch = ?, updated_at = ${later} WHERE id = ? AND arch IS NULL RETURNING id`,
          arch,
          now,
          now,
          id,
        )
        return yield* findImage(id)
      }),

    update: (id, { description, now, activity }) =>
      runner.run('transaction', function* () {
        const sql = `UPDATE images SET description = ?, updated_at = ${later} WHERE id = ? RETURNING id`
        if (!(yield* changeImage(id, sql, description, now, now, id))) return undefined
        yield* tellOf('image.changed', id, now, activity)
        return yield* findImage(id)
      }),

    delete: (id, now, activity) => runner.run('transaction', () => deleteImage(id, now, activity)),

    findAbandoned: ({ before, after = '', limit }) =>
      runner.run('read', () =>
        selectAll(
          imageInContainerOf,
          // said twice, because the index of those that are not published is chosen by it
          `${inContainer} WHERE i.id > ? AND i.state <> 'published' AND ${abandoned} ORDER BY i.id LIMIT ?`,
          ...[after, before, pageSize(limit)],
        ),
      ),

    deleteIfAbandoned: (id, before) => runner.run('transaction', () => deleteIfAbandoned(id, before)),

    restore: (image) => runner.run('transaction', () => restoreImage(image)),

    list: ({ after = '', limit, states = [] }) =>
      runner.run('read', () => {
        const order = 'ORDER BY i.id LIMIT ?'
        if (states.length === 0)
          return selectAll(imageInContainerOf, `${inContainer} WHERE i.id > ? ${order}`, after, pageSize(limit))
        // said in so many words, because nearly all are published, and the index of the others is
        // chosen by it
        const others = states.includes('published') ? '' : `i.state <> 'published' AND `
        const sql = `${inContainer} WHERE i.id > ? AND ${others}${isListed(runner.dialect, 'i.state')} ${order}`
        return selectAll(imageInContainerOf, sql, after, listValue(states), pageSize(limit))
      }),
  }
}
