import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { messageOf } from '../../../foreign.js'
import { isMetadataError, MetadataError } from '../errors.js'
import { type Dialect, type Row, type RunMode, type SqlDriver, type Steps, storable, type Value } from '../sql/steps.js'
import { sqliteDialect, withoutRowLocks } from './dialect.js'
import type { SqliteCode, SqliteConnection, SqliteLibrary } from './library.js'

export interface SqliteDriverOptions {
  readonly file: string
  readonly busyMs: number
  readonly load: () => Promise<SqliteLibrary>
}

type Statement = (values: readonly Value[]) => readonly Row[]

// how long a statement may wait for a lock inside of SQLite, where everything else waits along
const blockingMs = 20

const privateFolder = 0o700
const privateFile = 0o600

/**
 * One connection that runs the steps of a method from the first to the last without leaving the
 * call.
 */
export class SqliteDriver implements SqlDriver {
  readonly dialect: Dialect = sqliteDialect
  readonly #options: SqliteDriverOptions
  readonly #statements = new Map<string, Statement>()
  #connection: SqliteConnection | undefined

  constructor(options: SqliteDriverOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    // a try before this one may have connected, and failed at the schema
    if (this.#connection !== undefined) return
    const { file, busyMs, load } = this.#options
    const library = await load()
    try {
      if (file !== ':memory:') await prepareFile(file)
      const connection = library(file)
      try {
        await configure(connection, busyMs)
      } catch (error) {
        connection.close()
        throw translated(error, file, connection.codeOf(error))
      }
      this.#connection = connection
    } catch (error) {
      throw translated(error, file)
    }
  }

  run<T>(mode: RunMode, steps: () => Steps<T>): Promise<T> {
    try {
      return Promise.resolve(this.#attempt(mode, steps))
    } catch (error) {
      return this.#attemptAgain(error, () => this.#attempt(mode, steps))
    }
  }

  /** BEGIN IMMEDIATE is the lock: another process waits before it reads the version. */
  async migrate(steps: () => Steps<void>): Promise<void> {
    await this.run('transaction', steps)
    // what made the schema is never run again
    this.#statements.clear()
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    this.#statements.clear()
    connection?.close()
  }

  /**
   * What failed because another process was writing had no effect, and is tried again while the
   * event loop goes on. Everything else is thrown.
   */
  async #attemptAgain<T>(failure: unknown, attempt: () => T): Promise<T> {
    const { file, busyMs } = this.#options
    const until = Date.now() + busyMs
    let error = failure
    for (;;) {
      const code = this.#connection?.codeOf(error)
      if (code !== 'busy' || Date.now() >= until) throw translated(error, file, code)
      // SQLite's lock knows no queue: only who asks often and irregularly gets in between the
      // transactions of a busy process
      await wait(1 + Math.random() * 9)
      try {
        return attempt()
      } catch (again) {
        error = again
      }
    }
  }

  #attempt<T>(mode: RunMode, steps: () => Steps<T>): T {
    return mode === 'transaction' ? this.#transaction(steps) : this.#execute(steps)
  }

  #transaction<T>(steps: () => Steps<T>): T {
    this.#statement('BEGIN IMMEDIATE')([])
    try {
      const result = this.#execute(steps)
      this.#statement('COMMIT')([])
      return result
    } catch (error) {
      // some failures (a full disk) have rolled back already, and then there is nothing to roll
      // back
      try {
        this.#statement('ROLLBACK')([])
      } catch {}
      throw error
    }
  }

  #execute<T>(make: () => Steps<T>): T {
    const steps = make()
    let step = steps.next()
    while (!step.done) {
      const { sql, values } = step.value
      step = steps.next(this.#statement(sql)(storable(values)))
    }
    return step.value
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      if (this.#connection === undefined) throw new MetadataError('closed', 'the metadata store was closed')
      statement = this.#connection.prepare(withoutRowLocks(sql))
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/**
 * SQLite makes its own files as wide as the umask lets it, and gives the journal files the mode of
 * the database: so the file is made here, private.
 */
async function prepareFile(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: privateFolder })
  const handle = await open(file, 'a', privateFile)
  await handle.close()
}

async function configure(connection: SqliteConnection, busyMs: number): Promise<void> {
  connection.exec(`PRAGMA busy_timeout = ${Math.min(busyMs, blockingMs)}`)
  const until = Date.now() + busyMs
  for (;;) {
    try {
      connection.exec('PRAGMA journal_mode = WAL')
      break
    } catch (error) {
      // the first change to WAL does not wait for another process that is making it at the same
      // moment
      if (connection.codeOf(error) !== 'busy' || Date.now() > until) throw error
      await wait(20)
    }
  }
  connection.exec('PRAGMA synchronous = FULL')
  connection.exec('PRAGMA foreign_keys = ON')
  // reads straight from the page cache of the system: a lookup among a million images costs a third
  // less
  connection.exec(`PRAGMA mmap_size = ${2 ** 31}`)
}

const messages: Readonly<Record<SqliteCode, string>> = {
  busy: 'another process holds the database locked',
  unique: 'a record with this id or name exists',
  'foreign-key': 'the record that this one belongs to does not exist, or others still belong to it',
  full: 'the disk is full',
  broken: 'the file is damaged, can not be read or is no SQLite database',
  'cannot-open': 'the file can not be opened for writing',
  other: 'SQLite refused the statement',
}

function translated(error: unknown, file: string, code?: SqliteCode): unknown {
  if (isMetadataError(error)) return error
  const text = messageOf(error)
  if (code === 'unique') return new MetadataError('exists', messages.unique, { cause: error })
  if (code === 'foreign-key') return new MetadataError('parent-missing', messages['foreign-key'], { cause: error })
  const message = code === undefined ? text : `${messages[code]} (${text})`
  const isUnavailable = code !== 'other' && code !== 'broken'
  return new MetadataError(isUnavailable ? 'unavailable' : 'internal', `${file}: ${message}`, {
    cause: error,
    retryable: code === 'busy',
  })
}
