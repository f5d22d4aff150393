import type { ChangeStore, RecordChange, RecordKind } from '../contract.js'
import { pageSize } from './names.js'
import { changed, type Row, type SqlRunner, type Steps, selectAll } from './steps.js'

const changeOf = (row: Row): RecordChange => ({
  seq: row.seq as number,
  kind: row.kind as RecordKind,
  id: row.target_id as string,
  digest: row.digest as string | null,
})

/**
 * Notes that the sidecar of a record is out of date. A row of its own each time: whoever writes
 * sidecars forgets the rows that it has seen, and never one that came later. The change itself is
 * made before, so that two changes of one record wait for each other there.
 */
export function* noteChange(kind: Exclude<RecordKind, 'image'>, id: string): Steps<void> {
  yield { sql: 'INSERT INTO record_changes (kind, target_id) VALUES (?, ?)', values: [kind, id] }
}

/**
 * As {@link noteChange}, for an image with bytes; for one without nothing is noted. Called before
 * an image is deleted.
 */
export function* noteImageChange(id: string): Steps<void> {
  yield {
    sql: `INSERT INTO record_changes (kind, target_id, digest) SELECT 'image', id, digest FROM images WHERE id = ? AND blob_key IS NOT NULL`,
    values: [id],
  }
}

export function changeStore(runner: SqlRunner): ChangeStore {
  return {
    list: ({ after = 0, limit }) =>
      runner.run('read', () =>
        selectAll(
          changeOf,
          'SELECT seq, kind, target_id, digest FROM record_changes WHERE seq > ? ORDER BY seq LIMIT ?',
          after,
          pageSize(limit),
        ),
      ),

    note: async ({ kind, id, digest }) => {
      await runner.run('statement', () =>
        changed('INSERT INTO record_changes (kind, target_id, digest) VALUES (?, ?, ?)', kind, id, digest),
      )
    },

    acknowledge: (seqs) =>
      runner.run('transaction', function* () {
        for (const seq of seqs) yield { sql: 'DELETE FROM record_changes WHERE seq = ?', values: [seq] }
      }),

    isPending: (kind, id) =>
      runner.run('read', () =>
        changed('SELECT seq FROM record_changes WHERE target_id = ? AND kind = ? LIMIT 1', id, kind),
      ),
  }
}
