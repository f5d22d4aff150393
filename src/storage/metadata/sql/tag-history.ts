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
    `SELECT first.*, COALESCE((SELECT 1 FROM images i WHERE i.container_id = first.container_id AND i.digest = first.digest AND i.state IN ('published', 'unproven')), 0) AS is_present
      FROM (SELECT h.seq, h.container_id, h.at, h.by_id, h.by_name, h.arch, h.tag, h.digest, h.previous, h.via FROM tag_history h
        WHERE ${conditions.map(({ sql }) => sql).join(' AND ')} ORDER BY h.seq DESC LIMIT ?) AS first ORDER BY first.seq DESC`,
    ...[...conditions.map(({ value }) => value), pageSize(limit)],
  )
}
