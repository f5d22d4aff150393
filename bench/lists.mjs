/**
 * What a page of each list costs, at the first page and at the thousandth, in a large registry; and how long its migration takes.
 *
 * The rows are made by the database itself, past the store; what the store keeps in step with them is then filled by the migration, as for an old database. Measured is the store: the time
 * of the processors of this process (for PostgreSQL of the server's too) for a page of 50.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgresMetadata } from 'sif-library/metadata/postgres'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { postgresDatabase, sqliteDatabase } from './lib/database.mjs'
import { fillSteps, listIndexes } from './lib/later-steps.mjs'
import { printTable, round, saveResults } from './lib/report.mjs'

const pageSize = 50
const goalMs = 5
const days = 10

const openStore = (url) =>
  url.startsWith('sqlite:') ? sqliteMetadata({ file: url.slice('sqlite:'.length) }) : postgresMetadata({ url })

/** How each database makes numbers, and ids of 24 hex digits from them that are spread like random ones. */
const dialects = {
  SQLite: {
    series: (count) =>
      `(WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < ${count - 1}) SELECT n FROM s)`,
    id: (number, kind) => `printf('%08x%02x%014x', ((${number}) * 2654435761) & 4294967295, ${kind}, ${number})`,
    padded: (number) => `printf('%06d', ${number})`,
  },
  PostgreSQL: {
    series: (count) => `(SELECT generate_series(0, ${count - 1})::bigint AS n) AS s`,
    id: (number, kind) =>
      `lpad(to_hex(((${number}) * 2654435761) & 4294967295), 8, '0') || lpad(to_hex(${kind}), 2, '0') || lpad(to_hex(${number}), 14, '0')`,
    padded: (number) => `lpad((${number})::text, 6, '0')`,
  },
}

