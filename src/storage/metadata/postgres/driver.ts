import { setTimeout as wait } from 'node:timers/promises'
import type { Pool, PoolClient, PoolConfig, QueryConfig } from 'pg'
import { MetadataError } from '../errors.js'
import { type Dialect, type Query, type Row, type RunMode, type SqlDriver, type Steps, storable } from '../sql/steps.js'
import { postgresDialect, withNumbers } from './dialect.js'
import { beginFailure, isConflict, isConnectionLost, isReadOnly, translated } from './errors.js'

export interface PostgresDriverOptions {
  readonly pool: PoolConfig
  readonly schema: string
  readonly statementMs: number
  readonly retryMs: number
}

/**
 * How far a run came, which decides whether it may be repeated, and whether its connection serves
 * the next one.
 */
interface Progress {
  phase: 'connecting' | 'running' | 'committing'
  isBroken?: boolean
}

type Ask = (query: QueryConfig) => Promise<readonly Row[]>

const int8 = 20
/**
 * How much longer than the server's own limit of a statement to wait for an answer: a host that
 * vanished sends none, nor an end of the connection.
 */
const silenceMs = 5000
/** For a change of the schema, which takes what it takes: the longest that a timer can wait. */
const unlimited = 2 ** 31 - 1

/** A pool of connections; each run has one for itself from its first query to its last. */
export class PostgresDriver implements SqlDriver {
  readonly dialect: Dialect = postgresDialect
  readonly #options: PostgresDriverOptions
  readonly #limitMs: number
  readonly #prepared = new Map<string, { readonly name: string; readonly text: string }>()
  readonly #equipped = new WeakSet<PoolClient>()
  #pool: Pool | undefined

  constructor(options: PostgresDriverOptions) {
    this.#options = options
    this.#limitMs = options.statementMs + silenceMs
  }

  async open(): Promise<void> {
    if (this.#pool !== undefined) return
    const { default: pg } = await import('pg').catch((cause: unknown) => {
      throw new MetadataError('driver-missing', 'postgresMetadata needs the package pg (npm install pg@8)', { cause })
    })
    // every BIGINT of the schema stays below 2^53: times, and sizes whose sum is kept there
    const getTypeParser = ((oid: number, format?: 'text') =>
      oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser
    // when the first call learns that the server vanished, the connections that were idle then have
    // left the pool
    const idleTimeoutMillis = Math.min(10_000, this.#limitMs)
    this.#pool = new pg.Pool({ idleTimeoutMillis, ...this.#options.pool, types: { getTypeParser } })
    // a connection that breaks while it is idle leaves the pool by itself, and one in use fails its
    // query; unheard, the error event would end the process
    this.#pool.on('error', () => undefined)
    this.#pool.on('connect', (client) => client.on('error', () => undefined))
  }

  async run<T>(mode: RunMode, steps: () => Steps<T>): Promise<T> {
    return this.#repeat(mode, this.#limitMs, steps)
  }

  /** The lock is of this transaction, so it ends with it, also when the process dies. */
  async migrate(steps: () => Steps<void>): Promise<void> {
    const { schema } = this.#options
    await this.#repeat('transaction', unlimited, function* () {
      yield { sql: 'SET LOCAL statement_timeout = 0', values: [] }
      yield { sql: 'SELECT pg_advisory_xact_lock(hashtext(?))', values: [`sif-library ${schema}`] }
      // asked first, because IF NOT EXISTS wants the right to create even where there is nothing to
      // do
      const there = yield { sql: 'SELECT 1 FROM pg_namespace WHERE nspname = ?', values: [schema] }
      if (there.length === 0) yield { sql: `CREATE SCHEMA ${quoted(schema)}`, values: [] }
      yield* findTrigrams(schema)
      yield* steps()
    })
  }

  async close(): Promise<void> {
    const pool = this.#pool
    this.#pool = undefined
    await pool?.end()
  }

  async #repeat<T>(mode: RunMode, limitMs: number, steps: () => Steps<T>): Promise<T> {
    const until = Date.now() + this.#options.retryMs
    for (let attempts = 0; ; attempts += 1) {
      const progress: Progress = { phase: 'connecting' }
      try {
        return await this.#withClient(progress, (client) => {
          const ask = askOf(client, limitMs)
          return mode === 'transaction' ? this.#transaction(ask, steps, progress) : this.#execute(ask, steps)
        })
      } catch (error) {
        if (!mayRepeat(mode, error, progress) || Date.now() >= until) throw translated(error)
        await wait(Math.min(1000, 10 * 2 ** attempts) * (0.5 + Math.random() / 2))
      }
    }
  }

  async #withClient<T>(progress: Progress, attempt: (client: PoolClient) => Promise<T>): Promise<T> {
    if (this.#pool === undefined) throw new MetadataError('closed', 'the metadata store was closed')
    const client = await this.#pool.connect()
    let broken = true
    try {
      await this.#equip(client)
      progress.phase = 'running'
      const result = await attempt(client)
      broken = false
      return result
    } catch (error) {
      // what leads to a read-only server may lead elsewhere the next time
      broken =
        progress.phase === 'connecting' || progress.isBroken === true || isConnectionLost(error) || isReadOnly(error)
      throw error
    } finally {
      client.release(broken)
    }
  }

  /**
   * Once per connection: where the tables are, and for how long a statement may run. In a
   * transaction that may write, because a standby refuses it: its reads would be old. No server
   * becomes a standby without a restart, which ends its connections.
   */
  async #equip(client: PoolClient): Promise<void> {
    if (this.#equipped.has(client)) return
    const { schema, statementMs } = this.#options
    await begin(askOf(client, this.#limitMs), [
      'BEGIN READ WRITE',
      ...[
        `SET search_path TO ${quoted(schema)}`,
        `SET statement_timeout TO ${statementMs}`,
        `SET idle_in_transaction_session_timeout TO ${statementMs}`,
      ],
      'COMMIT',
    ])
    this.#equipped.add(client)
  }

  async #transaction<T>(ask: Ask, steps: () => Steps<T>, progress: Progress): Promise<T> {
    // read committed whatever the default of the database: the locks of the store are made for it.
    // Not READ WRITE: an administrator who closes the server to changes means it
    await begin(ask, ['BEGIN ISOLATION LEVEL READ COMMITTED'])
    try {
      const result = await this.#execute(ask, steps)
      progress.phase = 'committing'
      await ask({ text: 'COMMIT' })
      return result
    } catch (error) {
      // a lost connection takes its transaction with it, and would only be waited for once more
      if (!isConnectionLost(error)) {
        await ask({ text: 'ROLLBACK' }).catch(() => {
          progress.isBroken = true
        })
      }
      throw error
    }
  }

  async #execute<T>(ask: Ask, make: () => Steps<T>): Promise<T> {
    const steps = make()
    let step = steps.next()
    while (!step.done) step = steps.next(await ask(this.#configOf(step.value)))
    return step.value
  }

  /** A statement is translated once, and prepared once per connection under its name. */
  #configOf({ sql, values, planned }: Query): QueryConfig {
    if (values.length === 0) return { text: sql }
    let prepared = this.#prepared.get(sql)
    if (prepared === undefined) {
      prepared = { name: `sif${this.#prepared.size + 1}`, text: withNumbers(sql) }
      this.#prepared.set(sql, prepared)
    }
    const parameters = [...storable(values)]
    return planned === 'each-time' ? { text: prepared.text, values: parameters } : { ...prepared, values: parameters }
  }
}

