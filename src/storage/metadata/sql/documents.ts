import type { DocumentRecord, DocumentStore } from '../contract.js'
import { pageSize } from './names.js'
import { changed, type Query, type Row, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'

const columns = 'version, kind, id, sort, value, updated_at'

function documentOf(row: Row): DocumentRecord {
  return {
    kind: row.kind as string,
    id: row.id as string,
    version: Number(row.version),
    index: row.sort as string | null,
    value: JSON.parse(row.value as string),
    updatedAt: Number(row.updated_at),
  }
}

/** Removes the given version, or where none is given the present one. */
const removal = (extension: string, kind: string, id: string, expected: number | undefined): Query => ({
  sql: `DELETE FROM documents WHERE extension = ? AND kind = ? AND id = ?${expected === undefined ? '' : ' AND version = ?'} RETURNING version`,
  values: [extension, kind, id, ...(expected === undefined ? [] : [expected])],
})

export function documentStore(runner: SqlRunner): DocumentStore {
  return {
    get: (extension, kind, id) =>
      runner.run('read', () =>
        selectFirst(
          documentOf,
          `SELECT ${columns} FROM documents WHERE extension = ? AND kind = ? AND id = ?`,
          extension,
          kind,
          id,
        ),
      ),

    // a version is the number of its row, which is never used again: a document that was deleted
    // and made anew is another one
    put: (extension, kind, id, { value, index = null, expected, now }) =>
      runner.run('transaction', function* (): Steps<number | undefined> {
        if (expected !== undefined && (yield removal(extension, kind, id, expected)).length === 0) return undefined
        const rows = yield {
          sql: `INSERT INTO documents (extension, kind, id, sort, value, updated_at) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (extension, kind, id) DO NOTHING RETURNING version`,
          values: [extension, kind, id, index, JSON.stringify(value), now],
        }
        return rows[0] && Number(rows[0].version)
      }),

    delete: (extension, kind, id, expected) =>
      runner.run('statement', () => {
        const { sql, values } = removal(extension, kind, id, expected)
        return changed(sql, ...values)
      }),

    list: (extension, kind, { index, after, newestFirst = false, limit }) =>
      runner.run('read', () => {
        const order = newestFirst ? 'DESC' : 'ASC'
        const behind = after === undefined ? '' : ` AND id ${newestFirst ? '<' : '>'} ?`
        const indexed = index === undefined ? '' : ' AND sort = ?'
        return selectAll(
          documentOf,
          `SELECT ${columns} FROM documents WHERE extension = ? AND kind = ?${indexed}${behind} ORDER BY id ${order} LIMIT ?`,
          extension,
          kind,
          ...(index === undefined ? [] : [index]),
          ...(after === undefined ? [] : [after]),
          pageSize(limit),
        )
      }),
  }
}
