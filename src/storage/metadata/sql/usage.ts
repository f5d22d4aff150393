import { MetadataError } from '../errors.js'
import { changed, type Steps } from './steps.js'

/** Bytes to add to the counters of an entity; negative ones are given back. */
export interface UsageChange {
  readonly used?: number
  readonly reserved?: number
  /** Images with bytes that it holds more; negative: fewer. */
  readonly images?: number
}

/**
 * Changes the counters without asking for room: for bytes that were reserved, and for giving back.
 */
export function* changeUsage(entityId: string, { used = 0, reserved = 0, images = 0 }: UsageChange): Steps<void> {
  yield {
    sql: 'UPDATE entities SET used_bytes = used_bytes + ?, reserved_bytes = reserved_bytes + ?, image_count = image_count + ? WHERE id = ?',
    values: [used, reserved, images, entityId],
  }
}

export interface UsageClaim extends UsageChange {
  /** Applies where the entity has no quota of its own; 0 = unlimited. */
  readonly defaultQuotaBytes: number
}

/**
 * Takes room, in the same statement that checks for it, so two callers can't both have the last of
 * it. Throws `quota-exceeded`.
 */
export function* claimUsage(
  entityId: string,
  { used = 0, reserved = 0, images = 0, defaultQuotaBytes }: UsageClaim,
): Steps<void> {
  // unlimited still ends where a JavaScript number stops counting bytes one by one
  const fits = yield* changed(
    `UPDATE entities SET used_bytes = used_bytes + ?, reserved_bytes = reserved_bytes + ?, image_count = image_count + ?
      WHERE id = ? AND used_bytes + reserved_bytes + CAST(? AS BIGINT)
        <= COALESCE(NULLIF(COALESCE(quota_bytes, CAST(? AS BIGINT)), 0), ${Number.MAX_SAFE_INTEGER}) RETURNING id`,
    used,
    reserved,
    images,
    entityId,
    used + reserved,
    defaultQuotaBytes,
  )
  if (!fits)
    throw new MetadataError('quota-exceeded', `${used + reserved} more bytes would pass the quota of the entity`)
}

/** The entity holds so many more collections, containers and images; negative: fewer. */
export function* changeRecords(entityId: string, records: number): Steps<void> {
  yield { sql: 'UPDATE entities SET records = records + ? WHERE id = ?', values: [records, entityId] }
}

/** Counts a new record, in the same statement that checks for room. Throws `limit-exceeded`. */
export function* claimRecord(entityId: string, maxRecords: number | undefined): Steps<void> {
  if (maxRecords === undefined) return yield* changeRecords(entityId, 1)
  const fits = yield* changed(
    'UPDATE entities SET records = records + 1 WHERE id = ? AND records < CAST(? AS BIGINT) RETURNING id',
    entityId,
    maxRecords,
  )
  if (!fits) throw new MetadataError('limit-exceeded', `the entity holds ${maxRecords} records`, { limit: 'records' })
}
