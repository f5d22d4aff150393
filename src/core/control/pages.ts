/** Pages of a list: sealed cursors, and bounded rounds where each row must be asked about. */
import { isLibraryError, LibraryError } from '../http/errors.js'
import type { Services } from '../services.js'
import type { Asker } from './asker.js'
import type { Page, PageQuery } from './records.js'

export const defaultLimit = 50

/** Rows of a page of the store where each is asked about, and pages that are read for one answer. */
const rowsAtOnce = 500
const maxRounds = 10

export interface Rows<R> {
  /** Name of the list: a cursor is good for one list. */
  readonly list: string
  /** What the list is narrowed by: a cursor is good for the same query. */
  readonly query: object
  readonly page: PageQuery
  /** Rows of the store behind `after`, so many at the most. */
  readonly read: (after: string | undefined, limit: number) => Promise<readonly R[]>
  /** Where the list goes on behind this row. */
  readonly cursorOf: (row: R) => string
  /** Asked about each row; absent: the store has filtered. */
  readonly isAllowed?: ((row: R) => boolean | Promise<boolean>) | undefined
}

/**
 * One page. Where rows are asked about one by one, pages of the store are read until the answer is full and one more
 * visible row is known: `next` must say nothing of hidden ones. For the same reason the pages of the store have their
 * own size, whatever the caller asks for. After thousands of hidden rows the caller may go on where this ended.
 */
export async function readPage<R>(
  services: Pick<Services, 'cursors'>,
  asker: Asker,
  { list, query, page, read, cursorOf, isAllowed }: Rows<R>,
): Promise<Page<R>> {
  const { limit = defaultLimit, cursor } = page
  const scope = JSON.stringify([list, query, asker.isOperator ? 'operator' : (asker.principal?.id ?? null)])
  const seal = (after: string): string => services.cursors.seal(after, scope)
  let after = cursor === undefined ? undefined : openCursor(services, cursor, scope)
  const items: R[] = []
  if (isAllowed === undefined) {
    const rows = await read(after, limit + 1)
    const shown = rows.slice(0, limit)
    const last = shown.at(-1)
    return { items: shown, next: rows.length > limit && last !== undefined ? seal(cursorOf(last)) : null }
  }
  for (let round = 0; round < maxRounds; round += 1) {
    const rows = await read(after, rowsAtOnce)
    const allowed = await Promise.all(rows.map(isAllowed))
    for (const [index, row] of rows.entries()) {
      if (allowed[index] !== true) continue
      const last = items.at(-1)
      if (items.length === limit && last !== undefined) return { items, next: seal(cursorOf(last)) }
      items.push(row)
    }
    const last = rows.at(-1)
    if (rows.length < rowsAtOnce || last === undefined) return { items, next: null }
    after = cursorOf(last)
  }
  return { items, next: after === undefined ? null : seal(after) }
}

function openCursor({ cursors }: Pick<Services, 'cursors'>, cursor: string, scope: string): string {
  try {
    return cursors.open(cursor, scope)
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

/** All items, page after page. */
export async function* everyItem<Q, T>(
  list: (query: Q & PageQuery) => Promise<Page<T>>,
  query: Q,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined
  do {
    const page: Page<T> = await list({ limit: 200, ...query, ...(cursor !== undefined && { cursor }) })
    yield* page.items
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
}
