/**
 * Pages of a list. Each is read along one index or a few (branches) whose rows are merged by the
 * sort key, from where the page before ended; what no index can say is asked of each row (the
 * filter), of so many rows at the most. Where few records can pass at all (a narrow set), these are
 * sorted instead.
 */
import type { VisibilityFilter } from '../contract.js'
import { pageSize } from './names.js'
import { type Dialect, isListed, listValue, type Row, type Steps, type Value } from './steps.js'

/** Conditions on the rows `n` of a list's table, with their values in the order of their `?`. */
export interface Conditions {
  readonly sql: readonly string[]
  readonly values: readonly Value[]
}

export const unconditional: Conditions = { sql: [], values: [] }

export const condition = (sql: string, ...values: readonly Value[]): Conditions => ({ sql: [sql], values })

export function both(...all: readonly Conditions[]): Conditions {
  return { sql: all.flatMap(({ sql }) => sql), values: all.flatMap(({ values }) => values) }
}

export interface Key {
  readonly column: string
  readonly type: 'text' | 'number'
}

export interface Order {
  /** The last one tells equal ones apart. */
  readonly keys: readonly Key[]
  readonly descending: boolean
}

export interface Branch extends Conditions {
  /** The first keys have this one value in it: the range begins behind them. */
  readonly fixed?: readonly string[]
}

export interface Listing {
  /** The table, whose rows are called `n`. */
  readonly table: string
  /** Of a row, unique. Default: `n.id`. */
  readonly id?: string
  readonly order: Order
  readonly branches: readonly Branch[]
  readonly filter: Conditions
  /** Ids of the only rows that can pass. */
  readonly narrow?: readonly string[] | undefined
  readonly after: string | undefined
  readonly limit: number
}

/** Rows that a page looks at, where there is a filter. */
const scannedAtOnce = 500
const maxScanned = 1000
/** Rows that are sorted for a page. */
const maxNarrow = 500
/** Entities that have a branch of their own. */
export const maxBranches = 30