/**
 * Asks, and gives up after the limit; then the connection still waits for the answer, and is of no
 * use any more.
 */
function askOf(client: PoolClient, limitMs: number): Ask {
  return async (query) => {
    const limited = { ...query, query_timeout: limitMs }
    return (await client.query<Row>(limited)).rows
  }
}

/** Statements without values of which the first begins a transaction that may write. */
async function begin(ask: Ask, statements: readonly string[]): Promise<void> {
  await ask({ text: statements.join('; ') }).catch((error: unknown) => {
    throw beginFailure(error)
  })
}

function mayRepeat(mode: RunMode, error: unknown, { phase }: Progress): boolean {
  if (mode === 'probe') return false
  // these had no effect
  if (isConflict(error) || isReadOnly(error)) return true
  if (!isConnectionLost(error)) return false
  // a commit whose answer got lost may have happened, a single statement too
  return phase === 'connecting' || (phase === 'running' && mode !== 'statement')
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/**
 * Makes the operators of pg_trgm known to the statements that follow, wherever the extension lies;
 * creates it where it is missing.
 */
function* findTrigrams(schema: string): Steps<void> {
  const find = `SELECT nspname AS name FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm'`
  let home = (yield { sql: find, values: [] })[0]
  if (home === undefined) {
    // the extension is of the whole database: another schema's first start may be making it
    yield { sql: 'SELECT pg_advisory_xact_lock(hashtext(?))', values: ['sif-library pg_trgm'] }
    // in "public", if it may be, so that it outlives this schema
    const open = yield {
      sql: `SELECT nspname AS name FROM pg_namespace WHERE nspname = 'public' AND has_schema_privilege(oid, 'CREATE')`,
      values: [],
    }
    home = open[0] ?? { name: schema }
    yield { sql: `CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA ${quoted(home.name as string)}`, values: [] }
    home = (yield { sql: find, values: [] })[0] ?? home
  }
  yield { sql: `SET LOCAL search_path TO ${quoted(schema)}, ${quoted(home.name as string)}`, values: [] }
}
