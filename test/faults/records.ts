/** Where the records of a run lie, and what can be broken there. */
import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { MetadataStore } from '../../src/storage/metadata/contract.js'
import { loadPostgres, loadPostgresServer, loadSqlite } from './package.js'
import type { StoreFault } from './stack.js'

const run = promisify(execFile)

export interface Records {
  readonly name: string
  /** Of PostgreSQL. */
  readonly url?: string
  readonly serveArgs: readonly string[]
  readonly open: () => Promise<MetadataStore>
  readonly faults: Readonly<Record<string, StoreFault>>
  readonly close: () => Promise<void>
}

export async function sqliteRecords(root: string, data: string): Promise<Records> {
  await mkdir(data, { recursive: true })
  const { sqliteMetadata } = await loadSqlite(root)
  return {
    name: 'SQLite',
    serveArgs: [],
    open: async () => sqliteMetadata({ file: join(data, 'registry.db') }),
    faults: {},
    close: async () => {},
  }
}

/** The processes that serve connections do the work: all of them are stopped. */
async function signalAll(pid: number, signal: 'STOP' | 'CONT'): Promise<void> {
  const { stdout } = await run('pgrep', ['-P', String(pid)]).catch(() => ({ stdout: '' }))
  const pids = [String(pid), ...stdout.split('\n').filter((line) => line !== '')]
  await run('kill', [`-${signal}`, ...pids]).catch(() => {})
}

export async function postgresRecords(root: string): Promise<Records> {
  const { postgresMetadata } = await loadPostgres(root)
  const server = await (await loadPostgresServer(root)).startPostgres()
  return {
    name: 'PostgreSQL',
    url: server.url,
    serveArgs: ['--metadata', server.url],
    open: async () => postgresMetadata({ url: server.url }),
    faults: {
      'records-kill': async (random) => {
        await server.end('SIGQUIT')
        await wait(random.between(0, 1500))
        await server.start()
      },
      'records-pause': async (random) => {
        const pid = server.pid()
        if (pid === undefined) throw new Error('PostgreSQL does not run')
        await signalAll(pid, 'STOP')
        await wait(random.between(200, 2500))
        await signalAll(pid, 'CONT')
      },
    },
    close: () => server.stop(),
  }
}
