import type { Dialect } from '../sql/steps.js'

/**
 * SQLite's side. Substring search is an FTS5 index of trigrams that holds no text of its own (an
 * external content table), kept in step by triggers: in a quoted string every character stands for
 * itself, and the trigrams of the string in a row are the string.
 */
export const sqliteDialect: Dialect = {
  name: 'sqlite',
  text: 'TEXT',
  serial: 'INTEGER',
  neverReusedSuffix: ' AUTOINCREMENT',
  clustered: ' WITHOUT ROWID',
  indexText: (table) => [
    `CREATE VIRTUAL TABLE ${table}_index USING fts5 (text, content = '${table}', content_rowid = 'id', tokenize = 'trigram', columnsize = 0)`,
    `CREATE TRIGGER ${table}_insert AFTER INSERT ON ${table} BEGIN
      INSERT INTO ${table}_index (rowid, text) VALUES (new.id, new.text); END`,
    `CREATE TRIGGER ${table}_delete AFTER DELETE ON ${table} BEGIN
      INSERT INTO ${table}_index (${table}_index, rowid, text) VALUES ('delete', old.id, old.text); END`,
    `CREATE TRIGGER ${table}_update AFTER UPDATE OF text ON ${table} WHEN new.text <> old.text BEGIN
      INSERT INTO ${table}_index (${table}_index, rowid, text) VALUES ('delete', old.id, old.text);
      INSERT INTO ${table}_index (rowid, text) VALUES (new.id, new.text); END`,
  ],
  search: (table) => ({
    from: `${table}_index x CROSS JOIN ${table} s`,
    match: `x.${table}_index MATCH ? AND s.id = x.rowid`,
    position: 'x.rowid',
  }),
  searchByArch: {
    from: 'search_images s INDEXED BY search_images_arch',
    match: 'instr(s.text, ?) > 0',
    position: 's.id',
  },
  pattern: (value) => `"${value.replaceAll('"', '""')}"`,
  positionIn: (column) => `instr(${column}, ?)`,
  list: 'json_each(?) AS list',
  jsonList: (column) => `json_group_array(${column})`,
}

/** One writer at a time locks the whole database, so there are no rows to lock. */
export function withoutRowLocks(sql: string): string {
  return sql.replace(/ FOR (?:UPDATE|NO KEY UPDATE|SHARE)$/, '')
}
