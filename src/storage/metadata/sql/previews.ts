/** What a deletion would take: from the kept numbers, and counted no further than people care. */
import type { DeletionPreview } from '../contract.js'
import { type Row, type Steps, selectFirst } from './steps.js'

const maxCounted = 10_001

const counted = (what: string): string =>
  `(SELECT count(*) FROM (SELECT 1 AS one FROM ${what} LIMIT ${maxCounted}) AS first)`

const previewOf = (row: Row): DeletionPreview => ({
  collections: Number(row.collections),
  containers: Number(row.containers),
  images: Number(row.images),
  tags: Number(row.tags),
  bytes: Number(row.bytes),
})

export function* imagePreview(id: string): Steps<DeletionPreview | undefined> {
  return yield* selectFirst(
    previewOf,
    `SELECT 0 AS collections, 0 AS containers, 1 AS images, size AS bytes, ${counted('tags t WHERE t.image_id = n.id')} AS tags FROM images n WHERE id = ?`,
    id,
  )
}

export function* containerPreview(id: string): Steps<DeletionPreview | undefined> {
  return yield* selectFirst(
    previewOf,
    `SELECT 0 AS collections, 1 AS containers, image_count AS images, used_bytes AS bytes, ${counted('tags t WHERE t.container_id = n.id')} AS tags
      FROM containers n WHERE id = ? AND deleting_at IS NULL`,
    id,
  )
}

export function* collectionPreview(id: string): Steps<DeletionPreview | undefined> {
  return yield* selectFirst(
    previewOf,
    `SELECT 1 AS collections, image_count AS images, used_bytes AS bytes, ${counted('containers c JOIN tags t ON t.container_id = c.id WHERE c.collection_id = n.id AND c.deleting_at IS NULL')} AS tags,
      ${counted('containers c WHERE c.collection_id = n.id AND c.deleting_at IS NULL')} AS containers FROM collections n WHERE id = ?`,
    id,
  )
}

export function* entityPreview(id: string): Steps<DeletionPreview | undefined> {
  return yield* selectFirst(
    previewOf,
    `SELECT ${counted('collections k WHERE k.entity_id = n.id')} AS collections, image_count AS images, used_bytes AS bytes,
      ${counted('collections k JOIN containers c ON c.collection_id = k.id WHERE k.entity_id = n.id AND c.deleting_at IS NULL')} AS containers,
      ${counted('collections k JOIN containers c ON c.collection_id = k.id JOIN tags t ON t.container_id = c.id WHERE k.entity_id = n.id AND c.deleting_at IS NULL')} AS tags
      FROM entities n WHERE id = ?`,
    id,
  )
}