/** A tenth of the containers in one collection, a tenth of the images in one container; every seventh container and every tenth entity is private, every fifth image has no tag. */
function fillStatements({ series, id, padded }, { images, containers, entities, now }) {
  const inOne = Math.floor(containers / 10)
  const collections = entities * 2
  const collection = `(CASE WHEN n < ${inOne} THEN 0 ELSE n % ${collections} END)`
  const container = `(CASE WHEN n < ${Math.floor(images / 10)} THEN 0 ELSE n % ${containers} END)`
  const entityName = (number) => `'entity-' || ${padded(number)}`
  const digest = `${id('n', 4)} || ${id('n', 4)} || substr(${id('n', 4)}, 1, 16)`
  const time = `${now} - ((n * 7919) % 30000000) * 1000`
  const each = (count) => ` FROM ${series(count)}`
  return [
    `INSERT INTO entities (id, name, description, default_private, owner, created_at, updated_at)
      SELECT ${id('n', 1)}, ${entityName('n')}, '', CASE WHEN n % 10 = 9 THEN 1 ELSE 0 END, 'user-' || n, ${time}, ${time}${each(entities)}`,
    `INSERT INTO collections (id, entity_id, entity_name, name, description, private, owner, created_at, updated_at)
      SELECT ${id('n', 2)}, ${id(`n / 2`, 1)}, ${entityName('n / 2')}, 'collection-' || (n % 2), '', CASE WHEN n % 20 = 19 THEN 1 ELSE 0 END, 'user-' || (n / 2), ${time}, ${time}${each(collections)}`,
    `INSERT INTO containers (id, entity_id, entity_name, collection_id, collection_name, collection_private, name, description, private, download_count, owner, created_at, updated_at)
      SELECT ${id('n', 3)}, ${id(`${collection} / 2`, 1)}, ${entityName(`${collection} / 2`)}, ${id(collection, 2)}, 'collection-' || (${collection} % 2),
        CASE WHEN ${collection} % 20 = 19 THEN 1 ELSE 0 END, 'container-' || ${padded('n')}, '', CASE WHEN n % 7 = 6 THEN 1 ELSE 0 END, (n * 31) % 5000,
        'user-' || (n % 1000), ${time}, ${time}${each(containers)}`,
    `INSERT INTO search_entities (ref_id, text) SELECT id, name FROM entities`,
    `INSERT INTO search_containers (ref_id, text) SELECT id, entity_name || '/' || collection_name || '/' || name FROM containers`,
    `INSERT INTO blobs (blob_key, digest, size, created_at) SELECT 'blobs/' || ${id('n', 4)}, ${digest}, 1000 + n % 9000, ${time}${each(images)}`,
    `INSERT INTO images (id, container_id, digest, description, state, size, blob_key, arch, arch_from_header, signed, encrypted, fingerprints, owner, created_at, updated_at, published_at)
      SELECT ${id('n', 4)}, ${id(container, 3)}, ${digest}, '', 'published', 1000 + n % 9000, 'blobs/' || ${id('n', 4)}, CASE WHEN n % 50 = 0 THEN 'arm64' ELSE 'amd64' END,
        1, n % 2, 0, '[]', 'user-' || (n % 1000), ${time}, ${time}, ${time}${each(images)}`,
    `INSERT INTO tags (container_id, arch, tag, image_id, updated_at)
      SELECT ${id(container, 3)}, CASE WHEN n % 50 = 0 THEN 'arm64' ELSE 'amd64' END, 'v' || n, ${id('n', 4)}, ${time} FROM ${series(images)} WHERE n % 5 <> 4`,
    `INSERT INTO tag_history (container_id, at, by_id, by_name, arch, tag, digest, previous, via)
      SELECT ${id(container, 3)}, ${time}, 'user-' || (n % 1000), 'name-' || (n % 1000), 'amd64', 'v' || n, ${digest}, NULL, 'push'${each(images)}`,
    `INSERT INTO events (at, action, actor_id, actor_name, via, path, entity_id, container_id, digest, details)
      SELECT ${now} - 1000000000 + n * 10, CASE WHEN n % 3 = 0 THEN 'tag.moved' ELSE 'image.published' END, 'user-' || (n % 1000), 'name-' || (n % 1000), 'token', 'a/b/c',
        ${id(`n % ${entities}`, 1)}, ${id(container, 3)}, ${digest}, '{}'${each(images)}`,
    `INSERT INTO pulls_day (scope, id, day, pulls) SELECT 'container', ${id(`n % ${containers}`, 3)}, ${Math.floor(now / 86_400_000)} - n / ${containers}, 1 + n % 9${each(containers * days)}`,
    `INSERT INTO pulls_day (scope, id, day, pulls) SELECT 'entity', ${id(`n % ${entities}`, 1)}, ${Math.floor(now / 86_400_000)} - n / ${entities}, 1 + n % 99${each(entities * 100)}`,
    `UPDATE entities SET used_bytes = COALESCE((SELECT sum(i.size) FROM containers c JOIN images i ON i.container_id = c.id WHERE c.entity_name = entities.name), 0)`,
    `DELETE FROM record_changes`,
  ]
}

async function openRaw(url) {
  if (!url.startsWith('sqlite:')) {
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query('SET search_path TO sif_library, public; SET session_replication_role = replica')
    return { exec: (sql) => client.query(sql), close: () => client.end() }
  }
  const file = url.slice('sqlite:'.length)
  const builtin = process.getBuiltinModule?.('node:sqlite')
  const raw = builtin ? new builtin.DatabaseSync(file) : new (await import('better-sqlite3')).default(file)
  raw.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA foreign_keys = OFF')
  return { exec: async (sql) => raw.exec(sql), close: async () => raw.close() }
}

/** An old database: full, with neither what lists show nor their indexes. */
async function fill(database, url, shape) {
  const store = openStore(url)
  await store.ready()
  await store.close()
  const raw = await openRaw(url)
  for (const name of listIndexes) await raw.exec(`DROP INDEX ${name}`)
  for (const sql of fillStatements(dialects[database.name], shape)) await raw.exec(sql)
  for (const name of [...fillSteps, ...listIndexes.map((index) => `index ${index}`)])
    await raw.exec(`INSERT INTO schema_steps (name, position) VALUES ('${name}', '')`)
  await raw.exec('ANALYZE')
  await raw.close()
}

