/**
 * `sif-library/metadata/postgres`: records in PostgreSQL, for a registry of many instances.
 * @module
 */
import type { MetadataStore } from '../contract.js'
import { sqlStore } from '../sql/store.js'
import { PostgresDriver } from './driver.js'

export type * from '../contract.js'
export { isMetadataError, MetadataError, type MetadataErrorCode } from '../errors.js'

/** Certificates in PEM. */
export interface PostgresTls {
  /** Who may sign the server's certificate. Default: the authorities that Node trusts. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** False accepts any certificate, and with it anybody in between. Default true. */
  readonly rejectUnauthorized?: boolean
}

export interface PostgresMetadataOptions {
  /**
   * `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, parameters as `pg` knows them
   * (`?sslmode=verify-full`). What it says goes before the members below.
   */
  readonly url?: string
  readonly host?: string
  readonly port?: number
  readonly database?: string
  readonly user?: string
  /**
   * The password, or a function that is asked for each new connection (for passwords that change).
   */
  readonly password?: string | (() => string | Promise<string>)
  /** Encrypted connection. Default: as the URL says, else none. */
  readonly tls?: boolean | PostgresTls
  /**
   * Schema of the tables, made in `ready()`; two registries may share a database under different
   * names. Default `sif_library`.
   */
  readonly schema?: string
  /** Connections at the most. Default 10. */
  readonly maxConnections?: number
  /** How long to wait for a connection, milliseconds. Default 5000. */
  readonly connectMs?: number
  /**
   * How long one statement may run, milliseconds; a server that is silent for 5 seconds more counts
   * as gone. Default 30000.
   */
  readonly statementMs?: number
  /**
   * How long to go on trying when the server is away (a restart, a failover) or a transaction lost
   * against another one, milliseconds. Default 10000.
   */
  readonly retryMs?: number
}

/**
 * A MetadataStore in PostgreSQL 12 or newer, through the optional peer `pg` 8. The role needs
 * CREATE on the database at the first start, or a schema of its own and the extension `pg_trgm`
 * made by an administrator. A pooler between (PgBouncer) must pool by session.
 *
 * Throws `driver-missing` without `pg`; `unavailable` when the server can't be reached for
 * `retryMs` or refuses the login (not retryable); `schema-too-new` when a newer version wrote the
 * database. After a connection broke during a commit nobody knows whether it happened: that is
 * `unavailable` too.
 */
export function postgresMetadata(options: PostgresMetadataOptions): MetadataStore {
  const {
    url,
    host,
    port,
    database,
    user,
    password,
    tls,
    schema = 'sif_library',
    maxConnections = 10,
    connectMs = 5000,
  } = options
  const { statementMs = 30_000, retryMs = 10_000 } = options
  const given = Object.entries({ host, port, database, user, password, ssl: tls }).filter(
    ([, value]) => value !== undefined,
  )
  return sqlStore(
    new PostgresDriver({
      pool: {
        ...(url === undefined ? {} : { connectionString: url }),
        ...Object.fromEntries(given),
        max: maxConnections,
        connectionTimeoutMillis: connectMs,
        application_name: 'sif-library',
        // an idle pool keeps no process alive
        allowExitOnIdle: true,
        // a connection that is silent is asked after 10 s whether it is alive (by default of the
        // system: after hours), and a NAT between does not forget it
        keepAlive: true,
        keepAliveInitialDelayMillis: 10_000,
      },
      schema,
      statementMs,
      retryMs,
    }),
  )
}
