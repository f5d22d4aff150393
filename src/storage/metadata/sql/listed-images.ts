/** Lists of the images and of the tags of one container. */
import type { ImagePageQuery, ImageSummary, Page, TagPageQuery, TagRecord, TagSummary } from '../contract.js'
import { pageSize } from './names.js'
import {
  both,
  condition,
  decodePosition,
  encodePosition,
  inOrderOf,
  type Key,
  readPage,
  unconditional,
} from './pages.js'
import { imageColumnsOf, imageOf, tagOf } from './rows.js'
import { type Dialect, isListed, listValue, type Row, type Steps, selectAll } from './steps.js'

/** Of one image; more than these a list does not show. */
const maxTags = 101

// who pushed before their name was written down may still be a user here
const summaryColumns = `${imageColumnsOf('i')}, i.download_count, i.last_pulled_at,
  COALESCE(i.pushed_by_name, (SELECT u.name FROM users u WHERE u.id = i.owner)) AS pushed_by`

/**
 * The tags of each image, in one statement: arch, tag and time as three lines of one text, because
 * no name has a line end.
 */
function* tagsOf(dialect: Dialect, ids: readonly string[]): Steps<ReadonlyMap<string, readonly TagRecord[]>> {
  const rows = yield {
    sql: `SELECT value AS image_id, (SELECT ${dialect.jsonList('packed')} FROM (SELECT arch || '\n' || tag || '\n' || updated_at AS packed FROM tags
      WHERE image_id = list.value ORDER BY arch, tag LIMIT ${maxTags}) AS first) AS tags FROM ${dialect.list}`,
    values: [listValue(ids)],
  }
  const unpacked = (imageId: string, packed: string): TagRecord => {
    const [arch = '', tag = '', updatedAt] = packed.split('\n')
    return { arch, tag, imageId, updatedAt: Number(updatedAt) }
  }
  return new Map(
    rows.map((row) => {
      const id = row.image_id as string
      const packed = JSON.parse((row.tags as string | null) ?? '[]') as readonly string[]
      return [id, packed.map((each) => unpacked(id, each))]
    }),
  )
}

export function* imagesOf(dialect: Dialect, ids: readonly string[]): Steps<readonly ImageSummary[]> {
  if (ids.length === 0) return []
  const rows = yield {
    sql: `SELECT ${summaryColumns} FROM images i JOIN containers c ON c.id = i.container_id AND c.deleting_at IS NULL WHERE ${isListed(dialect, 'i.id')}`,
    values: [listValue(ids)],
  }
  const tags = yield* tagsOf(dialect, ids)
  const summaries = rows.map((row) => ({
    ...imageOf(row),
    tags: tags.get(row.id as string) ?? [],
    downloadCount: row.download_count as number,
    lastPulledAt: row.last_pulled_at as number | null,
    pushedByName: row.pushed_by as string | null,
  }))
  return inOrderOf(ids, summaries)
}

export function* imageSummary(dialect: Dialect, id: string): Steps<ImageSummary | undefined> {
  return (yield* imagesOf(dialect, [id]))[0]
}

export function* imagePage(dialect: Dialect, query: ImagePageQuery): Steps<Page<ImageSummary>> {
  const { containerId, arch, untagged } = query
  // one value for each row: an EXISTS may be answered for all rows of the table at once
  const aTag = '(SELECT t.tag FROM tags t WHERE t.image_id = n.id LIMIT 1)'
  const { ids, next } = yield* readPage(dialect, {
    table: 'images n',
    order: {
      keys: [
        { column: 'n.published_at', type: 'number' },
        { column: 'n.id', type: 'text' },
      ],
      descending: query.sort === '-publishedAt',
    },
    branches: [condition('n.container_id = ? AND n.published_at IS NOT NULL', containerId)],
    filter: both(
      arch === undefined ? unconditional : condition('n.arch = ?', arch),
      untagged === undefined ? unconditional : condition(`${aTag} IS ${untagged ? '' : 'NOT '}NULL`),
    ),
    after: query.after,
    limit: query.limit,
  })
  return { items: yield* imagesOf(dialect, ids), next }
}

