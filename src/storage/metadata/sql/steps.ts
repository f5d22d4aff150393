/**
 * The seam between the store and its databases: a method of the store is a generator that yields
 * queries and receives their rows. A driver that answers at once (SQLite) runs it to the end
 * without ever leaving the call, so that nothing can come between two statements of its one
 * connection; a driver that waits (PostgreSQL) awaits each query. The statements are the same for
 * both.
 */
export type Value = string | number | null
export type Row = Readonly<Record<string, unknown>>

export interface Query {
  /**
   * With `?` for each value, and with PostgreSQL's row locks (`FOR NO KEY UPDATE`), which a
   * database with one writer leaves out.
   */
  readonly sql: string
  readonly values: readonly Value[]
  /** Planned anew for its values each time: for a search, whose best plan depends on them. */
  readonly planned?: 'each-time'
}

export type Steps<T> = Generator<Query, T, readonly Row[]>

/**
 * `read`: changes nothing, may be repeated. `probe`: a read that is not repeated, to learn how
 * things are now. `statement`: one statement that is a transaction by itself. `transaction`: all or
 * nothing, and may be repeated from the start as long as it was not committed; so steps keep no
 * state outside of themselves.
 */
export type RunMode = 'read' | 'probe' | 'statement' | 'transaction'

export interface TextSearch {
  readonly from: string
  /** With one `?`. */
  readonly match: string
  readonly position: string
}

/** Where the two databases speak differently. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres'
  /** Column type of text that sorts by its bytes. */
  readonly text: string
  /** A number that the database counts up by itself. */
  readonly serial: string
  /** Ends the definition of a primary key of that type whose numbers are never used again. */
  readonly neverReusedSuffix: string
  /** Ends the definition of a table that is stored in the order of its primary key. */
  readonly clustered: string
  /** Statements that index the column `text` of a table for substring search. */
  indexText(table: string): readonly string[]
  /** The parts of a substring search over such a table, whose rows are called `s` in it. */
  search(table: string): TextSearch
  /** The value of the one `?` in `match`. */
  pattern(value: string): string
  /**
   * The same search in `search_images` by the index of archs instead of that of the text; its `?`
   * is the value itself. Absent where the database finds that way itself.
   */
  readonly searchByArch?: TextSearch
  /** Where in the column the value of one `?` begins, from 1; 0 where it is not there. */
  positionIn(column: string): string
  /**
   * A table `list` with the one column `value`: a list of strings, given as one `?` by
   * {@link listValue}.
   */
  readonly list: string
  /** An aggregate: the values of a column of text as a JSON list, as text. */
  jsonList(column: string): string
}

export interface SqlDriver {
  readonly dialect: Dialect
  /** Connects. Called once, before anything else. */
  open(): Promise<void>
  run<T>(mode: RunMode, steps: () => Steps<T>): Promise<T>
  /** Runs a change of the schema alone: nobody else can run one at the same time. */
  migrate(steps: () => Steps<void>): Promise<void>
  close(): Promise<void>
}

/** What the parts of the store need of the driver. */
export type SqlRunner = Pick<SqlDriver, 'dialect' | 'run'>

export function* selectFirst<R>(map: (row: Row) => R, sql: string, ...values: readonly Value[]): Steps<R | undefined> {
  const row = (yield { sql, values })[0]
  return row === undefined ? undefined : map(row)
}

export function* selectAll<R>(map: (row: Row) => R, sql: string, ...values: readonly Value[]): Steps<readonly R[]> {
  return (yield { sql, values }).map(map)
}

/** The first of the records that the steps find. */
export function* first<R>(steps: Steps<readonly R[]>): Steps<R | undefined> {
  return (yield* steps)[0]
}

/**
 * Runs a statement; true when it gave a row back (`RETURNING`), which is how a compare-and-set
 * learns that it won.
 */
export function* changed(sql: string, ...values: readonly Value[]): Steps<boolean> {
  return (yield { sql, values }).length > 0
}

// PostgreSQL holds neither NUL nor half a surrogate pair, so no store does, and a hostile name
// can't make one database fail where the other does not.
const unstorable = /[\0\p{Surrogate}]/gu

/**
 * The values as a database takes them: every text well-formed and without NUL (each such character
 * becomes U+FFFD).
 */
export function storable(values: readonly Value[]): readonly Value[] {
  for (const value of values) {
    if (typeof value === 'string' && (!value.isWellFormed() || value.includes('\0'))) return values.map(cleaned)
  }
  return values
}

/** Condition that the column is one of a list of strings, given as one `?` by {@link listValue}. */
export function isListed({ list }: Dialect, column: string): string {
  return `${column} IN (SELECT value FROM ${list})`
}

/** The one value of {@link Dialect.list}. */
export function listValue(texts: readonly string[]): string {
  return JSON.stringify(storable(texts))
}

function cleaned(value: Value): Value {
  return typeof value === 'string' ? value.replace(unstorable, '\ufffd') : value
}
