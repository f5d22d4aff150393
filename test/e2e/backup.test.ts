/** The backup of docs/operations.md, beside a server at work: the records first, then the bytes; and what is there after a restore. */
import { cp, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { findPrograms } from '../../scripts/postgres.mjs'
import { makeRegistryClient, type PushKind, type RegistryClient } from '../faults/client.js'
import { makeHttpClient } from '../faults/http.js'
import { makeImages } from '../faults/images.js'
import { sweepAndAudit } from '../faults/settle.js'
import { filesystemStack } from '../faults/stack-filesystem.js'
import { backUpSqliteFile, openSqliteFile } from '../support/sqlite-file.js'
import { describeWhen } from './harness/availability.js'
import { ensureBuilt } from './harness/build.js'
import { CLI, PACKAGE as root } from './harness/paths.js'
import { run, runOk } from './harness/run.js'
import { type ServerProcess, startProcess } from './harness/server-process.js'

type Stack = Awaited<ReturnType<typeof filesystemStack>>
type CopyRecords = (from: Stack, to: Stack) => Promise<void>

const images = makeImages(900_000)
const sizeOf = (number: number): number => 60_000 + (number % 5) * 200_000
const kindOf = (number: number): PushKind => (['single', 'multipart', 'direct'] as const)[number % 3] ?? 'single'

async function serve(
  stack: Stack,
): Promise<{ readonly server: ServerProcess; readonly client: RegistryClient; readonly close: () => Promise<void> }> {
  const server = await startProcess({
    args: [CLI, 'serve', '--data', stack.data, '--port', '0', '--log-level', 'warn', ...stack.serveArgs],
  })
  const http = makeHttpClient()
  const token = (await readFile(join(stack.data, 'admin-token'), 'utf8')).trim()
  const close = async (): Promise<void> => {
    http.close()
    await server.stop()
  }
  return { server, client: makeRegistryClient({ url: server.url, token, http }), close }
}

const push = (client: RegistryClient, number: number): Promise<void> =>
  client.push({
    path: 'admin/kept/tool',
    tag: `t${number}`,
    kind: kindOf(number),
    image: images(number, sizeOf(number)),
  })

const isWhole = async (client: RegistryClient, number: number): Promise<boolean> =>
  (await client.pull(`admin/kept/tool:t${number}`))?.equals(images(number, sizeOf(number)).bytes) === true

/** A sidecar that is replaced while it is copied vanishes: then again, as rsync users do. */
async function copyBytes(from: string, to: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await cp(from, to, { recursive: true })
    } catch (error) {
      if (tries === 20 || !(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
}

/** Backs up beside four pushing clients, restores elsewhere, and checks. */
async function backUpAndRestore(records: 'sqlite' | 'postgres', copyRecords: CopyRecords): Promise<void> {
  await ensureBuilt()
  const stacks = [await filesystemStack({ root, records }), await filesystemStack({ root, records })] as const
  const [from, to] = stacks
  const running: { close: () => Promise<void> }[] = []
  try {
    const source = await serve(from)
    running.push(source)
    const done: number[] = []
    let next = 0
    let stopped = false
    const work = async (): Promise<void> => {
      while (!stopped) {
        const number = ++next
        await push(source.client, number)
        done.push(number)
      }
    }
    const workers = Promise.all([work(), work(), work(), work()])
    while (done.length < 12) await Promise.race([workers, new Promise((resolve) => setTimeout(resolve, 20))])

    const before = [...done]
    const deletedBefore = before[0] ?? 0
    await source.client.remove(`admin/kept/tool:t${deletedBefore}`)
    await copyRecords(from, to)
    const begunBefore = next
    const lost = next + 8
    while (done.length < lost) await Promise.race([workers, new Promise((resolve) => setTimeout(resolve, 20))])
    // gone from the records after they were copied, with a sweep beside the copy: the grace time keeps the bytes
    const deletedBetween = before[1] ?? 0
    await source.client.remove(`admin/kept/tool:t${deletedBetween}`)
    const pushedBetween = done.filter((number) => number > begunBefore)
    await runOk(process.execPath, {
      args: [CLI, 'sweep', '--grace', '1h', '--data', from.data, ...from.records.serveArgs],
    })
    await copyBytes(join(from.data, 'blobs/keys'), join(to.data, 'blobs/keys'))
    await cp(join(from.data, 'admin-token'), join(to.data, 'admin-token'))
    // over PostgreSQL the secret lies in the records
    if (records === 'sqlite') await cp(join(from.data, 'secret'), join(to.data, 'secret'))
    stopped = true
    await workers

    // what was pushed after the records were copied is in the bytes, with its sidecar: the sweep above had all of them written
    const reindexed = await runOk(process.execPath, {
      args: [CLI, 'reindex', '--json', '--data', to.data, ...to.records.serveArgs],
    })
    expect(JSON.parse(reindexed).images).toBeGreaterThanOrEqual(pushedBetween.length)

    const restored = await serve(to)
    running.push(restored)
    for (const number of before.slice(1)) expect(await isWhole(restored.client, number)).toBe(true)
    expect(await restored.client.look(`admin/kept/tool:t${deletedBefore}`)).toBe('absent')
    for (const number of pushedBetween) expect(await isWhole(restored.client, number)).toBe(true)
    // pushed after the bytes were copied: there or not, and pushed again without ado
    for (const number of done) if (number !== deletedBefore) await push(restored.client, number)
    for (const number of done) if (number !== deletedBefore) expect(await isWhole(restored.client, number)).toBe(true)
    const verified = await run(process.execPath, {
      args: [CLI, 'verify', '--all', '--data', to.data, ...to.records.serveArgs],
    })
    expect(verified).toMatchObject({ code: 0 })
    const violations: string[] = []
    await sweepAndAudit(root, { stack: to, violation: (text) => violations.push(text), verify: false, restored: true })
    expect(violations).toEqual([])
  } finally {
    for (const { close } of running) await close()
    for (const stack of stacks) await stack.close()
  }
}

it.each<[string, (file: string, copy: string) => Promise<void>]>([
  [
    'VACUUM INTO',
    async (file, copy) => {
      const database = await openSqliteFile(file)
      database.prepare('VACUUM INTO ?')([copy])
      database.close()
    },
  ],
  ['the online backup (.backup)', backUpSqliteFile],
])('SQLite, by %s', async (_, copy) => {
  await backUpAndRestore('sqlite', (from, to) => copy(join(from.data, 'registry.db'), join(to.data, 'registry.db')))
})

const programs = findPrograms()

describeWhen(
  programs === undefined && process.getuid?.() !== 0 ? 'PostgreSQL is not installed' : undefined,
  'backup of PostgreSQL',
)('PostgreSQL', () => {
  it('by pg_dump and pg_restore', async () => {
    await backUpAndRestore('postgres', async (from, to) => {
      const folder = findPrograms() ?? dirname('pg_dump')
      const file = join(to.data, 'records.dump')
      await runOk(join(folder, 'pg_dump'), { args: ['--format=custom', `--file=${file}`, from.records.url ?? ''] })
      await runOk(join(folder, 'pg_restore'), { args: ['--no-owner', `--dbname=${to.records.url}`, file] })
    })
  })
})
