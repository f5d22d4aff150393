import { messageOf, textIn } from '../../../foreign.js'
import { MetadataError } from '../errors.js'
import type { Row, Value } from '../sql/steps.js'

/** The little that both SQLite libraries have in common. */
export interface SqliteConnection {
  /** Compiles a statement; the result runs it and returns its rows. */
  prepare(sql: string): (values: readonly Value[]) => readonly Row[]
  /** Runs statements that take no values and whose rows nobody wants. */
  exec(sql: string): void
  close(): void
  /** SQLite's result code of an error thrown by this connection; undefined for any other error. */
  codeOf(error: unknown): SqliteCode | undefined
}

export type SqliteCode = 'busy' | 'unique' | 'foreign-key' | 'full' | 'broken' | 'cannot-open' | 'other'

export type SqliteLibrary = (file: string) => SqliteConnection

// https://www.sqlite.org/rescode.html: the low byte is the primary code, constraint violations are
// told apart by the whole number
const codes = new Map<number, SqliteCode>([
  [5, 'busy'],
  [6, 'busy'],
  [13, 'full'],
  [8, 'cannot-open'],
  [14, 'cannot-open'],
  [10, 'broken'],
  [11, 'broken'],
  [26, 'broken'],
  [787, 'foreign-key'],
  [1555, 'unique'],
  [2067, 'unique'],
  [2579, 'unique'],
])

function codeOfNumber(number: number): SqliteCode {
  return codes.get(number) ?? codes.get(number & 0xff) ?? 'other'
}

// the same codes by the names that better-sqlite3 gives them
const names: readonly (readonly [RegExp, SqliteCode])[] = [
  [/^SQLITE_CONSTRAINT_(?:UNIQUE|PRIMARYKEY|ROWID)$/, 'unique'],
  [/^SQLITE_CONSTRAINT_FOREIGNKEY$/, 'foreign-key'],
  [/^SQLITE_(?:BUSY|LOCKED)/, 'busy'],
  [/^SQLITE_FULL/, 'full'],
  [/^SQLITE_(?:CANTOPEN|READONLY)/, 'cannot-open'],
  [/^SQLITE_(?:IOERR|CORRUPT|NOTADB)/, 'broken'],
  [/^SQLITE_/, 'other'],
]

/**
 * Makes rows of arrays: an object that looks a column up when it is read. Building a plain object
 * of thirty columns costs more than the rest of the look-up of an image (measured: 11 µs against 7
 * µs in all), and most rows are read once.
 */
function rowMaker(columns: readonly string[]): (values: readonly unknown[]) => Row {
  class LazyRow {
    readonly $values: readonly unknown[]
    constructor(values: readonly unknown[]) {
      this.$values = values
    }
  }
  for (const [index, name] of columns.entries()) {
    Object.defineProperty(LazyRow.prototype, name, {
      get(this: LazyRow) {
        return this.$values[index]
      },
    })
  }
  return (values) => new LazyRow(values) as unknown as Row
}

interface NodeStatement {
  all(...values: readonly Value[]): readonly Row[]
  /** Node 22.16 and later, as `columns`. */
  setReturnArrays?(enabled: boolean): void
  columns?(): readonly { readonly name: string }[]
}
interface NodeDatabase {
  prepare(sql: string): NodeStatement
  exec(sql: string): void
  close(): void
}
interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => NodeDatabase
}

/**
 * `node:sqlite`, where this Node has it (22.13 and later). Asked for at run time, so that no
 * bundler and no older Node stumbles over its name.
 */
export function loadNodeSqlite(): SqliteLibrary | undefined {
  const sqlite = process.getBuiltinModule?.('node:sqlite') as NodeSqlite | undefined
  if (sqlite === undefined) return undefined
  return (file) => {
    const database = new sqlite.DatabaseSync(file)
    return {
      prepare: (sql) => {
        const statement = database.prepare(sql)
        const columns = statement.columns?.() ?? []
        if (statement.setReturnArrays === undefined || columns.length === 0) return (values) => statement.all(...values)
        statement.setReturnArrays(true)
        const toRow = rowMaker(columns.map(({ name }) => name))
        return (values) => (statement.all(...values) as unknown as readonly (readonly unknown[])[]).map(toRow)
      },
      exec: (sql) => database.exec(sql),
      close: () => database.close(),
      codeOf: (error) =>
        typeof error === 'object' && error !== null && 'errcode' in error && typeof error.errcode === 'number'
          ? codeOfNumber(error.errcode)
          : undefined,
    }
  }
}

export async function loadBetterSqlite(): Promise<SqliteLibrary> {
  // A name that bundlers do not see: no bundle can hold the compiled part, and Node 22.13 and later
  // do without the package.
  const name: string = 'better-sqlite3'
  const load: Promise<{ readonly default: typeof import('better-sqlite3') }> = import(
    /* webpackIgnore: true */ /* @vite-ignore */ name
  )
  const { default: Database } = await load.catch((cause: unknown) => {
    throw missing(cause)
  })
  return (file) => {
    let database: InstanceType<typeof Database>
    try {
      database = new Database(file)
    } catch (cause) {
      // the package is there, its native part is not, or is made for another Node
      throw textIn(cause, 'code')?.startsWith('SQLITE_') === true ? cause : missing(cause)
    }
    return {
      prepare: (sql) => {
        const statement = database.prepare<Value[], readonly unknown[]>(sql)
        if (statement.reader) {
          const toRow = rowMaker(statement.columns().map(({ name }) => name))
          statement.raw(true)
          return (values) => statement.all(...values).map(toRow)
        }
        return (values) => {
          statement.run(...values)
          return []
        }
      },
      exec: (sql) => {
        database.exec(sql)
      },
      close: () => {
        database.close()
      },
      codeOf: (error) => {
        const code = textIn(error, 'code') ?? ''
        return names.find(([pattern]) => pattern.test(code))?.[1]
      },
    }
  }
}

function missing(cause: unknown): MetadataError {
  return new MetadataError(
    'driver-missing',
    `SQLite needs Node 22.13 or newer (it brings node:sqlite), or the package better-sqlite3 (npm install better-sqlite3@12), which can't be loaded here: ${messageOf(
      cause,
    )}`,
    { cause },
  )
}
