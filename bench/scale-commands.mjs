/** What the operator's commands cost: `sweep`, which walks over all blobs of a file system and asks for the record of each, and `verify` with nothing to prove. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cpuOfEnded } from './lib/process.mjs'
import { median } from './lib/report.mjs'
import { cli } from './lib/serve.mjs'
import { addUnreferenced, fillStore, imageAt, markOf } from './metadata-fill.mjs'

/** Written past the storage backend, a few bytes each: what they hold is not read. */
function writeBlobs(data, keys) {
  for (const key of keys) {
    const path = join(data, 'blobs/keys', key)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'blob')
  }
}

const keysOf = (shape, count) =>
  Array.from({ length: count }, (_, number) => imageAt(Math.floor((number * shape.images) / count), shape).key)

/** Runs a command; resolves to the CPU of it and of the database, the time, in seconds, and what it printed. */
async function runCommand(database, { url, data, args }) {
  const before = cpuOfEnded() + database.cpu()
  const begun = performance.now()
  const env = { ...process.env, SIF_LIBRARY_METADATA: url }
  const child = spawn(process.execPath, [cli, ...args, '--data', data, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  })
  const chunks = []
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`)
  const seconds = (performance.now() - begun) / 1000
  return { cpu: cpuOfEnded() + database.cpu() - before, seconds, printed: Buffer.concat(chunks).toString() }
}

/** Fails where the sweep finds another number of blobs than `blobs`, or anything else. */
async function runSweep(database, { url, data, dryRun, blobs = 0 }) {
  const ended = await runCommand(database, {
    url,
    data,
    args: ['sweep', '--grace', '1s', ...(dryRun ? ['--dry-run'] : [])],
  })
  const { items, ...result } = JSON.parse(ended.printed)
  if (result.blobs !== blobs || result.orphans !== 0)
    throw new Error(`the sweep found ${JSON.stringify(result)}, not ${blobs} blobs`)
  return ended
}

/** One round over a store: nothing to do for sweep and verify, then files that all have their record, then blobs that no image refers to. */
async function runRound(database, { url, empty, full, files, unreferenced, round }) {
  const nothing = await runSweep(database, { url, data: empty, dryRun: true })
  const known = await runSweep(database, { url, data: full, dryRun: true })
  const verified = await runCommand(database, { url, data: empty, args: ['verify'] })
  const unreferencedAt = Date.now() - 86_400_000
  writeBlobs(empty, await addUnreferenced(url, { first: round * unreferenced, count: unreferenced, unreferencedAt }))
  const listed = await runSweep(database, { url, data: empty, dryRun: true, blobs: unreferenced })
  const removed = await runSweep(database, { url, data: empty, dryRun: false, blobs: unreferenced })
  return {
    perFile: (known.cpu - nothing.cpu) / files,
    perListed: (listed.cpu - nothing.cpu) / unreferenced,
    perRemoved: (removed.cpu - nothing.cpu) / unreferenced,
    seconds: known.seconds,
    verify: verified.cpu,
  }
}

async function prepare(home, { label, store, files, unreferenced }) {
  const [empty, full] = ['empty', 'full'].map((name) => join(home, `sweep-${label}-${name}`))
  writeBlobs(full, keysOf(store.shape, files))
  // both are the storage of this registry, which would refuse any other
  const mark = await markOf(store.url)
  for (const data of [empty, full]) {
    mkdirSync(join(data, 'blobs/keys/records'), { recursive: true })
    writeFileSync(join(data, 'blobs/keys/records/storage-mark'), `${mark}\n`)
  }
  return { url: store.url, empty, full, files, unreferenced }
}

/** The big store against one of a tenth of its files and of 100 images to a container. */
export async function commandRows(database, { home, big, files, rounds }) {
  const tenth = files / 10
  const lesser = { url: await database.create('lesser'), shape: { images: tenth, containers: Math.ceil(tenth / 100) } }
  await fillStore(lesser.url, lesser.shape)
  const subjects = [
    await prepare(home, { label: 'lesser', store: lesser, files: tenth, unreferenced: tenth / 5 }),
    await prepare(home, { label: 'big', store: big, files, unreferenced: files / 5 }),
  ]
  const samples = subjects.map(() => [])
  for (let round = 0; round < rounds; round += 1)
    for (const [number, subject] of subjects.entries())
      samples[number].push(await runRound(database, { ...subject, round }))
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
    {
      what: `${database.name}: the same, all of it`,
      value: median(samples[1].map(({ seconds }) => seconds)),
      unit: 's',
    },
    row(`sweep --dry-run, per blob of ${number(files / 5)} that no image refers to`, 'perListed'),
    row('sweep, per blob of these that it deletes', 'perRemoved'),
    row('verify with nothing to prove, start of the program included', 'verify'),
  ]
}
