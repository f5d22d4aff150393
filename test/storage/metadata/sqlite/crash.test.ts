import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { build } from 'tsup'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sqliteMetadata } from '../../../../src/storage/metadata/sqlite/index.js'
import { loadBetterSqlite, loadNodeSqlite } from '../../../../src/storage/metadata/sqlite/library.js'

let folder: string
let script: string

/** Pushes images without end, and tells of each once its last method has resolved. */
const writer = `
const [moduleUrl, file] = process.argv.slice(2)
const { sqliteMetadata } = await import(moduleUrl)
const store = sqliteMetadata({ file })
await store.ready()
const prefix = process.pid.toString(16).padStart(8, '0')
let count = 0
const id = () => prefix + (++count).toString(16).padStart(16, '0')
const common = { description: '', owner: null, now: 1 }
const { record: entity } = await store.entities.createIfAbsent({ ...common, id: id(), name: 'alice', defaultPrivate: false })
const { record: collection } = await store.collections.createIfAbsent({ ...common, id: id(), entityId: entity.id, name: 'tools', private: false })
const { record: container } = await store.containers.createIfAbsent({ ...common, id: id(), collectionId: collection.id, name: 'bwa', private: false })
for (;;) {
  const { record: image } = await store.images.createIfAbsent({ ...common, id: id(), containerId: container.id, digest: id().padStart(64, '0') })
  const upload = await store.uploads.create({
    id: id(), kind: 'single', imageId: image.id, containerId: container.id, entityId: entity.id, principal: null, key: image.digest, size: 10,
    digest: image.digest, partSize: 10, totalParts: 1, backendUploadId: null, createdAt: 1, expiresAt: 2, defaultQuotaBytes: 0 })
  await store.uploads.move(upload.id, 'open', 'completing', 1)
  const blob = { key: upload.key, size: 10, arch: 'amd64', signed: null, encrypted: null, fingerprints: [] }
  await store.images.publish({ imageId: image.id, uploadId: upload.id, blob, state: 'published', now: 1 })
  await store.tags.set({ containerId: container.id, arch: 'amd64', tag: 't' + (count % 20), imageId: image.id, now: 1 })
  process.stdout.write(image.id + '\\n')
}
`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-crash-'))
  script = join(folder, 'writer.mjs')
  await writeFile(script, writer)
  const silent = {
    dts: false,
    silent: true,
    config: false,
    clean: false,
    splitting: false,
    removeNodeProtocol: false,
  } as const
  // inside the repository, so that the bundle finds the packages it leaves outside
  await build({
    ...silent,
    entry: { 'sqlite-under-test': 'src/storage/metadata/sqlite/index.ts' },
    format: ['esm'],
    outDir: 'node_modules/.cache/sif-library',
    target: 'node20',
  })
})
afterAll(() => rm(folder, { recursive: true }))

const moduleUrl = pathToFileURL('node_modules/.cache/sif-library/sqlite-under-test.js').href

function start(file: string): { child: ChildProcess; done: string[]; hasDone(count: number): Promise<void> } {
  const child = spawn(process.execPath, [script, moduleUrl, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const done: string[] = []
  const waiting: (() => void)[] = []
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  lines.on('line', (line) => {
    done.push(line)
    for (const check of waiting) check()
  })
  const hasDone = (count: number) =>
    new Promise<void>((resolve, reject) => {
      waiting.push(() => done.length >= count && resolve())
      child.once('exit', (code) => reject(new Error(`the writer ended with ${code}`)))
    })
  return { child, done, hasDone }
}

test('processes killed while they write leave a whole file, with everything they told of', async () => {
  const file = join(folder, 'registry.db')
  const told: string[] = []
  for (let round = 1; round <= 4; round += 1) {
    // two at a time, so that the death of one is seen by a running one as well
    const writers = [start(file), start(file)]
    const killed = Promise.all(writers.map(({ child }) => once(child, 'close')))
    await Promise.all(writers.map(({ hasDone }) => hasDone(10 * round))).finally(() => {
      for (const { child } of writers) child.kill('SIGKILL')
    })
    await killed
    told.push(...writers.flatMap(({ done }) => done))
  }

  const store = sqliteMetadata({ file })
  await store.ready()
  for (const id of told) expect((await store.images.find(id))?.image.state).toBe('published')
  const images = await store.images.list({ limit: 100_000 })
  const [entity] = await store.entities.list({ limit: 1 })
  expect(entity?.usedBytes).toBe(images.reduce((sum, { image }) => sum + image.size, 0))
  // the uploads that the killed ones had under way hold their reservation until they are swept
  const stale = await store.uploads.findStale({ now: 10, stuckSince: 10, limit: 1000 })
  expect(stale.length).toBeLessThanOrEqual(8)
  for (const { id, state } of stale) expect(await store.uploads.move(id, state, 'expired', 20)).toBe(true)
  expect((await store.entities.findByName('alice'))?.reservedBytes).toBe(0)
  await store.close()

  const connection = (loadNodeSqlite() ?? (await loadBetterSqlite()))(file)
  expect(connection.prepare('PRAGMA integrity_check')([])).toEqual([expect.objectContaining({ integrity_check: 'ok' })])
  expect(connection.prepare('PRAGMA foreign_key_check')([])).toEqual([])
  // throws when the index of the search differs from its documents
  connection.exec(`INSERT INTO search_images_index (search_images_index, rank) VALUES ('integrity-check', 1)`)
  const documents = connection.prepare('SELECT count(*) AS count FROM search_images')([])[0]?.count
  expect(documents).toBe(images.filter(({ image }) => image.state === 'published').length)
  connection.close()
})
