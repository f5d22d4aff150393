/** What `sweep` costs, with its storage on a file system: it walks over all blobs and asks for the record of each. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cpuOfEnded } from './lib/process.mjs'
import { median } from './lib/report.mjs'
import { cli } from './lib/serve.mjs'
import { addUnreferenced, fillStore, imageAt } from './metadata-fill.mjs'

/** Written past the storage backend, a few bytes each: what they hold is not read. */
function writeBlobs(data, keys) {
  for (const key of keys) {
    const path = join(data, 'blobs/keys', key)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'blob')
  }
}

const keysOf = (shape, count) => Array.from({ length: count }, (_, number) => imageAt(Math.floor((number * shape.images) / count), shape).key)

/** Runs the command; resolves to the CPU of it and of the database, and the time, in seconds. Fails where it finds another number of blobs than `blobs`, or anything else. */
async function runSweep(database, { url, data, dryRun, blobs = 0 }) {
  const before = cpuOfEnded() + database.cpu()
  const begun = performance.now()
  const args = [cli, 'sweep', '--data', data, '--grace', '1s', '--json', ...(dryRun ? ['--dry-run'] : [])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, SIF_LIBRARY_METADATA: url } })
  const chunks = []
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  const code = await new Promise((resolve) => child.once('close', resolve))
  const seconds = (performance.now() - begun) / 1000
  const { items, ...result } = code === 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {}
  if (result.blobs !== blobs || result.orphans !== 0) throw new Error(`sweep ended with ${code}, ${JSON.stringify(result)}, not with ${blobs} blobs`)
  return { cpu: cpuOfEnded() + database.cpu() - before, seconds }
}

/** One round over a store: nothing to do, then files that all have their record, then blobs that no image refers to. */
async function sweepRound(database, { url, empty, full, files, unreferenced, round }) {
  const nothing = await runSweep(database, { url, data: empty, dryRun: true })
  const known = await runSweep(database, { url, data: full, dryRun: true })
  const unreferencedAt = Date.now() - 86_400_000
  writeBlobs(empty, await addUnreferenced(url, { first: round * unreferenced, count: unreferenced, unreferencedAt }))
  const listed = await runSweep(database, { url, data: empty, dryRun: true, blobs: unreferenced })
  const removed = await runSweep(database, { url, data: empty, dryRun: false, blobs: unreferenced })
  return {
    perFile: (known.cpu - nothing.cpu) / files,
    perListed: (listed.cpu - nothing.cpu) / unreferenced,
    perRemoved: (removed.cpu - nothing.cpu) / unreferenced,
    seconds: known.seconds,
  }
}

function prepare(home, { label, store, files, unreferenced }) {
  const [empty, full] = ['empty', 'full'].map((name) => join(home, `sweep-${label}-${name}`))
  writeBlobs(full, keysOf(store.shape, files))
  mkdirSync(empty)
  return { url: store.url, empty, full, files, unreferenced }
}

/** The big store against one of a tenth of its files and of 100 images to a container. */
export async function sweepRows(database, { home, big, files, rounds }) {
  const tenth = files / 10
  const lesser = { url: await database.create('lesser'), shape: { images: tenth, containers: Math.ceil(tenth / 100) } }
  await fillStore(lesser.url, lesser.shape)
  const subjects = [
    prepare(home, { label: 'lesser', store: lesser, files: tenth, unreferenced: tenth / 5 }),
    prepare(home, { label: 'big', store: big, files, unreferenced: files / 5 }),
  ]
  const samples = subjects.map(() => [])
  for (let round = 0; round < rounds; round += 1)
    for (const [number, subject] of subjects.entries()) samples[number].push(await sweepRound(database, { ...subject, round }))
  const number = (count) => count.toLocaleString('en')
  const row = (what, member) => ({
    what: `${database.name}: ${what}`,
    value: median(samples[1].map((sample) => sample[member])) * 1e6,
    unit: 'µs CPU',
    ratio: median(samples[1].map((sample, round) => sample[member] / samples[0][round][member])),
    to: `a tenth, ${number(tenth)} images`,
  })
  return [
    row(`sweep --dry-run, per file of ${number(files)} that have a record`, 'perFile'),
    { what: `${database.name}: the same, all of it`, value: median(samples[1].map(({ seconds }) => seconds)), unit: 's' },
    row(`sweep --dry-run, per blob of ${number(files / 5)} that no image refers to`, 'perListed'),
    row('sweep, per blob of these that it deletes', 'perRemoved'),
  ]
}
