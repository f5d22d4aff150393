/**
 * What the hot paths of the SQLite store cost, and that they do not grow with the registry.
 *
 *   npm run build && node bench/metadata-lookup.mjs [--images 1000,1000000] [--module FILE] [--keep DIR]
 *
 * Fills a database with images (one tag each, 1000 to a container), then looks up random tags, and the tags of one container, and searches.
 * `--module`: another build of sif-library/metadata/sqlite. `--keep`: folder whose databases are filled once and used again.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fillDatabase, idOf, imageAt, perContainer } from './metadata-fill.mjs'

const { values: options } = parseArgs({
  options: {
    images: { type: 'string', default: '1000,1000000' },
    module: { type: 'string', default: 'sif-library/metadata/sqlite' },
    keep: { type: 'string' },
  },
})
const { sqliteMetadata } = await import(options.module)
const tokenHash = 'f'.repeat(64)

/** The token that is looked up; a folder that was kept has it. */
async function createToken({ accounts }) {
  if ((await accounts.findUser('alice')) !== undefined) return
  const createdAt = Date.now()
  await accounts.createUser({ id: idOf(3), name: 'alice', admin: false, groups: ['lab'], createdAt })
  await accounts.createToken({
    id: idOf(4),
    userId: idOf(3),
    label: '',
    hash: tokenHash,
    scopes: [],
    createdAt,
    expiresAt: null,
    lastUsedAt: null,
  })
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
  const { container, tag } = imageAt(index % images, { images, containers: Math.ceil(images / perContainer) })
  const found = await store.images.findByPath(
    { entity: 'alice', collection: 'tools', container: `container-${container}` },
    { tag, arch: 'amd64' },
  )
  if (found === undefined) throw new Error(`lost container-${container}:${tag}`)
}

const firstContainer = { entity: 'alice', collection: 'tools', container: 'container-0' }
const firstDigest = imageAt(0, { images: 1, containers: 1 }).digest
const spread = (index) => Math.imul(index, 0x9e3779b1) >>> 0

const measurements = {
  'findByPath, random tags of all': [(subject, index) => lookUp(subject, spread(index)), { calls: 20_000 }],
  'findByPath, random tags of 20 containers': [
    (subject, index) => lookUp(subject, spread(index) % 20_000),
    { calls: 20_000 },
  ],
  'findByPath, the tags of one container': [
    (subject, index) => lookUp(subject, spread(index) % perContainer),
    { calls: 20_000 },
  ],
  'findByPath, one digest': [
    ({ store }) => store.images.findByPath(firstContainer, { digest: firstDigest }),
    { calls: 20_000 },
  ],
  findToken: [({ store }) => store.accounts.findToken(tokenHash), { calls: 20_000 }],
  'search, all match, page of 50': [
    ({ store }) => store.search({ value: 'alice', visibility: 'public', archs: ['amd64'], limit: 50 }),
    { calls: 20 },
  ],
  'search, one container matches': [
    ({ store }) => store.search({ value: 'container-0', visibility: 'public', limit: 50 }),
    { calls: 20 },
  ],
  'search, all match, none of the arch': [
    ({ store }) => store.search({ value: 'alice', visibility: 'public', archs: ['riscv64'], limit: 50 }),
    { calls: 1, rounds: 3 },
  ],
}

const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'sif-library-bench-'))
const subjects = []
for (const images of options.images.split(',').map(Number)) {
  const file = join(folder, `registry-${images}.db`)
  await fillDatabase(file, images)
  const store = sqliteMetadata({ file })
  await store.ready()
  await createToken(store)
  subjects.push({ images, store })
  console.log(`${images} images: ${Math.round(statSync(file).size / 2 ** 20)} MiB`)
}
console.log(
  `\nNode ${process.version}, CPU us per call${' '.repeat(14)}${subjects.map(({ images }) => String(images).padStart(12)).join('')}`,
)
for (const [name, [call, rounds]] of Object.entries(measurements)) {
  const times = await measure(subjects, call, rounds)
  console.log(`${name.padEnd(45)}${times.map((time) => time.toFixed(1).padStart(12)).join('')}`)
}
for (const { store } of subjects) await store.close()
if (options.keep === undefined) rmSync(folder, { recursive: true })
