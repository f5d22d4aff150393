/**
 * What the hot paths of the SQLite store cost, and that they do not grow with the registry.
 *
 *   npm run build && node bench/metadata-lookup.mjs [--images 1000,1000000] [--module FILE] [--keep DIR]
 *
 * Fills a database with images (one tag each, 1000 to a container), then looks up random tags, and the tags of one container, and searches.
 * `--module`: another build of sif-library/metadata/sqlite. `--keep`: folder whose databases are filled once and used again.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: {
    images: { type: 'string', default: '1000,1000000' },
    module: { type: 'string', default: 'sif-library/metadata/sqlite' },
    keep: { type: 'string' },
  },
})
const { sqliteMetadata } = await import(options.module)
const perContainer = 1000

async function openRaw(file) {
  const builtin = process.getBuiltinModule('node:sqlite')
  if (builtin) return new builtin.DatabaseSync(file)
  const { default: Database } = await import('better-sqlite3')
  return new Database(file)
}

// an id of 24 hex digits that does not sort by its number, like the real ones
const idOf = (number) => (BigInt(number) * 0x9e3779b97f4a7c15n).toString(16).padStart(24, '0').slice(-24)

async function fill(file, images) {
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

/** CPU microseconds per call, the best round of each subject; rounds take turns, so that a busy machine is as unkind to one as to the other. */
async function measure(subjects, call, { calls, rounds = 9 }) {
  const best = subjects.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round <= rounds; round += 1) {
    for (const [number, subject] of subjects.entries()) {
      const start = process.cpuUsage()
      for (let index = 0; index < calls; index += 1) await call(subject, index + round * calls)
      const { user, system } = process.cpuUsage(start)
      // the first round warms up
      if (round > 0) best[number] = Math.min(best[number], (user + system) / calls)
    }
  }
  return best
}

async function lookUp({ store, images }, index) {
  const number = index % images
  const container = `container-${Math.floor(number / perContainer)}`
  const tag = `${Math.floor((number % perContainer) / 10)}.${number % 10}.0`
  const found = await store.images.findByPath({ entity: 'alice', collection: 'tools', container }, { tag, arch: 'amd64' })
  if (found === undefined) throw new Error(`lost ${container}:${tag}`)
}

const firstContainer = { entity: 'alice', collection: 'tools', container: 'container-0' }
const firstDigest = idOf(10_000_000).repeat(3).slice(0, 64)
const spread = (index) => Math.imul(index, 0x9e3779b1) >>> 0

const measurements = {
  'findByPath, random tags of all': [(subject, index) => lookUp(subject, spread(index)), { calls: 20_000 }],
  'findByPath, random tags of 20 containers': [(subject, index) => lookUp(subject, spread(index) % 20_000), { calls: 20_000 }],
  'findByPath, the tags of one container': [(subject, index) => lookUp(subject, spread(index) % perContainer), { calls: 20_000 }],
  'findByPath, one digest': [({ store }) => store.images.findByPath(firstContainer, { digest: firstDigest }), { calls: 20_000 }],
  findToken: [({ store }) => store.accounts.findToken('f'.repeat(64)), { calls: 20_000 }],
  'search, all match, page of 50': [({ store }) => store.search({ value: 'alice', visibility: 'public', archs: ['amd64'], limit: 50 }), { calls: 20 }],
  'search, one container matches': [({ store }) => store.search({ value: 'container-0', visibility: 'public', limit: 50 }), { calls: 20 }],
  'search, all match, none of the arch': [
    ({ store }) => store.search({ value: 'alice', visibility: 'public', archs: ['riscv64'], limit: 50 }),
    { calls: 1, rounds: 3 },
  ],
}

const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'sif-library-bench-'))
const subjects = []
for (const images of options.images.split(',').map(Number)) {
  const file = join(folder, `registry-${images}.db`)
  if (!existsSync(file)) await fill(file, images)
  const store = sqliteMetadata({ file })
  await store.ready()
  subjects.push({ images, store })
  console.log(`${images} images: ${Math.round(statSync(file).size / 2 ** 20)} MiB`)
}
console.log(`\nNode ${process.version}, CPU us per call${' '.repeat(14)}${subjects.map(({ images }) => String(images).padStart(12)).join('')}`)
for (const [name, [call, rounds]] of Object.entries(measurements)) {
  const times = await measure(subjects, call, rounds)
  console.log(`${name.padEnd(45)}${times.map((time) => time.toFixed(1).padStart(12)).join('')}`)
}
for (const { store } of subjects) await store.close()
if (options.keep === undefined) rmSync(folder, { recursive: true })
