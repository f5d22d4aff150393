import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPrograms, startPostgres } from '../../../scripts/postgres.mjs'
import { PostgresDriver } from '../../../src/storage/metadata/postgres/driver.js'
import {
  isMetadataError,
  type PostgresMetadataOptions,
  postgresMetadata,
} from '../../../src/storage/metadata/postgres/index.js'
import { migrate } from '../../../src/storage/metadata/sql/migrate.js'
import { migrations } from '../../../src/storage/metadata/sql/schema.js'
import { describeMetadataStore } from '../../../src/testing/index.js'
import { checkUpgrade } from '../../support/older-database.js'

const isMissing = findPrograms() === undefined && process.getuid?.() !== 0
if (isMissing)
  console.warn(
    'skipped: the tests of postgresMetadata, because PostgreSQL is not installed (Debian: apt-get install postgresql)',
  )

test('PostgreSQL is there when nothing may be skipped', () => {
  expect(isMissing && process.env.SIF_LIBRARY_TEST_REQUIRE_ALL === '1').toBe(false)
})

describe.skipIf(isMissing)('PostgreSQL', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  let admin: pg.Pool
  let schemas = 0

  beforeAll(async () => {
    server = await startPostgres()
    admin = new pg.Pool({ connectionString: server.url, max: 2 })
    admin.on('error', () => undefined)
  })
  afterAll(async () => {
    await admin?.end()
    await server?.stop()
  })

  function nextSchema(): string {
    schemas += 1
    return `Test "${schemas}"`
  }

  const drop = async (schema: string) => {
    await admin.query(`DROP SCHEMA IF EXISTS "${schema.replaceAll('"', '""')}" CASCADE`)
  }

  const newEntity = { id: '1'.repeat(24), name: 'alice', description: '', defaultPrivate: false, owner: null, now: 1 }

  async function withStore(
    options: Partial<PostgresMetadataOptions>,
    work: (store: ReturnType<typeof postgresMetadata>, schema: string) => Promise<void>,
  ) {
    const schema = nextSchema()
    const store = postgresMetadata({ url: server.url, schema, ...options })
    try {
      await work(store, schema)
    } finally {
      await store.close()
      await drop(schema)
    }
  }

  test.each([1, 2])(
    'a full database of version %i: every row is kept, and every record gets its sidecar',
    async (version) => {
      const create = async () => {
        const schema = nextSchema()
        const pool = { connectionString: server.url, max: 2 }
        return {
          driver: new PostgresDriver({ pool, schema, statementMs: 5000, retryMs: 1000 }),
          open: () => postgresMetadata({ url: server.url, schema }),
        }
      }
      await checkUpgrade({ create, version })
    },
  )

  describeMetadataStore(
    { describe, test },
    {
      name: 'two instances',
      create: () => {
        const schema = nextSchema()
        const open = () => postgresMetadata({ url: server.url, schema })
        return { store: open(), second: open, dispose: () => drop(schema) }
      },
    },
  )

  describe('the schema', () => {
    test('is made once by many instances that start together', async () => {
      await withStore({}, async (store, schema) => {
        const others = Array.from({ length: 6 }, () => postgresMetadata({ url: server.url, schema, maxConnections: 2 }))
        await Promise.all([store, ...others].map((instance) => instance.ready()))
        await Promise.all(others.map((instance) => instance.close()))
        const { rows } = await admin.query(`SELECT version FROM "${schema.replaceAll('"', '""')}".schema_version`)
        expect(rows).toEqual([{ version: migrations.length }])
      })
    })

    test('of a newer version is refused', async () => {
      await withStore({}, async (store, schema) => {
        const driver = new PostgresDriver({
          pool: { connectionString: server.url },
          schema,
          statementMs: 5000,
          retryMs: 0,
        })
        await driver.open()
        await driver.migrate(() => migrate(driver.dialect, [...migrations, () => []]))
        await driver.close()
        await expect(store.ready()).rejects.toMatchObject({ name: 'MetadataError', code: 'schema-too-new' })
      })
    })

    test('may be one that a role without further rights was given', async () => {
      await admin.query('CREATE EXTENSION IF NOT EXISTS pg_trgm')
      await admin.query(`CREATE ROLE modest LOGIN PASSWORD 'modest'; CREATE SCHEMA modest AUTHORIZATION modest`)
      const store = postgresMetadata({ url: server.url.replace(/tester:\w+@/, 'modest:modest@'), schema: 'modest' })
      await store.ready()
      await store.ready()
      expect((await store.check()).ok).toBe(true)
      await store.close()
      await admin.query('DROP OWNED BY modest; DROP ROLE modest')
    })

    test('lets the hot paths use an index', async () => {
      await withStore({}, async (store, schema) => {
        await store.ready()
        const client = await admin.connect()
        const plan = async (sql: string) =>
          (await client.query(`EXPLAIN ${sql}`)).rows.map((row) => row['QUERY PLAN']).join('\n')
        try {
          await client.query(`SET search_path TO "${schema.replaceAll('"', '""')}"; SET session_replication_role = replica;
          INSERT INTO containers (id, entity_id, entity_name, collection_id, collection_name, collection_private, name, description, private, created_at, updated_at)
            SELECT c, 'e', 'alice', 'c', 'tools', 0, 'container-' || c, '', 0, 1, 1 FROM generate_series(1, 50) c;
          INSERT INTO images (id, container_id, digest, description, state, size, arch_from_header, fingerprints, created_at, updated_at)
            SELECT i, i % 50, i, '', 'published', 1, 0, '[]', 1, 1 FROM generate_series(1, 20000) i;
          INSERT INTO tags (container_id, arch, tag, image_id, updated_at) SELECT i % 50, 'amd64', 'v' || i, i, 1 FROM generate_series(1, 20000) i;
          INSERT INTO search_images (ref_id, container_id, text) SELECT i, i % 50, 'alice/tools/container-' || i FROM generate_series(1, 20000) i;
          INSERT INTO search_images (ref_id, container_id, text) VALUES ('n', '1', 'a needle in the haystack');
          ANALYZE containers, images, tags, search_images`)
          await client.query('VACUUM search_images')
          const byTag =
            await plan(`SELECT i.id FROM containers c JOIN tags t ON t.container_id = c.id JOIN images i ON i.id = t.image_id
          WHERE c.entity_name = 'alice' AND c.collection_name = 'tools' AND c.name = 'container-7' AND t.arch = 'amd64' AND t.tag = 'v7'`)
          expect(byTag).toMatch(/tags_(?:pkey|by_name)[\s\S]*images_pkey/)
          expect(byTag).not.toContain('Seq Scan on images')
          expect(byTag).not.toContain('Seq Scan on tags')
          expect(
            await plan(`SELECT id FROM search_images s WHERE s.text LIKE '%needle%' ORDER BY s.id DESC LIMIT 51`),
          ).toContain('search_images_text')
          expect(
            await plan(`SELECT id FROM search_images s WHERE s.text LIKE '%alice%' ORDER BY s.id DESC LIMIT 51`),
          ).toContain('search_images_pkey')
        } finally {
          client.release(true)
        }
      })
    })
  })

  describe('a connection', () => {
    test('that breaks between two calls or in the middle of one is replaced', async () => {
      await withStore({}, async (store) => {
        await store.entities.createIfAbsent(newEntity)
        const breakAll = () =>
          admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sif-library'`)
        await breakAll()
        expect((await store.entities.findByName('alice'))?.name).toBe('alice')
        let isDone = false
        const breaker = (async () => {
          while (!isDone) {
            await breakAll()
            await new Promise((resolve) => setTimeout(resolve, 100))
          }
        })()
        // a commit that was broken off is the caller's to repeat: the store can't know whether it happened
        const set = async (index: number): Promise<string> => {
          try {
            return await store.settings.getOrSet(`s${index % 20}`, `value-${index % 20}`)
          } catch (error) {
            if (!isMetadataError(error, 'unavailable') || !error.retryable) throw error
            return set(index)
          }
        }
        try {
          const values = await Promise.all(Array.from({ length: 200 }, (_, index) => set(index)))
          expect(values).toEqual(values.map((_, index) => `value-${index % 20}`))
        } finally {
          isDone = true
          await breaker
        }
      })
    })

    test('is waited for while the server restarts', async () => {
      await withStore({}, async (store) => {
        const { record } = await store.entities.createIfAbsent(newEntity)
        await server.end()
        expect((await store.check()).ok).toBe(false)
        const found = store.entities.findByName('alice')
        const updated = store.uploads.move('0'.repeat(24), 'open', 'aborted', 1)
        await server.start()
        expect(await found).toEqual(record)
        expect(await updated).toBe(false)
        expect((await store.check()).ok).toBe(true)
      })
    })

    test('that is refused fails at once and names no password', async () => {
      const url = server.url.replace(/tester:\w+@/, 'tester:wrong-password@')
      const store = postgresMetadata({ url, retryMs: 60_000 })
      const failure = store.ready()
      await expect(failure).rejects.toMatchObject({ name: 'MetadataError', code: 'unavailable', retryable: false })
      await expect(failure).rejects.not.toThrow(/wrong-password/)
      expect((await store.check()).message).not.toContain('wrong-password')
      await store.close()
    })

    test('to nowhere is unavailable after the time to retry', async () => {
      const store = postgresMetadata({ host: '127.0.0.1', port: 1, user: 'nobody', database: 'nothing', retryMs: 200 })
      const start = Date.now()
      await expect(store.ready()).rejects.toMatchObject({ code: 'unavailable', retryable: true })
      expect(Date.now() - start).toBeGreaterThanOrEqual(200)
      expect(Date.now() - start).toBeLessThan(5000)
      await store.close()
    })
  })

  describe('a transaction', () => {
    test('that loses a deadlock is repeated', async () => {
      await withStore({}, async (store, schema) => {
        await store.settings.getOrSet('a', '0')
        await store.settings.getOrSet('b', '0')
        const driver = new PostgresDriver({
          pool: { connectionString: server.url },
          schema,
          statementMs: 20_000,
          retryMs: 20_000,
        })
        await driver.open()
        let attempts = 0
        const swap = (first: string, second: string) =>
          driver.run('transaction', function* () {
            attempts += 1
            yield { sql: `UPDATE settings SET value = value || '1' WHERE name = ?`, values: [first] }
            yield { sql: 'SELECT pg_sleep(0.3)', values: [] }
            yield { sql: `UPDATE settings SET value = value || '2' WHERE name = ?`, values: [second] }
          })
        await Promise.all([swap('a', 'b'), swap('b', 'a')])
        expect(attempts).toBe(3)
        expect([...((await store.settings.get('a')) ?? '')].sort()).toEqual(['0', '1', '2'])
        await driver.close()
      })
    })

    test('that takes too long is broken off, and had no effect', async () => {
      await withStore({ statementMs: 300, retryMs: 0 }, async (store, schema) => {
        await store.settings.getOrSet('a', '0')
        const client = await admin.connect()
        try {
          await client.query('BEGIN')
          await client.query(`LOCK TABLE "${schema.replaceAll('"', '""')}".settings IN ACCESS EXCLUSIVE MODE`)
          await expect(store.settings.getOrSet('b', '0')).rejects.toMatchObject({
            code: 'unavailable',
            retryable: true,
          })
          await client.query('COMMIT')
        } finally {
          client.release()
        }
        expect(await store.settings.get('b')).toBeUndefined()
      })
    })
  })
})
