import type { CreateResult } from '../contract.js'
import { MetadataError } from '../errors.js'
import type { Query, Row, Steps } from './steps.js'

/**
 * Inserts a record, or finds the one that has its name. `insert` leaves a conflict alone and
 * returns the row, so of two callers one inserts and the other one, who waits for the first, finds.
 */
export function* insertOrFind<R>(map: (row: Row) => R, insert: Query, find: Query): Steps<CreateResult<R>> {
  const inserted = (yield insert)[0]
  if (inserted !== undefined) return { record: map(inserted), created: true }
  const found = (yield find)[0]
  if (found !== undefined) return { record: map(found), created: false }
  throw new MetadataError('exists', 'the id is taken by another record')
}

export function flag(value: boolean): number {
  return value ? 1 : 0
}

export function nullableFlag(value: boolean | null | undefined): number | null {
  return value === null || value === undefined ? null : flag(value)
}

/**
 * The new value of `updated_at`, given twice: later than the old one also where another instance,
 * whose clock is ahead, changed the record before. `reindex` tells by it which of two states was
 * the later one, and must not show what became private.
 */
export const later: string = 'CASE WHEN updated_at >= CAST(? AS BIGINT) THEN updated_at + 1 ELSE CAST(? AS BIGINT) END'

/** A page size as SQL takes it: SQLite reads a negative one as "everything". */
export function pageSize(limit: number): number {
  return Math.max(0, Math.trunc(limit))
}
