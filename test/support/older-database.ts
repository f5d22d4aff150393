/** A database as an earlier version left it, with rows of every kind; and what must be true after this version opened it. */
import { expect } from 'vitest'
import type { StorageBackend } from '../../src/storage/blob/contract.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../src/storage/metadata/contract.js'
import { migrate } from '../../src/storage/metadata/sql/migrate.js'
import { migrations } from '../../src/storage/metadata/sql/schema.js'
import { type SqlDriver, selectAll } from '../../src/storage/metadata/sql/steps.js'
import { expectStatus, makeImage, push } from './push.js'
import { createTestRegistry } from './registry.js'
import { drained, sidecarKeys } from './sidecars.js'

/** Those of version 1, each after those that it refers to. */
const tables = [
  'entities',
  'collections',
  'containers',
  'blobs',
  'images',
  'tags',
  'uploads',
  'users',
  'tokens',
  'settings',
] as const
const documents = ['search_entities', 'search_collections', 'search_containers', 'search_images'] as const

/** Columns that later versions added. */
const laterColumns: Readonly<Record<string, readonly string[]>> = {
  entities: ['records', 'image_count'],
  collections: ['used_bytes', 'image_count'],
  containers: [
    ...['used_bytes', 'image_count', 'archs', 'latest_arch', 'latest_tag'],
    ...['last_pulled_at', 'changed_at', 'changed_by', 'deleting_at'],
  ],
  images: ['download_count', 'last_pulled_at', 'pushed_by_name'],
  tags: ['changed_by'],
  uploads: ['parts_digest'],
  tokens: ['kind', 'parent_id'],
  blobs: ['inspection_version', 'inspected_at', 'inspection'],
}

type Rows = Readonly<Record<string, readonly Readonly<Record<string, string | number | null>>[]>>

async function columnsOf(driver: SqlDriver, table: string): Promise<readonly string[]> {
  const sql =
    driver.dialect.name === 'sqlite'
      ? 'SELECT name FROM pragma_table_info(?)'
      : 'SELECT column_name AS name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?'
  return driver.run('read', () => selectAll((row) => row.name as string, sql, table))
}

/** What version 1 had of each table. The numbers of search documents are the database's own. */
async function rowsOf(driver: SqlDriver): Promise<Rows> {
  const found: Record<string, Rows[string]> = {}
  for (const table of [...tables, ...documents]) {
    const isDocument = table.startsWith('search_')
    const columns = (await columnsOf(driver, table)).filter(
      (name) => !laterColumns[table]?.includes(name) && !(isDocument && name === 'id'),
    )
    const sql = `SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${isDocument ? 'id' : columns.join(', ')}`
    const toRow = (row: Readonly<Record<string, unknown>>) =>
      Object.fromEntries(columns.map((name) => [name, row[name] as string | number | null]))
    found[table] = await driver.run('read', () => selectAll(toRow, sql))
  }
  return found
}

/** Entity → how many records it is said to hold. */
const recordsOf = (driver: SqlDriver) =>
  driver.run('read', () =>
    selectAll((row) => [row.name, row.records], 'SELECT name, records FROM entities ORDER BY name'),
  )

/** Entity → how many records it holds. */
const counted = (driver: SqlDriver) =>
  driver.run('read', () =>
    selectAll(
      (row) => [row.name, Number(row.collections) + Number(row.containers) + Number(row.images)],
      `SELECT name, (SELECT count(*) FROM collections WHERE entity_id = e.id) AS collections,
        (SELECT count(*) FROM containers WHERE entity_id = e.id) AS containers,
        (SELECT count(*) FROM images WHERE container_id IN (SELECT id FROM containers WHERE entity_id = e.id)) AS images
        FROM entities e ORDER BY name`,
    ),
  )

/** Images in every state, uploads in every state, tags, private things, quotas, accounts. */
async function fill(storage: StorageBackend, metadata: MetadataStore): Promise<void> {
  const registry = await createTestRegistry({ storage, metadata, library: { limits: { maxEntityBytes: 10_000_000 } } })
  const { library, now } = registry
  const bytesOf = (name: string): Buffer => Buffer.from(`the bytes of ${name}, `.repeat(9))
  await push(registry, 'alice/tools/bwa', bytesOf('bwa'), { tags: ['1.0', 'latest'], description: 'aligns reads' })
  await push(registry, 'alice/tools/bwa', bytesOf('arm'), { arch: 'arm64', via: 'multipart' })
  const unproven = await push(registry, 'alice/tools/samtools', bytesOf('samtools'))
  const damaged = await push(registry, 'alice/secret/thing', bytesOf('thing'))
  const deleted = await push(registry, 'bob/own/gone', bytesOf('gone'))
  await push(registry, 'bob/own/shared', bytesOf('bwa'), { tags: [] })
  await metadata.images.setState(unproven.imageId, ['published'], 'unproven', now())
  await metadata.images.setState(damaged.imageId, ['published'], 'damaged', now())
  await metadata.images.delete(deleted.imageId, now())
  for (const path of ['alice/secret', 'bob/own/shared', 'bob']) await library.visibility(path, 'private')
  await metadata.entities.update((await metadata.entities.findByName('bob'))?.id ?? '', {
    quotaBytes: 123_456,
    now: now(),
  })
  await library.accounts.createToken({
    user: 'alice',
    label: 'ci',
    scopes: ['push:alice/tools'],
    expiresAt: new Date(now() + 1e9),
  })
  await metadata.settings.getOrSet('transfer-secret', 'kept')
  const pending = await makeImage(registry, { path: 'alice/tools/pending', hash: `sha256.${'c'.repeat(64)}` })
  const states = ['open', 'completing', 'aborted', 'expired'] as const
  for (const state of states) {
    const body = { filesize: 100, sha256sum: 'c'.repeat(64) }
    expectStatus(
      await registry.call('POST', `/v2/imagefile/${pending.imageId}/_multipart`, { token: 'alice', body }),
      200,
    )
    const upload = (await metadata.uploads.findOpen(pending.imageId, (await userId(metadata, 'alice')) ?? ''))[0]
    if (state !== 'open') await metadata.uploads.move(upload?.id ?? '', 'open', state, now())
  }
  await registry.close()
}

