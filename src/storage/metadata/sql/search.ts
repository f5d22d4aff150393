import type { SearchPage, SearchQuery, VisibilityFilter } from '../contract.js'
import { pageSize } from './names.js'
import {
  collectionColumns,
  collectionOf,
  containerColumns,
  containerOf,
  entityColumns,
  entityOf,
  imageInContainerColumns,
  imageInContainerOf,
} from './rows.js'
import { type Dialect, isListed, listValue, type Query, type SqlRunner, type Steps, type Value } from './steps.js'

// Trigrams need three characters; a longer value than this is nobody's name, and every character of
// it costs the index a lookup.
const minCharacters = 3
const maxCharacters = 256
const maxPlainArchs = 8
/** Images of an arch that are looked at one by one. */
const maxScanned = 2000

/** What a page shows, and one more each, so that its reader sees that there is more. */
const maxDescription = 1025
const maxTags = 101
/**
 * Fingerprints are a JSON list of 40 hex digits each: so many characters are the first 16, without
 * the closing bracket.
 */
const maxFingerprints = 16 * 43

/**
 * The columns with their long texts cut: a page of a thousand long ones would be a hundred
 * megabytes.
 */
function cut(columns: string, fingerprints = false): string {
  const shorter = columns.replace(
    /\b([a-z])\.description\b/g,
    `substr($1.description, 1, ${maxDescription}) AS description`,
  )
  const named = shorter.replace(/AS description AS /g, 'AS ')
  return fingerprints
    ? named.replace('i.fingerprints', `substr(i.fingerprints, 1, ${maxFingerprints}) AS fingerprints`)
    : named
}

const nothing: SearchPage = { entities: [], collections: [], containers: [], images: [], next: undefined }

/** Conditions with their values, in the order of their `?`. */
interface Conditions {
  readonly sql: readonly string[]
  readonly values: readonly Value[]
}

function visible(
  dialect: Dialect,
  visibility: VisibilityFilter,
  { hidden, entity }: { hidden: string; entity: string },
): Conditions {
  if (visibility === 'all') return { sql: [], values: [] }
  if (visibility === 'public') return { sql: [`NOT (${hidden})`], values: [] }
  return { sql: [`(NOT (${hidden}) OR ${isListed(dialect, entity)})`], values: [listValue(visibility.entities)] }
}

interface Kind {
  readonly table: string
  /** The noun's table with its alias, and how it is joined to the document `s`. */
  readonly noun: string
  readonly columns: string
  readonly hidden: string
  readonly entity: string
}

const entities: Kind = {
  table: 'search_entities',
  noun: 'entities n',
  columns: entityColumns,
  hidden: 'n.default_private = 1',
  entity: 'n.name',
}
const collections: Kind = {
  table: 'search_collections',
  noun: 'collections n',
  columns: collectionColumns,
  hidden: 'n.private = 1',
  entity: 'n.entity_name',
}
const containers: Kind = {
  table: 'search_containers',
  noun: 'containers n',
  columns: containerColumns,
  hidden: 'n.private = 1 OR n.collection_private = 1',
  entity: 'n.entity_name',
}

/**
 * Walks the matching documents from the newest to the oldest and stops at the limit; the order of
 * the tables is fixed (CROSS JOIN), because a database that began with the nouns would look at all
 * of them.
 */
function namesQuery(dialect: Dialect, kind: Kind, { value, visibility, limit }: SearchQuery): Query {
  const { from, match, position } = dialect.search(kind.table)
  const filter = visible(dialect, visibility, kind)
  const columns = cut(kind.columns.replace(/(^|, )/g, '$1n.'))
  return {
    sql: `SELECT ${columns} FROM ${from} CROSS JOIN ${kind.noun} WHERE ${[match, 'n.id = s.ref_id', ...filter.sql].join(' AND ')} ORDER BY ${position} DESC LIMIT ?`,
    values: [dialect.pattern(value), ...filter.values, pageSize(limit)],
    planned: 'each-time',
  }
}

/**
 * Equality where there are few: a list that the database unfolds itself hides from its planner how
 * many rows an arch has.
 */
function ofArch(dialect: Dialect, archs: readonly string[]): Conditions {
  if (archs.length === 0) return { sql: [], values: [] }
  if (archs.length > maxPlainArchs) return { sql: [isListed(dialect, 's.arch')], values: [listValue(archs)] }
  return { sql: [`s.arch IN (${archs.map(() => '?').join(', ')})`], values: archs }
}