const tagKeys = {
  name: [
    { column: 't.tag', type: 'text' },
    { column: 't.arch', type: 'text' },
  ],
  '-updatedAt': [
    { column: 't.updated_at', type: 'number' },
    { column: 't.tag', type: 'text' },
    { column: 't.arch', type: 'text' },
  ],
} as const satisfies Readonly<Record<TagPageQuery['sort'], readonly Key[]>>

const tagSummaryColumns = `t.arch AS t_arch, t.tag AS t_tag, t.image_id AS t_image_id, t.updated_at AS t_updated_at, t.changed_by AS t_changed_by, ${imageColumnsOf('i')}`
const tagsWithImages = `FROM tags t CROSS JOIN images i`

const tagSummaryOf = (row: Row): TagSummary => ({
  arch: row.t_arch as string,
  tag: row.t_tag as string,
  imageId: row.t_image_id as string,
  updatedAt: row.t_updated_at as number,
  changedBy: row.t_changed_by as string | null,
  image: imageOf(row),
})

export function* findTag(containerId: string, arch: string, tag: string): Steps<TagSummary | undefined> {
  const sql = `SELECT ${tagSummaryColumns} ${tagsWithImages} WHERE i.id = t.image_id AND t.container_id = ? AND t.arch = ? AND t.tag = ?`
  return (yield* selectAll(tagSummaryOf, sql, containerId, arch, tag))[0]
}

/** Tags have no id: a page reads them whole, so many rows at the most. */
const maxScanned = 1500

export function* tagPage(dialect: Dialect, query: TagPageQuery): Steps<Page<TagSummary>> {
  const { containerId, sort, arch, q } = query
  const keys: readonly Key[] = tagKeys[sort]
  const limit = pageSize(query.limit)
  const position = decodePosition(query.after, keys)
  const [sign, direction] = sort === 'name' ? ['>', ''] : ['<', ' DESC']
  const filter = both(
    arch === undefined ? unconditional : condition('t.arch = ?', arch),
    q === undefined ? unconditional : condition(`${dialect.positionIn('t.tag')} > 0`, q),
  )
  const range =
    position === undefined
      ? unconditional
      : condition(
          `(${keys.map(({ column }) => column).join(', ')}) ${sign} (${keys.map(() => '?').join(', ')})`,
          ...position,
        )
  const columns = 'container_id, arch, tag, image_id, updated_at, changed_by'
  const isFiltered = filter.sql.length > 0
  const asked = both(condition('t.container_id = ?', containerId), range)
  const scanned = isFiltered ? maxScanned : limit + 1
  const order = keys.map(({ column }) => `${column}${direction}`).join(', ')
  const rows = yield {
    sql: `SELECT ${columns}, ${isFiltered ? `CASE WHEN ${filter.sql.join(' AND ')} THEN 1 ELSE 0 END` : '1'} AS matches FROM tags t
      WHERE ${asked.sql.join(' AND ')} ORDER BY ${order} LIMIT ?`,
    values: [...filter.values, ...asked.values, scanned],
  }
  const valuesOf = (row: Row): readonly (string | number)[] =>
    keys.map(({ column }) => row[column.slice(2)] as string | number)
  const matching = rows.filter((row) => row.matches === 1)
  const found = matching.slice(0, limit)
  const end = matching.length > limit ? found.at(-1) : rows.length === scanned ? rows.at(-1) : undefined
  const ids = [...new Set(found.map((row) => row.image_id as string))]
  const sql = `SELECT ${imageColumnsOf('i')} FROM images i WHERE ${isListed(dialect, 'i.id')}`
  const images = new Map((yield* selectAll(imageOf, sql, listValue(ids))).map((image) => [image.id, image]))
  const items = found.flatMap((row) => {
    const image = images.get(row.image_id as string)
    return image === undefined ? [] : [{ ...tagOf(row), changedBy: row.changed_by as string | null, image }]
  })
  return { items, next: end && encodePosition(valuesOf(end)) }
}
