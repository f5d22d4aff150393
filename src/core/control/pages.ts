/** Pages of a list: sealed cursors, and bounded rounds where each row must be asked about. */
import type { Page as StorePage } from '../../storage/metadata/contract.js'
import { isLibraryError, LibraryError } from '../http/errors.js'
import type { Services } from '../services.js'
import type { Asker } from './asker.js'
import type { Page, PageQuery } from './records.js'

const defaultLimit = 50

/** Rows of a page of the store where each is asked about. */
const rowsAtOnce = 200
/** Pages of the store that are read for one answer. */
const maxRounds = 20

export interface Rows<R> {
  /** Name of the list: a cursor is good for one list. */
  readonly list: string
  /** What the list is narrowed and sorted by: a cursor is good for the same query. */
  readonly query: object
  readonly page: PageQuery
  readonly read: (page: { readonly after?: string; readonly limit: number }) => Promise<StorePage<R>>
  /** Asked about each row; absent: the store has filtered. */
  readonly ask?:
    | { readonly isAllowed: (row: R) => boolean | Promise<boolean>; readonly idOf: (row: R) => string }
    | undefined
}

/** Where a list goes on: behind this cursor of the store, and there behind the row of this id. */
type Position = readonly [after: string | null, id: string | null]

/**
 * One page. A page of the store may hold fewer rows than it was asked for, and still have one
 * behind it.
 */
export async function readPage<R>(
  services: Pick<Services, 'cursors'>,
  asker: Asker,
  { list, query, page, read, ask }: Rows<R>,
): Promise<Page<R>> {
  const { limit = defaultLimit, cursor } = page
  const scope = JSON.stringify([list, query, asker.isOperator ? 'operator' : (asker.principal?.id ?? null)])
  const start = cursor === undefined ? ([null, null] as const) : openCursor(services, cursor, scope)
  const seal = (position: Position): string => services.cursors.seal(JSON.stringify(position), scope)
  const { items, next } = await (ask === undefined
    ? fill({ limit, read, start })
    : fillAllowed({ limit, read, start, ...ask }))
  return { items, next: next === undefined ? null : seal(next) }
}

interface Filled<R> {
  readonly items: readonly R[]
  readonly next: Position | undefined
}

interface Filling<R> {
  readonly limit: number
  readonly read: Rows<R>['read']
  readonly start: Position
}

const behind = (after: string | null): { readonly after?: string } => (after === null ? {} : { after })

async function fill<R>({ limit, read, start }: Filling<R>): Promise<Filled<R>> {
  const items: R[] = []
  let [after] = start
  for (let round = 0; round < maxRounds && items.length < limit; round += 1) {
    const page = await read({ ...behind(after), limit: limit - items.length })
    items.push(...page.items)
    if (page.next === undefined) return { items, next: undefined }
    after = page.next
  }
  return { items, next: [after, null] }
}

/**
 * Pages of the store are read until the answer is full and one more visible row is known: `next`
 * must say nothing of hidden ones. For the same reason they have their own size, whatever the
 * caller asks for. After thousands of hidden rows the caller may go on where this ended.
 */
async function fillAllowed<R>({
  limit,
  read,
  start,
  isAllowed,
  idOf,
}: Filling<R> & NonNullable<Rows<R>['ask']>): Promise<Filled<R>> {
  const items: R[] = []
  let [after, shown] = start
  for (let round = 0; round < maxRounds; round += 1) {
    const page = await read({ ...behind(after), limit: rowsAtOnce })
    // not found: it is on a page before, or gone; then all of these come behind it
    const rows = page.items.slice(page.items.findIndex((row) => idOf(row) === shown) + 1)
    const allowed = await Promise.all(rows.map(isAllowed))
    for (const [index, row] of rows.entries()) {
      if (allowed[index] !== true) continue
      if (items.length === limit) return { items, next: [after, shown] }
      items.push(row)
      shown = idOf(row)
    }
    if (page.next === undefined) return { items, next: undefined }
    after = page.next
  }
  return { items, next: [after, shown] }
}

function openCursor({ cursors }: Pick<Services, 'cursors'>, cursor: string, scope: string): Position {
  try {
    return JSON.parse(cursors.open(cursor, scope)) as Position
  } catch (cause) {
    if (!isLibraryError(cause)) throw cause
    throw new LibraryError('invalid-request', 'cursor: is not the next page of this list: ask for it from the start', {
      cause,
      field: 'cursor',
    })
  }
}

/** The items of a page, each as people see it. */
export async function mapPage<R, T>(page: Page<R>, toRecord: (row: R) => T | Promise<T>): Promise<Page<T>> {
  return { items: await Promise.all(page.items.map(toRecord)), next: page.next }
}

/** The members of a query that say which page, and the others. */
export function splitPage<Q extends PageQuery>(
  given: Q,
): { readonly page: PageQuery; readonly query: Omit<Q, keyof PageQuery> } {
  const { limit, cursor, ...query } = given
  return { page: { ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) }, query }
}

/** All items, page after page. */
export async function* everyItem<Q, T>(
  list: (query: Q & PageQuery) => Promise<Page<T>>,
  query: Q | undefined,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined
  do {
    const page: Page<T> = await list({ limit: 200, ...query, ...(cursor !== undefined && { cursor }) } as Q & PageQuery)
    yield* page.items
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
}