/**
 * Whether so few images have one of the archs that looking at each is quicker than walking all that
 * match in name.
 */
function* isRareArch(dialect: Dialect, archs: readonly string[]): Steps<boolean> {
  if (dialect.searchByArch === undefined || archs.length === 0) return false
  const { sql, values } = ofArch(dialect, archs)
  const rows = yield {
    sql: `SELECT s.id FROM search_images s WHERE ${sql.join(' AND ')} LIMIT 1 OFFSET ${maxScanned}`,
    values,
  }
  return rows.length === 0
}

function* imagesQuery(dialect: Dialect, query: SearchQuery, before: number | undefined): Steps<Query> {
  const { archs = [], signed } = query
  const byArch = (yield* isRareArch(dialect, archs)) ? dialect.searchByArch : undefined
  const { from, match, position } = byArch ?? dialect.search('search_images')
  const filter = visible(dialect, query.visibility, {
    hidden: 'c.private = 1 OR c.collection_private = 1',
    entity: 'c.entity_name',
  })
  const conditions = [match, 'i.id = s.ref_id', 'c.id = s.container_id', 'c.deleting_at IS NULL']
  const values: Value[] = [byArch === undefined ? dialect.pattern(query.value) : query.value]
  if (before !== undefined) {
    conditions.push(`${position} < CAST(? AS BIGINT)`)
    values.push(before)
  }
  const arch = ofArch(dialect, archs)
  conditions.push(...arch.sql)
  values.push(...arch.values)
  // not known is not signed
  if (signed !== undefined) conditions.push(signed ? 's.signed = 1' : '(s.signed IS NULL OR s.signed = 0)')
  return {
    sql: `SELECT s.id AS document, ${cut(imageInContainerColumns, true)} FROM ${from} CROSS JOIN containers c CROSS JOIN images i
      WHERE ${[...conditions, ...filter.sql].join(' AND ')} ORDER BY ${position} DESC LIMIT ?`,
    // one more than asked for tells whether there is a next page
    values: [...values, ...filter.values, pageSize(query.limit) + 1],
    planned: 'each-time',
  }
}

function* tagsOf(dialect: Dialect, imageIds: readonly string[]): Steps<ReadonlyMap<string, string[]>> {
  const tags = new Map<string, string[]>(imageIds.map((id) => [id, []]))
  if (imageIds.length === 0) return tags
  const sql = `SELECT value AS image_id, (SELECT ${dialect.jsonList('tag')} FROM
    (SELECT tag FROM tags WHERE image_id = list.value ORDER BY arch, tag LIMIT ${maxTags}) AS first) AS tags FROM ${dialect.list}`
  for (const row of yield { sql, values: [listValue(imageIds)] })
    tags.set(row.image_id as string, [...new Set(JSON.parse((row.tags as string | null) ?? '[]') as string[])])
  return tags
}

function* searchImages(
  dialect: Dialect,
  query: SearchQuery,
  before: number | undefined,
): Steps<Pick<SearchPage, 'images' | 'next'>> {
  const rows = yield yield* imagesQuery(dialect, query, before)
  const found = rows.slice(0, pageSize(query.limit))
  const tags = yield* tagsOf(
    dialect,
    found.map((row) => row.id as string),
  )
  const images = found.map((row) => ({
    ...imageInContainerOf(row),
    tags: tags.get(row.id as string) ?? [],
    after: (row.document as number).toString(36),
  }))
  return { images, next: rows.length > found.length ? images.at(-1)?.after : undefined }
}

/**
 * The number behind `after`; undefined for what no page of ours gave out, which begins at the first
 * page.
 */
function positionOf(after: string | undefined): number | undefined {
  if (after === undefined || !/^[0-9a-z]{1,10}$/.test(after)) return undefined
  return Number.parseInt(after, 36)
}

export function search(runner: SqlRunner, query: SearchQuery): Promise<SearchPage> {
  const value = query.value.toLowerCase()
  const characters = [...value].length
  if (characters < minCharacters || characters > maxCharacters) return Promise.resolve(nothing)
  const { dialect } = runner
  const before = positionOf(query.after)
  const folded = { ...query, value }
  return runner.run('read', function* () {
    const page = yield* searchImages(dialect, folded, before)
    if (before !== undefined) return { ...nothing, ...page }
    const names = (kind: Kind): Query => namesQuery(dialect, kind, folded)
    return {
      entities: (yield names(entities)).map(entityOf),
      collections: (yield names(collections)).map(collectionOf),
      containers: (yield names(containers)).map(containerOf),
      ...page,
    }
  })
}