export function encodePosition(values: readonly Value[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url')
}

/** Undefined for what no page of such a list gave out. */
export function decodePosition(
  after: string | undefined,
  keys: readonly Key[],
): readonly (string | number)[] | undefined {
  if (after === undefined || after.length > 2048) return undefined
  try {
    const values: unknown = JSON.parse(Buffer.from(after, 'base64url').toString())
    const fits =
      Array.isArray(values) &&
      values.length === keys.length &&
      keys.every(({ type }, place) =>
        type === 'text' ? typeof values[place] === 'string' : Number.isSafeInteger(values[place]),
      )
    return fits ? (values as (string | number)[]) : undefined
  } catch {
    return undefined
  }
}

type Position = readonly (string | number)[]

const positionOf = ({ keys }: Order, row: Row): Position => keys.map((_, place) => row[`k${place}`] as string | number)

/** What of a branch lies behind the position; undefined: nothing. */
function behind(
  { keys, descending }: Order,
  position: Position | undefined,
  fixed: readonly string[] = [],
): Conditions | undefined {
  if (position === undefined) return unconditional
  for (const [place, value] of fixed.entries()) {
    const at = position[place] as string
    // text sorts by its bytes in the database, and so do the names, which are ASCII, here
    if (value < at) return descending ? unconditional : undefined
    if (value > at) return descending ? undefined : unconditional
  }
  const columns = keys.slice(fixed.length).map(({ column }) => column)
  const sign = descending ? '<' : '>'
  return condition(
    `(${columns.join(', ')}) ${sign} (${columns.map(() => '?').join(', ')})`,
    ...position.slice(fixed.length),
  )
}

const all = ({ sql }: Conditions): string => (sql.length === 0 ? '' : ` WHERE ${sql.join(' AND ')}`)

/** The rows behind the position, merged from the branches. */
function* readRows(
  dialect: Dialect,
  { table, id = 'n.id', order, branches, filter, narrow }: Listing,
  position: Position | undefined,
  limit: number,
): Steps<readonly Row[]> {
  const direction = order.descending ? ' DESC' : ''
  const keys = order.keys.map(({ column }, place) => `${column} AS k${place}`).join(', ')
  const sorted = `ORDER BY ${order.keys.map((_, place) => `k${place}${direction}`).join(', ')} LIMIT ?`
  const inOrder = `ORDER BY ${order.keys.map(({ column }) => `${column}${direction}`).join(', ')} LIMIT ?`
  if (narrow !== undefined) {
    const range = behind(order, position) ?? unconditional
    const asked = both(condition(`${id} = list.value`), range, filter)
    return yield {
      sql: `SELECT ${id} AS id, ${keys}, 1 AS matches FROM ${dialect.list} CROSS JOIN ${table}${all(asked)} ${inOrder}`,
      values: [listValue(narrow), ...asked.values, limit],
    }
  }
  const matches = filter.sql.length === 0 ? '1' : `CASE WHEN ${filter.sql.join(' AND ')} THEN 1 ELSE 0 END`
  const parts = branches.flatMap((branch) => {
    const range = behind(order, position, branch.fixed)
    if (range === undefined) return []
    const asked = both(branch, range)
    return [
      {
        sql: `SELECT ${id} AS id, ${keys}, ${matches} AS matches FROM ${table}${all(asked)} ${inOrder}`,
        values: [...filter.values, ...asked.values, limit],
      },
    ]
  })
  if (parts.length === 0) return []
  if (parts.length === 1 && parts[0] !== undefined) return yield parts[0]
  return yield {
    sql: `${parts.map(({ sql }, place) => `SELECT * FROM (${sql}) AS branch${place}`).join(' UNION ALL ')} ${sorted}`,
    values: [...parts.flatMap(({ values }) => values), limit],
  }
}

/** The ids of one page, in their order. */
export function* readPage(
  dialect: Dialect,
  listing: Listing,
): Steps<{ readonly ids: readonly string[]; readonly next: string | undefined }> {
  const { order, filter, narrow } = listing
  const limit = pageSize(listing.limit)
  let position = decodePosition(listing.after, order.keys)
  const ids: string[] = []
  const isExact = narrow !== undefined || filter.sql.length === 0
  // one more than the page tells whether there is another
  const atOnce = isExact ? limit + 1 : Math.max(limit + 1, scannedAtOnce)
  for (let scanned = 0; scanned < maxScanned; scanned += atOnce) {
    const rows = yield* readRows(dialect, listing, position, atOnce)
    for (const row of rows) {
      if (ids.length === limit) return { ids, next: position && encodePosition(position) }
      position = positionOf(order, row)
      if (row.matches === 1) ids.push(row.id as string)
    }
    if (rows.length < atOnce) return { ids, next: undefined }
    if (isExact) break
  }
  return { ids, next: position && encodePosition(position) }
}

/** The ids that a query gives, where these are few. */
export function* narrowSet(sql: string, ...values: readonly Value[]): Steps<readonly string[] | undefined> {
  const rows = yield { sql: `${sql} LIMIT ${maxNarrow + 1}`, values, planned: 'each-time' }
  return rows.length > maxNarrow ? undefined : rows.map((row) => row.id as string)
}

/** Puts records into the order of their ids; what went in the meantime is left out. */
export function inOrderOf<R extends { readonly id: string }>(
  ids: readonly string[],
  records: readonly R[],
): readonly R[] {
  const byId = new Map(records.map((record) => [record.id, record]))
  return ids.flatMap((id) => byId.get(id) ?? [])
}

/** A pattern of LIKE for what contains the text; with `ESCAPE '\'`. */
export function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`
}

/** That the column starts with the text, along an index. */
export function startsWith(column: string, prefix: string | undefined): Conditions {
  if (prefix === undefined || prefix === '') return unconditional
  return condition(`${column} >= ? AND ${column} < ?`, prefix, `${prefix}\u{10ffff}`)
}

const minTrigram = 3
const maxValue = 256

/**
 * Records of a kind that is found by text: those whose document contains it, if they are few, else
 * a filter.
 */
export function* byText(
  dialect: Dialect,
  table: 'search_entities' | 'search_collections' | 'search_containers',
  q: string | undefined,
): Steps<{ readonly filter: Conditions; readonly narrow?: readonly string[] | undefined }> {
  const value = q?.toLowerCase().slice(0, maxValue)
  if (value === undefined || value === '') return { filter: unconditional }
  const { from, match } = dialect.search(table)
  const narrow =
    [...value].length < minTrigram
      ? undefined
      : yield* narrowSet(`SELECT s.ref_id AS id FROM ${from} WHERE ${match}`, dialect.pattern(value))
  const filter = condition(
    `(SELECT CASE WHEN f.text LIKE ? ESCAPE '\\' THEN 1 ELSE 0 END FROM ${table} f WHERE f.ref_id = n.id) = 1`,
    containing(value),
  )
  return { filter, narrow }
}

export interface PlaceColumns {
  /** The flag of what is hidden, as in the indexes: 0 or 1. */
  readonly hidden: string
  /** The name of the entity. */
  readonly entity: string
}

/** Which branches show what somebody may see of collections or containers. */
export function placeBranches(
  dialect: Dialect,
  { hidden, entity }: PlaceColumns,
  {
    visibility,
    entities,
    isPrivate,
    byName,
  }: {
    readonly visibility: VisibilityFilter
    /** Only in these. */
    readonly entities: readonly string[] | undefined
    readonly isPrivate: boolean | undefined
    /** The entity is the first key of the order. */
    readonly byName: boolean
  },
): { readonly branches: readonly Branch[]; readonly filter: Conditions } {
  const flags = isPrivate === undefined ? [0, 1] : [isPrivate ? 1 : 0]
  const mine = typeof visibility === 'string' ? [] : [...new Set(visibility.entities)]
  const flagged = (flag: number): Branch => condition(`${hidden} = ${flag}`)
  const inEntity = (name: string, flag: number): Branch => ({
    ...condition(`${entity} = ? AND ${hidden} = ${flag}`, name),
    ...(byName ? { fixed: [name] } : {}),
  })
  const isMember = (name: string): boolean => visibility === 'all' || mine.includes(name)
  const ofMine = (): Conditions =>
    visibility === 'all'
      ? unconditional
      : mine.length === 0
        ? condition(`${hidden} = 0`)
        : condition(`(${hidden} = 0 OR ${isListed(dialect, entity)})`, listValue(mine))

  if (entities !== undefined) {
    const names = [...new Set(entities)]
    if (names.length > maxBranches)
      return {
        branches: flags.map(flagged),
        filter: both(condition(isListed(dialect, entity), listValue(names)), ofMine()),
      }
    const branches = names.flatMap((name) =>
      flags.filter((flag) => flag === 0 || isMember(name)).map((flag) => inEntity(name, flag)),
    )
    return { branches, filter: unconditional }
  }
  const shown = flags.includes(0) ? [flagged(0)] : []
  if (!flags.includes(1) || visibility === 'public' || (visibility !== 'all' && mine.length === 0))
    return { branches: shown, filter: unconditional }
  if (visibility === 'all') return { branches: [...shown, flagged(1)], filter: unconditional }
  if (mine.length > maxBranches) return { branches: [...shown, flagged(1)], filter: ofMine() }
  return { branches: [...shown, ...mine.map((name) => inEntity(name, 1))], filter: unconditional }
}

/** The same as conditions, for a narrow set, whose rows are not read along the branches. */
export function placeFilter(
  dialect: Dialect,
  { hidden, entity }: PlaceColumns,
  visibility: VisibilityFilter,
  {
    entities,
    isPrivate,
  }: { readonly entities: readonly string[] | undefined; readonly isPrivate: boolean | undefined },
): Conditions {
  const seen =
    visibility === 'all'
      ? unconditional
      : visibility === 'public' || visibility.entities.length === 0
        ? condition(`${hidden} = 0`)
        : condition(`(${hidden} = 0 OR ${isListed(dialect, entity)})`, listValue(visibility.entities))
  return both(
    seen,
    entities === undefined ? unconditional : condition(isListed(dialect, entity), listValue(entities)),
    isPrivate === undefined ? unconditional : condition(`${hidden} = ${isPrivate ? 1 : 0}`),
  )
}
