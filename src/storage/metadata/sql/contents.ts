/**
 * What a place holds, and who changed it last: kept in the transaction of each change, so that no
 * list has to count.
 */
import type { Activity } from '../contract.js'
import { dayOf } from './days.js'
import type { LockedContainer } from './locks.js'
import { changed, type Steps, selectFirst } from './steps.js'
import { changeUsage, claimUsage } from './usage.js'

/** Which row of the counters an entity is counted in. */
export function slotOf(entityId: string): number {
  return Number.parseInt(entityId.slice(-1), 16) || 0
}

export interface ContentsChange {
  readonly bytes?: number
  readonly images?: number
  /** Reserved bytes of the entity. */
  readonly reserved?: number
  /**
   * Given where the entity must have room for them: applies where it has no quota of its own; 0 =
   * unlimited.
   */
  readonly defaultQuotaBytes?: number
  readonly now: number
}

/**
 * A container, its collection, its entity and the registry hold so much more (negative: less).
 * Throws `quota-exceeded`. Last in a transaction, because it locks all of these: pushes to one
 * entity wait for each other from here on.
 */
export function* changeContents(
  { id, collectionId, entityId, hidden }: LockedContainer,
  { bytes = 0, images = 0, reserved = 0, defaultQuotaBytes, now }: ContentsChange,
): Steps<void> {
  const isChanged = bytes !== 0 || images !== 0
  if (isChanged)
    for (const [table, key] of [
      ['containers', id],
      ['collections', collectionId],
    ] as const)
      yield {
        sql: `UPDATE ${table} SET used_bytes = used_bytes + ?, image_count = image_count + ? WHERE id = ?`,
        values: [bytes, images, key],
      }
  const usage = { used: bytes, images, reserved }
  if (defaultQuotaBytes === undefined) yield* changeUsage(entityId, usage)
  else yield* claimUsage(entityId, { ...usage, defaultQuotaBytes })
  if (!isChanged) return
  yield* changeTotals(entityId, { bytes, images, hidden })
  yield {
    sql: `INSERT INTO usage_day (entity_id, day, used_bytes, images) SELECT id, CAST(? AS INTEGER), used_bytes, image_count FROM entities WHERE id = ?
      ON CONFLICT (entity_id, day) DO UPDATE SET used_bytes = excluded.used_bytes, images = excluded.images`,
    values: [dayOf(now), entityId],
  }
}

/** The registry holds so much more; what is hidden counts for `all` only. */
export function* changeTotals(
  entityId: string,
  {
    containers = 0,
    images = 0,
    bytes = 0,
    hidden,
  }: { readonly containers?: number; readonly images?: number; readonly bytes?: number; readonly hidden: boolean },
): Steps<void> {
  const shown = hidden ? [] : [containers, images, bytes]
  yield {
    sql: `UPDATE counters SET containers = containers + ?, images = images + ?, bytes = bytes + ?${
      hidden
        ? ''
        : ', public_containers = public_containers + ?, public_images = public_images + ?, public_bytes = public_bytes + ?'
    } WHERE slot = ?`,
    values: [containers, images, bytes, ...shown, slotOf(entityId)],
  }
}

/** So much more (negative: less) of what the registry holds is public. */
export function* changePublic(
  entityId: string,
  { containers, images, bytes }: { readonly containers: number; readonly images: number; readonly bytes: number },
): Steps<void> {
  yield {
    sql: `UPDATE counters SET public_containers = public_containers + ?, public_images = public_images + ?, public_bytes = public_bytes + ? WHERE slot = ?`,
    values: [containers, images, bytes, slotOf(entityId)],
  }
}

const changedNow =
  'changed_at = CASE WHEN changed_at > CAST(? AS BIGINT) THEN changed_at ELSE CAST(? AS BIGINT) END, changed_by = ?'

const nameIn = (activity: Activity | undefined): string | null => activity?.actor.name ?? null

/** Something in the container changed. */
export function* touchContainer(id: string, now: number, activity: Activity | undefined): Steps<void> {
  yield { sql: `UPDATE containers SET ${changedNow} WHERE id = ?`, values: [now, now, nameIn(activity), id] }
}

/** A tag was set: it is the latest one. */
export function* noteTagSet(
  container: LockedContainer,
  {
    arch,
    tag,
    now,
    activity,
  }: { readonly arch: string; readonly tag: string; readonly now: number; readonly activity: Activity | undefined },
): Steps<void> {
  const archs = container.archs.includes(arch) ? container.archs : [...container.archs, arch].sort()
  yield {
    sql: `UPDATE containers SET ${changedNow}, latest_arch = ?, latest_tag = ?, archs = ? WHERE id = ?`,
    values: [now, now, nameIn(activity), arch, tag, JSON.stringify(archs), container.id],
  }
}

/** Tags of these archs were removed. */
export function* noteTagsRemoved(
  container: LockedContainer,
  {
    archs: removed,
    now,
    activity,
  }: { readonly archs: readonly string[]; readonly now: number; readonly activity: Activity | undefined },
): Steps<void> {
  if (removed.length === 0) return yield* touchContainer(container.id, now, activity)
  const gone = new Set<string>()
  for (const arch of new Set(removed))
    if (!(yield* changed('SELECT tag FROM tags WHERE container_id = ? AND arch = ? LIMIT 1', container.id, arch)))
      gone.add(arch)
  const latest = yield* selectFirst(
    (row) => [row.arch as string, row.tag as string] as const,
    'SELECT arch, tag FROM tags WHERE container_id = ? ORDER BY updated_at DESC, tag DESC, arch DESC LIMIT 1',
    container.id,
  )
  yield {
    sql: `UPDATE containers SET ${changedNow}, latest_arch = ?, latest_tag = ?, archs = ? WHERE id = ?`,
    values: [
      ...[now, now, nameIn(activity), latest?.[0] ?? null, latest?.[1] ?? null],
      ...[JSON.stringify(container.archs.filter((arch) => !gone.has(arch))), container.id],
    ],
  }
}
