import type { CountedPulls, PullDay, PullScope, PullStore, UsageStore } from '../contract.js'
import { dayOf } from './days.js'
import { isListed, listValue, type Row, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'

const forgottenAtOnce = 1000
const maxIds = 200
/** Images of one transaction: each locks its container until the end. */
const countedAtOnce = 100

const pullDayOf = (row: Row): PullDay => ({
  id: row.id as string,
  day: row.day as number,
  pulls: row.pulls as number,
})

const setLater =
  'last_pulled_at = CASE WHEN last_pulled_at > CAST(? AS BIGINT) THEN last_pulled_at ELSE CAST(? AS BIGINT) END'

function add(sums: Map<string, number>, key: string, count: number): void {
  sums.set(key, (sums.get(key) ?? 0) + count)
}

const sorted = (sums: ReadonlyMap<string, number>): readonly (readonly [string, number])[] =>
  [...sums].sort(([one], [other]) => (one < other ? -1 : 1))

/** Locks come in the order of the ids, so that two instances that count wait for each other. */
function* countPulls(pulls: readonly CountedPulls[], now: number): Steps<void> {
  const byContainer = new Map<string, number>()
  for (const { containerId, count } of pulls) add(byContainer, containerId, count)
  const entities = new Map<string, string>()
  for (const [id, count] of sorted(byContainer)) {
    const entityId = yield* selectFirst(
      (row) => row.entity_id as string,
      `UPDATE containers SET download_count = download_count + ?, ${setLater} WHERE id = ? AND deleting_at IS NULL RETURNING entity_id`,
      ...[count, now, now, id],
    )
    if (entityId !== undefined) entities.set(id, entityId)
  }
  const byImage = new Map<string, number>()
  const byEntity = new Map<string, number>()
  let all = 0
  for (const { containerId, imageId, count } of pulls) {
    const entityId = entities.get(containerId)
    if (entityId === undefined) continue
    add(byImage, imageId, count)
    add(byEntity, entityId, count)
    all += count
  }
  if (all === 0) return
  for (const [id, count] of sorted(byImage))
    yield {
      sql: `UPDATE images SET download_count = download_count + ?, ${setLater} WHERE id = ?`,
      values: [count, now, now, id],
    }
  const day = dayOf(now)
  const rows: (readonly [PullScope, string, number])[] = [
    ...sorted(byImage).map(([id, count]) => ['image', id, count] as const),
    ...sorted(byContainer)
      .filter(([id]) => entities.has(id))
      .map(([id, count]) => ['container', id, count] as const),
    ...sorted(byEntity).map(([id, count]) => ['entity', id, count] as const),
    ['all', 'all', all],
  ]
  for (const [scope, id, count] of rows)
    yield {
      sql: `INSERT INTO pulls_day (scope, id, day, pulls) VALUES (?, ?, ?, ?)
        ON CONFLICT (scope, id, day) DO UPDATE SET pulls = pulls_day.pulls + excluded.pulls`,
      values: [scope, id, day, count],
    }
}

export function pullStore(runner: SqlRunner): PullStore {
  return {
    count: async (pulls, now) => {
      for (let start = 0; start < pulls.length; start += countedAtOnce) {
        const portion = pulls.slice(start, start + countedAtOnce)
        await runner.run('transaction', () => countPulls(portion, now))
      }
    },

    days: ({ scope, ids, from, to }) =>
      runner.run('read', () =>
        selectAll(
          pullDayOf,
          `SELECT id, day, pulls FROM pulls_day WHERE scope = ? AND ${isListed(runner.dialect, 'id')} AND day >= ? AND day <= ? ORDER BY id, day`,
          ...[scope, listValue(ids.slice(0, maxIds)), from, to],
        ),
      ),

    forget: async (beforeDay) => {
      let total = 0
      for (;;) {
        const forgotten = await runner.run('statement', () =>
          selectAll(
            (row) => row.day,
            `DELETE FROM pulls_day WHERE (scope, id, day) IN (SELECT scope, id, day FROM pulls_day
              WHERE scope IN ('image', 'container') AND day < ? ORDER BY day LIMIT ${forgottenAtOnce}) RETURNING day`,
            beforeDay,
          ),
        )
        total += forgotten.length
        if (forgotten.length < forgottenAtOnce) return total
      }
    },
  }
}

export function usageStore(runner: SqlRunner): UsageStore {
  return {
    days: ({ entityId, from, to }) =>
      runner.run('read', () =>
        selectAll(
          (row) => ({ day: row.day as number, usedBytes: row.used_bytes as number, images: row.images as number }),
          `SELECT day, used_bytes, images FROM usage_day WHERE entity_id = ? AND day <= ?
            AND day >= COALESCE((SELECT max(day) FROM usage_day WHERE entity_id = ? AND day < CAST(? AS INTEGER)), CAST(? AS INTEGER)) ORDER BY day`,
          ...[entityId, to, entityId, from, from],
        ),
      ),

    totals: () =>
      runner.run('read', function* () {
        const rows = yield { sql: 'SELECT * FROM counters', values: [] }
        const sum = (column: string): number => rows.reduce((total, row) => total + (row[column] as number), 0)
        return {
          all: { containers: sum('containers'), images: sum('images'), bytes: sum('bytes') },
          public: { containers: sum('public_containers'), images: sum('public_images'), bytes: sum('public_bytes') },
        }
      }),
  }
}
