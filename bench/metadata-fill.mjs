/** Databases of many images, written past the store so that a million take minutes; what the store keeps in step (blobs, tags, search, usage) is in step here too. */
import { existsSync } from 'node:fs'
import { postgresMetadata } from 'sif-library/metadata/postgres'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { fillSteps } from './lib/later-steps.mjs'

export const perContainer = 1000
/** What every image is said to have, in bytes. */
export const imageBytes = 1000
/** Stands in the description of one container only. */
export const rareWord = 'axolotl'

/** an id of 24 hex digits, spread over all of them like the random ones of the registry */
export const idOf = (number) =>
  ((BigInt(number) * 0x9e3779b97f4a7c15f39cc061n) & (2n ** 96n - 1n)).toString(16).padStart(24, '0')

export const keyOf = (digest, id) => `blobs/sha256/${digest.slice(0, 2)}/${digest}/${id}`

/** The image of a number: which container it lies in, and its one tag there. */
export function imageAt(index, { images, containers }) {
  const inEach = Math.ceil(images / containers)
  const place = index % inEach
  const id = idOf(10_000_000 + index)
  const digest = id.repeat(3).slice(0, 64)
  return {
    id,
    digest,
    key: keyOf(digest, id),
    container: Math.floor(index / inEach),
    tag: `${Math.floor(place / 10)}.${place % 10}.0`,
  }
}

/** Asks for an image of the store: a container of `alice/tools` and a tag. */
export const imagePath = ({ container, tag }) => `/v1/images/alice/tools/${container}:${tag}?arch=amd64`

/** Asks for one of all images. */
export function anyImagePath(shape) {
  const { container, tag } = imageAt(Math.floor(Math.random() * shape.images), shape)
  return imagePath({ container: `container-${container}`, tag })
}

/** Columns with their types, and the values of a row. Blobs come before what refers to them. */
const tables = {
  blobs: {
    columns: { blob_key: 'text', digest: 'text', size: 'bigint', created_at: 'bigint', unreferenced_at: 'bigint' },
    values: ({ key, digest, now, unreferencedAt = null }) => [key, digest, imageBytes, now, unreferencedAt],
  },
  images: {
    columns: {
      ...{
        id: 'text',
        container_id: 'text',
        digest: 'text',
        description: 'text',
        state: 'text',
        size: 'bigint',
        blob_key: 'text',
        arch: 'text',
      },
      ...{ arch_from_header: 'int', signed: 'int', encrypted: 'int', fingerprints: 'text', owner: 'text' },
      ...{ created_at: 'bigint', updated_at: 'bigint', published_at: 'bigint' },
    },
    values: ({ id, containerId, digest, key, now }) => [
      ...[id, containerId, digest, '', 'published', imageBytes, key, 'amd64'],
      ...[1, 1, 0, '[]', 'alice', now, now, now],
    ],
  },
  tags: {
    columns: { container_id: 'text', arch: 'text', tag: 'text', image_id: 'text', updated_at: 'bigint' },
    values: ({ id, containerId, tag, now }) => [containerId, 'amd64', tag, id, now],
  },
  search_images: {
    columns: { ref_id: 'text', container_id: 'text', arch: 'text', signed: 'int', text: 'text' },
    values: ({ id, containerId, text }) => [id, containerId, 'amd64', 1, text],
  },
}

const openStore = (url) =>
  url.startsWith('sqlite:') ? sqliteMetadata({ file: url.slice('sqlite:'.length) }) : postgresMetadata({ url })
/** The mark of the storage that the registry knows; made where it has met none yet. */
export async function markOf(url) {
  const store = openStore(url)
  try {
    await store.ready()
    return await store.settings.getOrSet('storage-mark', idOf(1).repeat(2).slice(0, 32))
  } finally {
    await store.close()
  }
}

const openRaw = (url) => (url.startsWith('sqlite:') ? openSqlite(url.slice('sqlite:'.length)) : openPostgres(url))

async function openSqlite(file) {
  const builtin = process.getBuiltinModule?.('node:sqlite')
  const raw = builtin ? new builtin.DatabaseSync(file) : new (await import('better-sqlite3')).default(file)
  raw.exec('PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000')
  return {
    exec: (sql) => raw.exec(sql),
    insert: (table, rows) => {
      const { columns, values } = tables[table]
      const names = Object.keys(columns)
      const statement = raw.prepare(`INSERT INTO ${table} (${names}) VALUES (${names.map(() => '?')})`)
      // a transaction of its own, or a part of the one that fills
      raw.exec('SAVEPOINT rows')
      for (const row of rows) statement.run(...values(row))
      raw.exec('RELEASE rows')
    },
    begin: () => raw.exec('BEGIN IMMEDIATE'),
    finish: () => raw.exec('COMMIT'),
    close: () => raw.close(),
  }
}

