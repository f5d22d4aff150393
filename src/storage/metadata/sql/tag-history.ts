import type { ContainerStore, TagCause, TagHistoryRecord } from '../contract.js'
import { pageSize } from './names.js'
import { type Row, type Steps, selectAll } from './steps.js'

const historyOf = (row: Row): TagHistoryRecord => ({
  seq: row.seq as number,
  at: row.at as number,
  by: { id: row.by_id as string | null, name: row.by_name as string | null },
  arch: row.arch as string,
  tag: row.tag as string,
  digest: row.digest as string | null,
  previous: row.previous as string | null,
  via: row.via as TagCause,
  present: row.is_present === 1,
})

type HistoryPage = Parameters<ContainerStore['history']>[1]

export function* tagHistory(
  containerId: string,
  { tag, arch, before, limit }: HistoryPage,
): Steps<readonly TagHistoryRecord[]> {
  const conditions = [
    { sql: 'h.container_id = ?', value: containerId },
    ...(tag === undefined ? [] : [{ sql: 'h.tag = ?', value: tag }]),
    ...(arch === undefined ? [] : [{ sql: 'h.arch = ?', value: arch }]),
    ...(before === undefined ? [] : [{ sql: 'h.seq < CAST(? AS BIGINT)', value: before }]),
  ]
  return yield* selectAll(
    historyOf,
    `SELECT h.seq, h.at, h.by_id, h.by_name, h.arch, h.tag, h.digest, h.previous, h.via, CASE WHEN i.state IN ('published', 'unproven') THEN 1 ELSE 0 END AS is_present
      FROM tag_history h LEFT JOIN images i ON i.container_id = h.container_id AND i.digest = h.digest
      WHERE ${conditions.map(({ sql }) => sql).join(' AND ')} ORDER BY h.seq DESC LIMIT ?`,
    ...[...conditions.map(({ value }) => value), pageSize(limit)],
  )
}
