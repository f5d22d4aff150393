/** A SQLite database of many images, written past the store so that a million take a minute. */
import { existsSync } from 'node:fs'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'

export const perContainer = 1000

async function openRaw(file) {
  const builtin = process.getBuiltinModule('node:sqlite')
  if (builtin) return new builtin.DatabaseSync(file)
  const { default: Database } = await import('better-sqlite3')
  return new Database(file)
}

/** an id of 24 hex digits that does not sort by its number, like the real ones */
export const idOf = (number) => (BigInt(number) * 0x9e3779b97f4a7c15n).toString(16).padStart(24, '0').slice(-24)

/** Fills a new database with so many images, one tag each; does nothing where the file is there. */
export async function fillDatabase(file, images) {
  if (existsSync(file)) return
  const store = sqliteMetadata({ file })
  await store.ready()
  const now = Date.now()
  const { record: entity } = await store.entities.createIfAbsent({ id: idOf(1), name: 'alice', description: '', defaultPrivate: false, owner: null, now })
  const { record: collection } = await store.collections.createIfAbsent({
    ...{ id: idOf(2), entityId: entity.id, name: 'tools', description: '', private: false, owner: null, now },
  })
  const containers = []
  for (let index = 0; index < Math.ceil(images / perContainer); index += 1) {
    const container = {
      id: idOf(1000 + index),
      collectionId: collection.id,
      name: `container-${index}`,
      description: 'No description',
      private: false,
      owner: null,
      now,
    }
    containers.push((await store.containers.createIfAbsent(container)).record)
  }
  await store.accounts.createUser({ id: idOf(3), name: 'alice', admin: false, groups: ['lab'], createdAt: now })
  await store.accounts.createToken({
    ...{ id: idOf(4), userId: idOf(3), label: '', hash: 'f'.repeat(64), scopes: [], createdAt: now, expiresAt: null, lastUsedAt: null },
  })
  await store.close()
  const raw = await openRaw(file)
  raw.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN')
  const blob = raw.prepare('INSERT INTO blobs VALUES (?, ?, 1000, ?, NULL)')
  const image = raw.prepare(`INSERT INTO images VALUES (?, ?, ?, '', 'published', 1000, ?, 'amd64', 1, 1, 0, '[]', 'alice', ?, ?, ?)`)
  const tag = raw.prepare(`INSERT INTO tags VALUES (?, 'amd64', ?, ?, ?)`)
  const document = raw.prepare(`INSERT INTO search_images (ref_id, container_id, arch, signed, text) VALUES (?, ?, 'amd64', 1, ?)`)
  for (let index = 0; index < images; index += 1) {
    const container = containers[Math.floor(index / perContainer)]
    const id = idOf(10_000_000 + index)
    const digest = id.repeat(3).slice(0, 64)
    const key = `blobs/sha256/${digest.slice(0, 2)}/${digest}/${id}`
    const name = `${Math.floor((index % perContainer) / 10)}.${index % 10}.0`
    blob.run(key, digest, now)
    image.run(id, container.id, digest, key, now, now, now)
    tag.run(container.id, name, id, now)
    document.run(id, container.id, `alice/tools/${container.name}\nno description\n${name}`)
  }
  raw.exec('COMMIT')
  raw.close()
}