const userId = async (metadata: MetadataStore, name: string): Promise<string | undefined> =>
  (await metadata.accounts.findUser(name))?.id

/** Everything that a sidecar holds. */
async function contentsOf(metadata: MetadataStore) {
  const images = (await metadata.images.list({ limit: 100 })).filter(({ image }) => image.blobKey !== null)
  const containers = images.map(({ container }) => ({ ...container, downloadCount: 0 }))
  const tags = await Promise.all(images.map(({ image }) => metadata.images.tagsOf(image.id)))
  const collections = await Promise.all(containers.map(({ collectionId }) => metadata.collections.find(collectionId)))
  const entities = (await metadata.entities.list({ limit: 100 })).map((entity) => ({ ...entity, reservedBytes: 0 }))
  return { entities, collections, containers, images: images.map(({ image }) => image), tags }
}

/** What lists show of sizes, archs and latest tags. */
async function listedOf(metadata: MetadataStore) {
  const query = { visibility: 'all', sort: 'name', limit: 200 } as const
  const containers = (await metadata.containers.page(query)).items.map(
    ({ id, usedBytes, imageCount, archs, latest }) => ({ id, usedBytes, imageCount, archs, latest }),
  )
  const sizes = (items: readonly { readonly id: string; readonly imageCount: number; readonly usedBytes: number }[]) =>
    items.map(({ id, imageCount, usedBytes }) => ({ id, imageCount, usedBytes }))
  return {
    containers,
    collections: sizes((await metadata.collections.page(query)).items),
    entities: sizes((await metadata.entities.page(query)).items),
    totals: await metadata.usage.totals(),
  }
}

export interface OlderDatabase {
  /** An empty database of its own each time. */
  readonly create: () => Promise<{ readonly driver: SqlDriver; readonly open: () => MetadataStore }>
  readonly version: number
}

/** Leads a full database of this version to the newest one: every row is there, every record gets its sidecar, and these alone make the same registry again. */
export async function checkUpgrade({ create, version }: OlderDatabase): Promise<void> {
  const storage = memoryStorage()
  const source = await create()
  const filled = source.open()
  await fill(storage, filled)
  const before = source.open()
  const listed = await listedOf(before)
  await before.close()
  for await (const { key } of storage.list('records/')) await storage.delete(key)

  const older = await create()
  await older.driver.open()
  await source.driver.open()
  const rows = await rowsOf(source.driver)
  await source.driver.close()
  await older.driver.migrate(() => migrate(older.driver.dialect, migrations.slice(0, version)))
  await older.driver.run('transaction', function* () {
    for (const [table, content] of Object.entries(rows)) {
      expect(content.length, table).toBeGreaterThan(0)
      for (const row of content) {
        const names = Object.keys(row)
        yield {
          sql: `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
          values: Object.values(row),
        }
      }
    }
  })
  expect(new Set(rows.images?.map(({ state }) => state))).toEqual(
    new Set(['pending', 'published', 'unproven', 'damaged']),
  )
  expect(new Set(rows.uploads?.map(({ state }) => state))).toEqual(
    new Set(['open', 'completing', 'completed', 'aborted', 'expired']),
  )

  const store = older.open()
  await store.ready()
  expect(await rowsOf(older.driver)).toEqual(rows)
  expect(await recordsOf(older.driver)).toEqual(await counted(older.driver))
  expect(listed.totals.all.images).toBeGreaterThan(3)
  expect(await listedOf(store)).toEqual(listed)
  for (const { kind, parentId } of await store.accounts.listTokens()) expect([kind, parentId]).toEqual(['token', null])
  await older.driver.close()
  expect((await store.search({ value: 'aligns', limit: 9, visibility: 'all' })).images).toHaveLength(1)

  const records = {
    entity: rows.entities,
    collection: rows.collections,
    container: rows.containers,
    image: rows.images?.filter((row) => row.blob_key !== null),
  }
  const noted = (await store.changes.list({ limit: 1000 })).map(({ kind, id, digest }) => `${kind} ${id} ${digest}`)
  expect(noted.sort()).toEqual(
    Object.entries(records)
      .flatMap(([kind, found = []]) => found.map((row) => `${kind} ${row.id} ${row.digest ?? null}`))
      .sort(),
  )
  await drained({ storage, metadata: store, logs: [] })
  expect(await store.changes.list({ limit: 1 })).toEqual([])
  expect(await sidecarKeys(storage)).toHaveLength(noted.length)

  const empty = await createTestRegistry({ storage })
  expect(await empty.library.reindex()).toMatchObject({ images: records.image?.length, problems: 0 })
  // a container and a collection without images come back too, and are no part of this comparison
  expect(await contentsOf(empty.metadata)).toEqual(await contentsOf(store))
  await empty.close()
  await store.close()
}
