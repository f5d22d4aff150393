import type { Dialect } from '../sql/steps.js'

/**
 * PostgreSQL's side. Text sorts by its bytes whatever the locale of the database; substring search
 * is LIKE on text in lower case, over a GIN index of trigrams (pg_trgm).
 */
export const postgresDialect: Dialect = {
  name: 'postgres',
  text: 'TEXT COLLATE "C"',
  serial: 'BIGINT GENERATED ALWAYS AS IDENTITY',
  neverReusedSuffix: '',
  clustered: '',
  indexText: (table) => [`CREATE INDEX ${table}_text ON ${table} USING gin (text gin_trgm_ops)`],
  search: (table) => ({ from: `${table} s`, match: 's.text LIKE ?', position: 's.id' }),
  pattern: (value) => `%${value.replace(/[\\%_]/g, '\\$&')}%`,
  positionIn: (column) => `strpos(${column}, ?)`,
  list: 'jsonb_array_elements_text(CAST(? AS jsonb)) AS list (value)',
  jsonList: (column) => `CAST(json_agg(${column}) AS text)`,
}

/** `?` to `$1`, `$2`, … No statement of the store has a question mark in any other place. */
export function withNumbers(sql: string): string {
  let number = 0
  return sql.replace(/\?/g, () => {
    number += 1
    return `$${number}`
  })
}