/** Milliseconds of processor time, here and in the database, of one call: the least of some rounds, each of which repeats it. */
async function cost(database, call, { rounds = 3, times = 20 } = {}) {
  await call()
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round += 1) {
    const [own, theirs] = [process.cpuUsage(), database.cpu()]
    for (let time = 0; time < times; time += 1) await call()
    const { user, system } = process.cpuUsage(own)
    least = Math.min(least, ((user + system) / 1000 + (database.cpu() - theirs) * 1000) / times)
  }
  return least
}

/** The cursor of the thousandth page, or of the last one before the end. */
async function farCursor(read, pages) {
  let last
  for (let page = 1, cursor; page < pages; page += 1) {
    const { next } = await read(cursor)
    if (next === undefined) return last
    last = cursor = next
  }
  return last
}

async function lists(store, { entities, containers }) {
  const limit = pageSize
  const entity = (await store.entities.findByName('entity-000000')) ?? {}
  const collection = (await store.collections.findByPath('entity-000000', 'collection-0')) ?? {}
  const container = (await store.containers.listOf(collection.id, { limit: 1 }))[0]
  const mine = {
    entities: ['entity-000000', 'entity-000003', 'entity-000009', `entity-${String(entities - 1).padStart(6, '0')}`],
  }
  const fifty = { entities: Array.from({ length: 50 }, (_, number) => `entity-${String(number).padStart(6, '0')}`) }
  const hundred = { entities: Array.from({ length: 100 }, (_, number) => `entity-${String(number).padStart(6, '0')}`) }
  const page = (method, query) => (after) => method({ limit, ...query, ...(after && { after }) })
  const ofContainers = (query) => page(store.containers.page, { visibility: 'public', ...query })
  const history = (query) => async (before) => {
    const items = await store.containers.history(container.id, { limit, ...query, ...(before && { before }) })
    return { items, next: items.length < limit ? undefined : items.at(-1).seq }
  }
  const today = Math.floor(Date.now() / 86_400_000)
  const shown = (await ofContainers({ sort: 'name' })()).items.map(({ id }) => id)
  const once = (call) => async () => ({ items: await call(), next: undefined })
  const sorts = ['name', '-updatedAt', '-pulls', '-usedBytes']
  return {
    ...Object.fromEntries(sorts.map((sort) => [`containers, public, ${sort}`, ofContainers({ sort })])),
    ...Object.fromEntries(
      sorts.map((sort) => [`containers, public and 4 entities, ${sort}`, ofContainers({ sort, visibility: mine })]),
    ),
    'containers, public and 50 entities, -updatedAt': ofContainers({ sort: '-updatedAt', visibility: fifty }),
    'containers, public and 100 entities, -updatedAt': ofContainers({ sort: '-updatedAt', visibility: hundred }),
    'containers, all, -updatedAt': ofContainers({ sort: '-updatedAt', visibility: 'all' }),
    'containers of one entity, -usedBytes': ofContainers({
      sort: '-usedBytes',
      visibility: 'all',
      entities: ['entity-000000'],
    }),
    'containers of a large collection, name': ofContainers({
      sort: 'name',
      visibility: 'all',
      collectionId: collection.id,
    }),
    'containers, q finds few': ofContainers({
      sort: '-updatedAt',
      q: `container-${String(containers - 1)
        .padStart(6, '0')
        .slice(0, 4)}`,
    }),
    'containers, q finds many': ofContainers({ sort: '-updatedAt', q: 'collection-1' }),
    'containers, arch that few have': ofContainers({ sort: '-updatedAt', arch: 'arm64' }),
    'containers, signed': ofContainers({ sort: '-updatedAt', signed: true }),
    'containers, mine': ofContainers({ sort: '-updatedAt', owner: 'user-7', visibility: 'all' }),
    'entities, name': page(store.entities.page, { visibility: 'public', sort: 'name' }),
    'entities, -usedBytes': page(store.entities.page, { visibility: mine, sort: '-usedBytes' }),
    'collections, name': page(store.collections.page, { visibility: 'public', sort: 'name' }),
    'images of a large container, -publishedAt': page(store.images.page, {
      containerId: container.id,
      sort: '-publishedAt',
    }),
    'images of a large container, untagged': page(store.images.page, {
      containerId: container.id,
      sort: '-publishedAt',
      untagged: true,
    }),
    'tags of a large container, name': page(store.tags.page, { containerId: container.id, sort: 'name' }),
    'tags of a large container, -updatedAt': page(store.tags.page, { containerId: container.id, sort: '-updatedAt' }),
    'history of a large container': history({}),
    'history of one tag': history({ tag: 'v7' }),
    'events, all': page(store.events.page, {}),
    'events of an entity': page(store.events.page, { entityId: entity.id }),
    'events of a person': page(store.events.page, { actor: 'name-7' }),
    'events of a large container': page(store.events.page, { containerId: container.id }),
    'pulls of 50 containers, 30 days': once(() =>
      store.pulls.days({ scope: 'container', ids: shown, from: today - 30, to: today }),
    ),
    'pulls of an entity, 400 days': once(() =>
      store.pulls.days({ scope: 'entity', ids: [entity.id], from: today - 400, to: today }),
    ),
    'usage of an entity, 400 days': once(() => store.usage.days({ entityId: entity.id, from: today - 400, to: today })),
    totals: once(() => store.usage.totals()),
  }
}

