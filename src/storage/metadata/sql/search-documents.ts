import { changed, type Steps, selectAll } from './steps.js'

// What bounds the work of one write: a description or a list of tags as long as an attacker likes
// would be indexed again at every change of a tag.
const maxDescription = 4096
const maxTags = 500

/**
 * The text that a search looks through: lower case by the same rule as the value searched for, so
 * that both databases fold alike; one line per name, tag or description, so that no match spans two
 * of them. Only the first 4096 characters of a description and the first 500 tags (by arch and
 * name) are found.
 */
function documentText(path: readonly string[], descriptions: readonly string[], tags: readonly string[]): string {
  const lines = [path.join('/'), ...descriptions.map((text) => text.slice(0, maxDescription)), ...new Set(tags)]
  return lines
    .filter((line) => line !== '')
    .join('\n')
    .toLowerCase()
}

export interface NameDocument {
  readonly id: string
  readonly path: readonly string[]
  readonly description: string
}

/** Makes an entity, a collection or a container searchable, by what it is called now. */
export function* writeNameDocument(
  table: 'search_entities' | 'search_collections' | 'search_containers',
  document: NameDocument,
): Steps<void> {
  const text = documentText(document.path, [document.description], [])
  yield {
    sql: `INSERT INTO ${table} (ref_id, text) VALUES (?, ?) ON CONFLICT (ref_id) DO UPDATE SET text = excluded.text`,
    values: [document.id, text],
  }
}

export function* removeNameDocument(
  table: 'search_entities' | 'search_collections' | 'search_containers',
  id: string,
): Steps<void> {
  yield { sql: `DELETE FROM ${table} WHERE ref_id = ?`, values: [id] }
}

/**
 * Brings the document of an image in line with the image, its container and its tags. Only
 * published images have one. The caller holds the container's lock.
 */
export function* refreshImageDocument(imageId: string): Steps<void> {
  const image = (yield {
    sql: `SELECT i.description, i.arch, i.signed, c.id AS container_id, c.entity_name, c.collection_name, c.name, c.description AS container_description
      FROM images i JOIN containers c ON c.id = i.container_id WHERE i.id = ? AND i.state = 'published'`,
    values: [imageId],
  })[0]
  if (image === undefined) return yield* removeImageDocument(imageId)
  const tags = yield* selectAll(
    (row) => row.tag as string,
    `SELECT tag FROM tags WHERE image_id = ? ORDER BY arch, tag LIMIT ${maxTags}`,
    imageId,
  )
  const text = documentText(
    [image.entity_name as string, image.collection_name as string, image.name as string],
    [image.container_description as string, image.description as string],
    tags,
  )
  yield* changed(
    `INSERT INTO search_images (ref_id, container_id, arch, signed, text) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (ref_id) DO UPDATE SET arch = excluded.arch, signed = excluded.signed, text = excluded.text`,
    imageId,
    image.container_id as string,
    image.arch as string | null,
    image.signed as number | null,
    text,
  )
}

export function* removeImageDocument(imageId: string): Steps<void> {
  yield { sql: 'DELETE FROM search_images WHERE ref_id = ?', values: [imageId] }
}
