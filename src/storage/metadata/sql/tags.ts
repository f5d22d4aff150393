import type { TagStore } from '../contract.js'
import { MetadataError } from '../errors.js'
import { noteImageChange } from './changes.js'
import { refreshImageDocument } from './documents.js'
import { deleteImage, loseTag } from './image-steps.js'
import { lockContainer } from './locks.js'
import { pageSize } from './names.js'
import { tagOf } from './rows.js'
import { changed, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'

const thisTag = 'container_id = ? AND arch = ? AND tag = ?'

function* setTag({
  containerId,
  arch,
  tag,
  imageId,
  now,
  maxTags,
}: Parameters<TagStore['set']>[0]): Steps<{ readonly previous: string | undefined }> {
  yield* lockContainer(containerId)
  const visible = yield* changed(
    `SELECT id FROM images WHERE id = ? AND container_id = ? AND state IN ('published', 'unproven')`,
    imageId,
    containerId,
  )
  if (!visible)
    throw new MetadataError('image-missing', 'the image of the tag is not a published one of this container')
  const before = yield* selectFirst(
    tagOf,
    `SELECT arch, tag, image_id, updated_at FROM tags WHERE ${thisTag}`,
    containerId,
    arch,
    tag,
  )
  const previous = before?.imageId
  if (before === undefined) yield* checkTags(containerId, maxTags)
  yield {
    sql: `INSERT INTO tags (container_id, arch, tag, image_id, updated_at) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (container_id, arch, tag) DO UPDATE SET image_id = excluded.image_id,
        updated_at = CASE WHEN tags.updated_at > excluded.updated_at THEN tags.updated_at ELSE excluded.updated_at END`,
    values: [containerId, arch, tag, imageId, now],
  }
  if (previous === imageId) return { previous }
  if (before !== undefined) yield* loseTag(before, now)
  for (const id of previous === undefined ? [imageId] : [imageId, previous]) {
    yield* refreshImageDocument(id)
    yield* noteImageChange(id)
  }
  return { previous }
}

/** Throws where the container has no room for one more. */
function* checkTags(containerId: string, maxTags: number | undefined): Steps<void> {
  if (maxTags === undefined) return
  const sql = 'SELECT tag FROM tags WHERE container_id = ? LIMIT 1 OFFSET CAST(? AS INTEGER)'
  if (maxTags === 0 || (yield* changed(sql, containerId, maxTags - 1)))
    throw new MetadataError('limit-exceeded', `the container has ${maxTags} tags`, { limit: 'tags' })
}

function* removeTag({
  containerId,
  arch,
  tag,
  imageId,
  now,
}: Parameters<TagStore['remove']>[0]): Steps<Awaited<ReturnType<TagStore['remove']>>> {
  yield* lockContainer(containerId)
  const removed = yield* selectFirst(
    tagOf,
    `DELETE FROM tags WHERE ${thisTag} AND image_id = ? RETURNING arch, tag, image_id, updated_at`,
    ...[containerId, arch, tag, imageId],
  )
  if (removed === undefined) {
    return (yield* changed(`SELECT tag FROM tags WHERE ${thisTag}`, containerId, arch, tag)) ? 'moved' : 'gone'
  }
  if (yield* changed('SELECT tag FROM tags WHERE image_id = ? LIMIT 1', imageId)) {
    yield* loseTag(removed, now)
    yield* refreshImageDocument(imageId)
    yield* noteImageChange(imageId)
    return 'removed'
  }
  yield* deleteImage(imageId, now)
  return 'image-deleted'
}

export function tagStore(runner: SqlRunner): TagStore {
  return {
    set: (tag) => runner.run('transaction', () => setTag(tag)),
    list: (containerId, { tag, limit } = {}) =>
      runner.run('read', () =>
        selectAll(
          tagOf,
          `SELECT arch, tag, image_id, updated_at FROM tags WHERE container_id = ?${tag === undefined ? '' : ' AND tag = ?'}
            ORDER BY arch, tag${limit === undefined ? '' : ' LIMIT ?'}`,
          ...[containerId, ...(tag === undefined ? [] : [tag]), ...(limit === undefined ? [] : [pageSize(limit)])],
        ),
      ),
    remove: (tag) => runner.run('transaction', () => removeTag(tag)),
  }
}