async function measure(database, shape, pages) {
  const url = await database.create('lists')
  let start = performance.now()
  await fill(database, url, shape)
  console.log(`${database.name}: filled in ${round((performance.now() - start) / 1000, 0)} s`)
  const store = openStore(url)
  const rows = []
  start = performance.now()
  let longest = 0
  let last = start
  await store.ready(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  })
  rows.push({ what: `${database.name}: migration`, value: (performance.now() - start) / 1000, unit: 's' })
  rows.push({ what: `${database.name}: its longest step`, value: longest / 1000, unit: 's' })
  const { all } = await store.usage.totals()
  if (all.images !== shape.images || all.containers !== shape.containers)
    throw new Error(`the totals are ${JSON.stringify(all)}`)
  for (const [what, read] of Object.entries(await lists(store, shape))) {
    const first = await cost(database, () => read())
    rows.push({
      what: `${database.name}: ${what}`,
      value: first,
      unit: 'ms',
      goal: `≤ ${goalMs}`,
      holds: first <= goalMs,
    })
    const cursor = await farCursor(read, pages)
    if (cursor === undefined) continue
    const far = await cost(database, () => read(cursor))
    rows.push({
      what: `${database.name}: ${what}, far page`,
      value: far,
      unit: 'ms',
      goal: `≤ ${goalMs}`,
      holds: far <= goalMs,
    })
  }
  await store.close()
  return rows
}

/** Defaults: a million images in a hundred thousand containers of two thousand entities. */
export async function benchLists({
  images = 1_000_000,
  containers = 100_000,
  entities = 2000,
  pages = 1000,
  postgres = true,
} = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sif-library-lists-'))
  const rows = []
  const shape = { images, containers, entities, now: Date.now() }
  try {
    rows.push(...(await measure(await sqliteDatabase(folder), shape, pages)))
    const server = postgres
      ? await postgresDatabase().catch((error) => console.warn(`without PostgreSQL: ${error.message}`))
      : undefined
    if (server !== undefined) {
      try {
        rows.push(...(await measure(server, shape, pages)))
      } finally {
        await server.stop()
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  printTable(`Lists of ${images} images in ${containers} containers of ${entities} entities`, rows)
  saveResults('lists', rows)
}