/** As a superuser: no foreign key is checked, and the index of the search is made at the end. */
async function openPostgres(url) {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    "SET search_path TO sif_library, public; SET session_replication_role = replica; SET maintenance_work_mem = '512MB'",
  )
  let searchIndex
  return {
    exec: (sql) => client.query(sql),
    begin: async () => {
      const { rows } = await client.query(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'sif_library' AND indexname = 'search_images_text'",
      )
      searchIndex = rows[0].indexdef
      await client.query('DROP INDEX search_images_text')
    },
    insert: (table, rows) => {
      const { columns, values } = tables[table]
      const lists = Object.keys(columns).map(() => [])
      for (const row of rows) for (const [place, value] of values(row).entries()) lists[place].push(value)
      const types = Object.values(columns).map((type, place) => `$${place + 1}::${type}[]`)
      return client.query(`INSERT INTO ${table} (${Object.keys(columns)}) SELECT * FROM unnest(${types})`, lists)
    },
    finish: async () => {
      await client.query(searchIndex)
      await client.query('VACUUM ANALYZE')
    },
    close: () => client.end(),
  }
}

async function createContainers(store, count) {
  const now = Date.now()
  const { record: entity } = await store.entities.createIfAbsent({
    id: idOf(1),
    name: 'alice',
    description: '',
    defaultPrivate: false,
    owner: null,
    now,
  })
  const collection = {
    id: idOf(2),
    entityId: entity.id,
    name: 'tools',
    description: '',
    private: false,
    owner: null,
    now,
  }
  const { record } = await store.collections.createIfAbsent(collection)
  const containers = []
  for (let index = 0; index < count; index += 1) {
    const description = index === Math.floor(count / 2) ? `Genome of the ${rareWord}` : 'No description'
    const container = {
      id: idOf(1000 + index),
      collectionId: record.id,
      name: `container-${index}`,
      description,
      private: false,
      owner: null,
      now,
    }
    containers.push((await store.containers.createIfAbsent(container)).record)
  }
  return containers
}

function rowOf(index, { shape, containers, now }) {
  const image = imageAt(index, shape)
  const { id, name, description } = containers[image.container]
  return { ...image, containerId: id, now, text: `alice/tools/${name}\n${description.toLowerCase()}\n${image.tag}` }
}

/** Fills the empty database at `sqlite:FILE` or `postgres://…` with so many images in so many containers of `alice/tools`, one tag each. */
export async function fillStore(url, shape) {
  const store = openStore(url)
  await store.ready()
  const containers = await createContainers(store, shape.containers)
  await store.close()
  const raw = await openRaw(url)
  await raw.begin()
  const now = Date.now()
  const atOnce = 10_000
  for (let start = 0; start < shape.images; start += atOnce) {
    const count = Math.min(atOnce, shape.images - start)
    const rows = Array.from({ length: count }, (_, place) => rowOf(start + place, { shape, containers, now }))
    for (const table of Object.keys(tables)) await raw.insert(table, rows)
  }
  await raw.exec(`UPDATE entities SET used_bytes = ${shape.images * imageBytes}`)
  // a registry that is not new has written their sidecars
  await raw.exec('DELETE FROM record_changes')
  // what lists show is filled as for an old database
  for (const name of fillSteps) await raw.exec(`INSERT INTO schema_steps (name, position) VALUES ('${name}', '')`)
  await raw.finish()
  await raw.close()
  const filled = openStore(url)
  await filled.ready()
  await filled.close()
}

/** Records blobs that no image refers to any more since `unreferencedAt` (ms), numbered from `first`; resolves to their keys. */
export async function addUnreferenced(url, { first, count, unreferencedAt }) {
  const rows = Array.from({ length: count }, (_, place) => {
    const id = idOf(900_000_000 + first + place)
    const digest = id.repeat(3).slice(0, 64)
    return { key: keyOf(digest, id), digest, now: unreferencedAt, unreferencedAt }
  })
  const raw = await openRaw(url)
  await raw.insert('blobs', rows)
  await raw.close()
  return rows.map(({ key }) => key)
}

/** Fills a new SQLite file, `perContainer` images to a container; does nothing where the file is there. */
export async function fillDatabase(file, images) {
  if (!existsSync(file)) await fillStore(`sqlite:${file}`, { images, containers: Math.ceil(images / perContainer) })
}
