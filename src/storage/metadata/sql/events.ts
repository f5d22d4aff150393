import type { Actor, EventAction, EventQuery, EventRecord, EventStore, Page } from '../contract.js'
import { writeEvent } from './activity.js'
import { pageSize } from './names.js'
import { both, type Conditions, condition, readPage, unconditional } from './pages.js'
import {
  type Dialect,
  isListed,
  listValue,
  type Row,
  type SqlRunner,
  type Steps,
  selectAll,
  selectFirst,
  type Value,
} from './steps.js'

const columns =
  'seq, at, action, actor_id, actor_name, via, token_id, path, entity_id, container_id, digest, tag, arch, request_id, details'
const forgottenAtOnce = 1000
/**
 * How far the clocks of two instances may be apart, milliseconds: an event of a later time may have
 * a smaller number.
 */
const clocks = 600_000

const eventOf = (row: Row): EventRecord => ({
  seq: row.seq as number,
  at: row.at as number,
  action: row.action as EventAction,
  actor: {
    id: row.actor_id as string | null,
    name: row.actor_name as string | null,
    via: row.via as Actor['via'],
    tokenId: row.token_id as string | null,
  },
  path: row.path as string | null,
  entityId: row.entity_id as string | null,
  containerId: row.container_id as string | null,
  digest: row.digest as string | null,
  tag: row.tag as string | null,
  arch: row.arch as string | null,
  requestId: row.request_id as string | null,
  details: JSON.parse(row.details as string) as Readonly<Record<string, unknown>>,
})

/** The range of numbers in which events of those times lie; undefined where there are none. */
function* rangeOf({ from, to }: EventQuery): Steps<Conditions | undefined> {
  const seqAt = (sql: string, time: number): Steps<number | undefined> =>
    selectFirst((row) => row.seq as number, `SELECT seq FROM events WHERE ${sql} LIMIT 1`, time)
  const first = from === undefined ? undefined : yield* seqAt('at >= ? ORDER BY at, seq', from - clocks)
  if (from !== undefined && first === undefined) return undefined
  const last = to === undefined ? undefined : yield* seqAt('at < ? ORDER BY at DESC, seq DESC', to + clocks)
  if (to !== undefined && last === undefined) return undefined
  return both(
    condition('n.seq >= CAST(? AS BIGINT)', first ?? 0),
    last === undefined ? unconditional : condition('n.seq <= CAST(? AS BIGINT)', last),
  )
}

const equal = (column: string, value: Value | undefined): Conditions =>
  value === undefined ? unconditional : condition(`${column} = ?`, value)

function* eventPage(dialect: Dialect, query: EventQuery): Steps<Page<EventRecord>> {
  const { entityId, containerId, actor, actions, withoutSystem = false, from, to } = query
  const range = yield* rangeOf(query)
  if (range === undefined) return { items: [], next: undefined }
  // along the index that says most; what the others say is asked of each row
  const [along, asked] =
    containerId !== undefined
      ? [equal('n.container_id', containerId), both(equal('n.entity_id', entityId), equal('n.actor_name', actor))]
      : actor !== undefined
        ? [equal('n.actor_name', actor), equal('n.entity_id', entityId)]
        : [equal('n.entity_id', entityId), unconditional]
  const { ids, next } = yield* readPage(dialect, {
    table: 'events n',
    id: 'n.seq',
    order: { keys: [{ column: 'n.seq', type: 'number' }], descending: true },
    branches: [both(along, range)],
    filter: both(
      asked,
      actions === undefined ? unconditional : condition(isListed(dialect, 'n.action'), listValue(actions)),
      withoutSystem ? condition(`n.via <> 'system'`) : unconditional,
      from === undefined ? unconditional : condition('n.at >= CAST(? AS BIGINT)', from),
      to === undefined ? unconditional : condition('n.at < CAST(? AS BIGINT)', to),
    ),
    after: query.after,
    limit: query.limit,
  })
  const seqs = ids.map(Number)
  if (seqs.length === 0) return { items: [], next }
  const sql = `SELECT ${columns} FROM events WHERE seq IN (${seqs.map(() => '?').join(', ')}) ORDER BY seq DESC`
  return { items: yield* selectAll(eventOf, sql, ...seqs), next }
}

export function eventStore(runner: SqlRunner): EventStore {
  return {
    append: async ({ activity, ...event }) => {
      await runner.run('transaction', () => writeEvent(activity, event))
    },

    page: (query) => runner.run('read', () => eventPage(runner.dialect, query)),

    listAfter: (seq, limit) =>
      runner.run('read', () =>
        selectAll(eventOf, `SELECT ${columns} FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, seq, pageSize(limit)),
      ),

    forget: async (before) => {
      let total = 0
      for (;;) {
        const forgotten = await runner.run('statement', () =>
          selectAll(
            (row) => row.seq,
            `DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? ORDER BY at, seq LIMIT ${forgottenAtOnce}) RETURNING seq`,
            before,
          ),
        )
        total += forgotten.length
        if (forgotten.length < forgottenAtOnce) return total
      }
    },
  }
}
