/** A SQLite file opened beside the registry, by the library that this Node has. */
import { loadBetterSqlite, loadNodeSqlite, type SqliteConnection } from '../../src/storage/metadata/sqlite/library.js'

export async function openSqliteFile(file: string): Promise<SqliteConnection> {
  return (loadNodeSqlite() ?? (await loadBetterSqlite()))(file)
}

interface NodeSqlite {
  readonly DatabaseSync: new (file: string, options: { readOnly: boolean }) => { close(): void }
  readonly backup: (database: unknown, copy: string) => Promise<number>
}

/** SQLite's online backup, as `.backup` of its shell does it. Needs Node 22.16 where `node:sqlite` is used. */
export async function backUpSqliteFile(file: string, copy: string): Promise<void> {
  const builtin = process.getBuiltinModule?.('node:sqlite') as NodeSqlite | undefined
  if (builtin !== undefined) {
    const database = new builtin.DatabaseSync(file, { readOnly: true })
    await builtin.backup(database, copy)
    database.close()
    return
  }
  const { default: Database } = await import('better-sqlite3')
  const database = new Database(file, { readonly: true })
  await database.backup(copy)
  database.close()
}
