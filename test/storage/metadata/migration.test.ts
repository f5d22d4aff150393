import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate } from '../../../src/storage/metadata/sql/migrate.js'
import { type Migration, migrations } from '../../../src/storage/metadata/sql/schema.js'
import { selectAll } from '../../../src/storage/metadata/sql/steps.js'
import { SqliteDriver } from '../../../src/storage/metadata/sqlite/driver.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { loadBetterSqlite, loadNodeSqlite } from '../../../src/storage/metadata/sqlite/library.js'
import { checkUpgrade } from '../../support/older-database.js'

let folder: string
let file: string
let driver: SqliteDriver

const driverOf = (path: string): SqliteDriver =>
  new SqliteDriver({ file: path, busyMs: 1000, load: async () => loadNodeSqlite() ?? (await loadBetterSqlite()) })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-migration-'))
  file = join(folder, 'registry.db')
  driver = driverOf(file)
  await driver.open()
})
afterEach(async () => {
  await driver.close()
  await rm(folder, { recursive: true })
})

const run = (list?: readonly Migration[]) => driver.migrate(() => migrate(driver.dialect, list))
// a row looks its columns up when they are read, so they are named
const query = (columns: readonly string[], from: string) =>
  driver.run('read', () =>
    selectAll(
      (row) => Object.fromEntries(columns.map((name) => [name, row[name]])),
      `SELECT ${columns.join(', ')} FROM ${from}`,
    ),
  )
const version = async () => await query(['version'], 'schema_version')
const schema = () => query(['type', 'name', 'sql'], 'sqlite_master ORDER BY name')

test('leads from nothing to the newest version, and a second time nowhere', async () => {
  await run()
  expect(await version()).toEqual([{ version: migrations.length }])
  const before = await schema()
  await run()
  expect(await schema()).toEqual(before)
  expect(await version()).toEqual([{ version: migrations.length }])
})

test('leads from an older version to the newest one, with what is in it', async () => {
  await run()
  await driver.run('statement', () =>
    selectAll((row) => row, `INSERT INTO settings (name, value) VALUES ('a', 'kept')`),
  )
  const more: Migration[] = [
    ...migrations,
    () => [`ALTER TABLE settings ADD COLUMN note TEXT NOT NULL DEFAULT 'new'`],
    () => ['CREATE TABLE later (id INTEGER)'],
  ]
  await run(more)
  expect(await query(['name', 'value', 'note'], 'settings')).toEqual([{ name: 'a', value: 'kept', note: 'new' }])
  expect(await version()).toEqual([{ version: migrations.length + 2 }])
})

test('a database of version 1 keeps its uploads; what they were completed with is not known', async () => {
  await run(migrations.slice(0, 1))
  const columns =
    'id, kind, state, image_id, container_id, entity_id, principal, blob_key, size, digest, part_size, total_parts, backend_upload_id, created_at, updated_at, expires_at'
  const values = `'${'a'.repeat(24)}', 'multipart', 'completed', 'i', 'c', 'e', NULL, 'k', 10, 'd', 5, 2, 'b', 1, 2, 3`
  await driver.run('statement', () => selectAll((row) => row, `INSERT INTO uploads (${columns}) VALUES (${values})`))
  const store = sqliteMetadata({ file })
  await store.ready()
  expect(await store.uploads.find('a'.repeat(24))).toMatchObject({
    state: 'completed',
    totalParts: 2,
    partsDigest: null,
  })
  await store.close()
  expect(await version()).toEqual([{ version: migrations.length }])
})

// from version 3 on the store notes by itself whose sidecar is due
test.each([1, 2])(
  'a full database of version %i: every row is kept, and every record gets its sidecar',
  async (older) => {
    let count = 0
    const create = async () => {
      count += 1
      const path = join(folder, `${count}.db`)
      return { driver: driverOf(path), open: () => sqliteMetadata({ file: path }) }
    }
    await checkUpgrade({ create, version: older })
  },
)

test('happens whole or not at all', async () => {
  await run()
  const before = await schema()
  const failing: Migration[] = [
    ...migrations,
    () => ['CREATE TABLE half (id INTEGER)', 'CREATE TABLE settings (id INTEGER)'],
  ]
  await expect(run(failing)).rejects.toMatchObject({ name: 'MetadataError' })
  expect(await schema()).toEqual(before)
  expect(await version()).toEqual([{ version: migrations.length }])
})

test('refuses a database of a newer version, and says what to do', async () => {
  await run([...migrations, () => []])
  const store = sqliteMetadata({ file })
  await expect(store.ready()).rejects.toMatchObject({
    name: 'MetadataError',
    code: 'schema-too-new',
    message: expect.stringContaining('newer version'),
  })
  await expect(store.settings.getOrSet('a', 'b')).rejects.toMatchObject({ code: 'schema-too-new' })
  expect((await store.check()).message).toContain('schema version')
  expect(await version()).toEqual([{ version: migrations.length + 1 }])
  await store.close()
})

test('two instances that open one new file together both find it ready', async () => {
  const path = join(folder, 'new.db')
  const stores = Array.from({ length: 6 }, () => sqliteMetadata({ file: path }))
  await Promise.all(stores.map((store) => store.ready()))
  expect(new Set(await Promise.all(stores.map((store) => store.settings.getOrSet('a', 'b'))))).toEqual(new Set(['b']))
  await Promise.all(stores.map((store) => store.close()))
})
