/**
 * `sif-library/metadata/sqlite`: records in one SQLite file, for a registry that runs on one
 * machine.
 * @module
 */
import type { MetadataStore } from '../contract.js'
import { sqlStore } from '../sql/store.js'
import { SqliteDriver } from './driver.js'
import { loadBetterSqlite, loadNodeSqlite } from './library.js'

export type * from '../contract.js'
export { isMetadataError, MetadataError, type MetadataErrorCode } from '../errors.js'

export interface SqliteMetadataOptions {
  /**
   * The database file, or `:memory:` for one that ends with the process. Folders on the way are
   * made (mode 0700), a new file is private to its user (0600, its `-wal` and `-shm` too). Keep it
   * on a local disk: SQLite's locks do not work on most network file systems.
   */
  readonly file: string
  /**
   * How long a call waits for another process (a command beside a running server) that is writing,
   * milliseconds. Default 5000.
   */
  readonly busyMs?: number
}

/**
 * A MetadataStore in a SQLite file (write-ahead log, foreign keys on). Several processes of one
 * machine may use the file at once; for several machines there is `sif-library/metadata/postgres`.
 * A record is on the disk before the method that wrote it resolves (`synchronous = FULL`), which
 * costs about a quarter of a millisecond per write on a local disk. Uses `node:sqlite` where Node
 * has it, else the optional peer `better-sqlite3` 12; opens the file in `ready()` or at the first
 * use.
 *
 * Throws `driver-missing` when neither is there; `unavailable` when the file can't be opened or
 * stays locked; `schema-too-new` when a newer version wrote it.
 */
export function sqliteMetadata({ file, busyMs = 5000 }: SqliteMetadataOptions): MetadataStore {
  if (file === '') throw new TypeError('sqliteMetadata: file must name a database file, or be ":memory:"')
  return sqlStore(new SqliteDriver({ file, busyMs, load: async () => loadNodeSqlite() ?? (await loadBetterSqlite()) }))
}
