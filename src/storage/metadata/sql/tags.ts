import type { TagChange, TagStore } from '../contract.js'
import { MetadataError } from '../errors.js'
import { inContainer, writeEvent, writeHistory } from './activity.js'
import { noteImageChange } from './changes.js'
import { noteTagSet, noteTagsRemoved } from './contents.js'
import { deleteImage, findImage, loseTag } from './image-steps.js'
import { findTag, tagPage } from './listed-images.js'
import { lockContainer } from './locks.js'
import { pageSize } from './names.js'
import { tagOf } from './rows.js'
import { refreshImageDocument } from './search-documents.js'
import { changed, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'

const thisTag = 'container_id = ? AND arch = ? AND tag = ?'

function* setTag({
  containerId,
  arch,
  tag,
  imageId,
  now,
  maxTags,
  expected,
  activity,
}: Parameters<TagStore['set']>[0]): Steps<TagChange> {
  const container = yield* lockContainer(containerId)
  const digest = yield* selectFirst(
    (row) => row.digest as string,
    `SELECT digest FROM images WHERE id = ? AND container_id = ? AND state IN ('published', 'unproven')`,
    imageId,
    containerId,
  )
  if (container === undefined || digest === undefined)
    throw new MetadataError('image-missing', 'the image of the tag is not a published one of this container')
  const before = yield* selectFirst(
    (row) => ({ ...tagOf(row), digest: row.digest as string }),
    `SELECT t.arch, t.tag, t.image_id, t.updated_at, i.digest FROM tags t JOIN images i ON i.id = t.image_id
      WHERE t.container_id = ? AND t.arch = ? AND t.tag = ?`,
    containerId,
    arch,
    tag,
  )
  const previous = before?.imageId
  const result = { previous, previousDigest: before?.digest }
  if (expected !== undefined && (before?.digest ?? null) !== expected) return { isSet: false, ...result }
  if (before === undefined) yield* checkTags(containerId, maxTags)
  yield {
    sql: `INSERT INTO tags (container_id, arch, tag, image_id, updated_at, changed_by) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (container_id, arch, tag) DO UPDATE SET image_id = excluded.image_id, changed_by = excluded.changed_by,
        updated_at = CASE WHEN tags.updated_at > excluded.updated_at THEN tags.updated_at ELSE excluded.updated_at END`,
    values: [containerId, arch, tag, imageId, now, activity?.actor.name ?? null],
  }
  yield* noteTagSet(container, { arch, tag, now, activity })
  if (previous === imageId) return { isSet: true, ...result }
  if (before !== undefined) yield* loseTag(before, now)
  for (const id of previous === undefined ? [imageId] : [imageId, previous]) {
    yield* refreshImageDocument(id)
    yield* noteImageChange(id)
  }
  yield* writeHistory(activity, { containerId, at: now, arch, tag, digest, previous: before?.digest ?? null })
  yield* writeEvent(activity, {
    ...{ action: 'tag.moved', at: now, ...inContainer(container), digest, tag, arch },
    details: { previous: before?.digest ?? null },
  })
  return { isSet: true, ...result }
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
  keepImage = false,
  activity,
}: Parameters<TagStore['remove']>[0]): Steps<Awaited<ReturnType<TagStore['remove']>>> {
  const container = yield* lockContainer(containerId)
  const removed =
    container &&
    (yield* selectFirst(
      tagOf,
      `DELETE FROM tags WHERE ${thisTag} AND image_id = ? RETURNING arch, tag, image_id, updated_at`,
      ...[containerId, arch, tag, imageId],
    ))
  if (container === undefined || removed === undefined) {
    return (yield* changed(`SELECT tag FROM tags WHERE ${thisTag}`, containerId, arch, tag)) ? 'moved' : 'gone'
  }
  const digest = (yield* findImage(imageId))?.digest ?? null
  yield* writeHistory(activity, { containerId, at: now, arch, tag, digest: null, previous: digest })
  yield* writeEvent(activity, { action: 'tag.removed', at: now, ...inContainer(container), digest, tag, arch })
  yield* noteTagsRemoved(container, { archs: [arch], now, activity })
  if (keepImage || (yield* changed('SELECT tag FROM tags WHERE image_id = ? LIMIT 1', imageId))) {
    yield* loseTag(removed, now)
    yield* refreshImageDocument(imageId)
    yield* noteImageChange(imageId)
    return 'removed'
  }
  yield* deleteImage(imageId, now, activity)
  return 'image-deleted'
}

export function tagStore(runner: SqlRunner): TagStore {
  return {
    set: (tag) => runner.run('transaction', () => setTag(tag)),
    page: (query) => runner.run('read', () => tagPage(runner.dialect, query)),
    find: (containerId, arch, tag) => runner.run('read', () => findTag(containerId, arch, tag)),
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
