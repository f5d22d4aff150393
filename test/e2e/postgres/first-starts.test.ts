/**
 * Registries of several schemas that started at once on a new database failed with "duplicate key": each made the extension that search needs, and one only
 * can.
 */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPrograms, startPostgres } from '../../../scripts/postgres.mjs'
import { postgresMetadata } from '../../../src/storage/metadata/postgres/index.js'

const isMissing = findPrograms() === undefined && process.getuid?.() !== 0

describe.skipIf(isMissing)('first starts at once on a new database', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  async function query(url: string, sql: string) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return client.query(sql).finally(() => client.end())
  }

  test.each([
    ['three schemas', ['one', 'two', 'three']],
    ['one schema', ['one', 'one', 'one']],
    ['both', ['public', 'public', 'two', 'two', 'three']],
    ['no public schema', ['one', 'two', 'three']],
  ])('%s', async (name, schemas) => {
    for (let round = 0; round < 6; round += 1) {
      const database = `${name.replaceAll(' ', '_')}_${round}`
      await query(server.url, `CREATE DATABASE ${database}`)
      const url = new URL(server.url)
      url.pathname = `/${database}`
      // the extension lies in the schema that was first, and the others find it there
      if (name === 'no public schema') await query(url.href, 'DROP SCHEMA public')
      const stores = schemas.map((schema) => postgresMetadata({ url: url.href, schema, retryMs: 0 }))
      const starts = await Promise.allSettled(stores.map((store) => store.ready()))
      expect(starts.filter(({ status }) => status === 'rejected')).toEqual([])
      // search finds the extension's functions, in whichever schema they are
      for (const store of stores)
        expect(await store.search({ value: 'aligns', limit: 9, visibility: 'all' })).toMatchObject({ images: [] })
      await Promise.all(stores.map((store) => store.close()))
      const { rows } = await query(
        url.href,
        `SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm'`,
      )
      expect(name === 'no public schema' ? schemas : ['public']).toContain(rows[0]?.nspname)
    }
  })
})
