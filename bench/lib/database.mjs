/** Where the records of a registry under measurement lie. */
import { join } from 'node:path'
import { startPostgres } from '../../scripts/postgres.mjs'
import { cpuOfFamily } from './process.mjs'

/** `create` makes an empty database and resolves to its URL, `cpu` is what the database's own processes used, in seconds: none here. */
export async function sqliteDatabase(folder) {
  return {
    name: 'SQLite',
    create: async (name) => `sqlite:${join(folder, `${name}.db`)}`,
    cpu: () => 0,
    stop: async () => {},
  }
}

/** All databases in one server, which does not wait for the disk; `create(name, { like })` copies a database that nobody is connected to. */
export async function postgresDatabase() {
  const { default: pg } = await import('pg')
  const server = await startPostgres()
  const create = async (name, { like = 'template1' } = {}) => {
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${like}`)
    await client.end()
    return server.url.replace(/postgres$/, name)
  }
  return { name: 'PostgreSQL', create, cpu: () => cpuOfFamily(server.pid()), stop: server.stop }
}
