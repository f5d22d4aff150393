/** A search for an arch that few images have goes by the index of archs, one for a common arch by that of the text: both find the same. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { MetadataStore } from '../../../src/storage/metadata/contract.js'
import { sqlStore } from '../../../src/storage/metadata/sql/store.js'
import { SqliteDriver } from '../../../src/storage/metadata/sqlite/driver.js'
import {
  loadBetterSqlite,
  loadNodeSqlite,
  type SqliteConnection,
  type SqliteLibrary,
} from '../../../src/storage/metadata/sqlite/library.js'

const idOf = (prefix: string, number: number): string => prefix + number.toString(16).padStart(24 - prefix.length, '0')
const load = async (): Promise<SqliteLibrary> => loadNodeSqlite() ?? (await loadBetterSqlite())
const searches = new Set<string>()
let folder: string
let store: MetadataStore
let connection: SqliteConnection

const recording = async (): Promise<SqliteLibrary> => {
  const library = await load()
  return (file) => {
    const inner = library(file)
    return {
      ...inner,
      prepare: (sql) => {
        if (sql.includes('search_images') && sql.includes('AS document')) searches.add(sql)
        return inner.prepare(sql)
      },
    }
  }
}

/** Published images past the store, named needle and hay in turn. */
function fill(arch: string, { prefix, count, container }: { prefix: string; count: number; container: string }): void {
  for (let number = 0; number < count; number += 1) {
    const id = idOf(prefix, number)
    connection.prepare(
      `INSERT INTO images (id, container_id, digest, description, state, size, arch, arch_from_header, fingerprints, created_at, updated_at, published_at)
        VALUES (?, ?, ?, '', 'published', 1, ?, 1, '[]', 1, 1, 1)`,
    )([id, container, id.padStart(64, '0'), arch])
    connection.prepare('INSERT INTO search_images (ref_id, container_id, arch, text) VALUES (?, ?, ?, ?)')([
      id,
      container,
      arch,
      `alice/tools/bwa\n${number % 2 === 0 ? 'needle' : 'hay'} 50%_`,
    ])
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-archs-'))
  const file = join(folder, 'registry.db')
  store = sqlStore(new SqliteDriver({ file, busyMs: 0, load: recording }))
  await store.ready()
  const base = { description: '', owner: null, now: 1 }
  await store.entities.createIfAbsent({ id: idOf('a', 1), name: 'alice', defaultPrivate: false, ...base })
  await store.collections.createIfAbsent({
    id: idOf('b', 1),
    entityId: idOf('a', 1),
    name: 'tools',
    private: false,
    ...base,
  })
  const { record } = await store.containers.createIfAbsent({
    id: idOf('c', 1),
    collectionId: idOf('b', 1),
    name: 'bwa',
    private: false,
    ...base,
  })
  connection = (await load())(file)
  connection.exec('BEGIN')
  fill('amd64', { prefix: 'd', count: 2500, container: record.id })
  fill('arm64', { prefix: 'e', count: 40, container: record.id })
  connection.exec('COMMIT')
})

afterAll(async () => {
  connection.close()
  await store.close()
  await rm(folder, { recursive: true })
})

async function count(value: string, archs: readonly string[]): Promise<number> {
  let found = 0
  for (let after: string | undefined; ; ) {
    const page = await store.search({
      value,
      archs,
      visibility: 'public',
      limit: 30,
      ...(after === undefined ? {} : { after }),
    })
    found += page.images.length
    if (page.next === undefined) return found
    after = page.next
  }
}

test.each([
  ['NEEDLE', ['amd64'], 1250],
  ['needle', ['arm64'], 20],
  ['needle', ['arm64', 'amd64'], 1270],
  ['needle', ['riscv64'], 0],
  ['needle', ['riscv64', 'arm64', 's390x'], 20],
  ['50%_', ['arm64'], 40],
  ['e"l', ['arm64'], 0],
  ['needle', Array.from({ length: 12 }, (_, index) => (index === 3 ? 'arm64' : `arch${index}`)), 20],
])('%s of %j: %i images', async (value, archs, expected) => {
  expect(await count(value, archs)).toBe(expected)
})

test('a rare arch is looked up in its index, and the text of no other image is looked at', async () => {
  const [sql] = [...searches].filter((text) => text.includes('INDEXED BY') && text.includes('s.arch IN (?)'))
  const values = Array.from({ length: (sql ?? '').split('?').length - 1 }, () => null)
  const plan = connection
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)(values)
    .map((row) => row.detail as string)
  expect(plan[0]).toMatch(/^SEARCH s USING INDEX search_images_arch \(arch=\?/)
  expect(plan.join()).not.toMatch(/SCAN|VIRTUAL|TEMP B-TREE/)
  expect([...searches].some((text) => text.includes('MATCH') && text.includes('s.arch IN'))).toBe(true)
})
