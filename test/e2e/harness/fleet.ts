/** Several `serve` processes over the same records and bytes, behind a proxy that sends each request to another one. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../../../scripts/postgres.mjs'
import { startMinio } from '../../../scripts/s3-servers.mjs'
import { ensureBuilt } from './build.js'
import { CLI } from './paths.js'
import { type RoundRobin, startRoundRobin } from './round-robin.js'
import { runOk } from './run.js'
import { s3Credentials, storageUrl } from './s3-registry.js'
import { type ServerProcess, startProcess } from './server-process.js'

/** What instances have in common. `perInstance`: each has a data folder of its own, as on machines of their own. */
export interface Ground {
  readonly name: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly perInstance: boolean
  readonly close: () => Promise<void>
}

/** SQLite and a folder: instances of one machine. */
export async function sharedFolder(): Promise<Ground> {
  return {
    name: 'one folder with SQLite',
    args: ['--part-size', '1MiB'],
    env: {},
    perInstance: false,
    close: async () => {},
  }
}

/** PostgreSQL and MinIO: as many machines as you like. The secret lies in the database. */
export async function sharedServices(): Promise<Ground> {
  const [minio, postgres] = await Promise.all([startMinio(), startPostgres()])
  return {
    name: 'PostgreSQL and MinIO',
    args: ['--part-size', '5MiB', '--storage', storageUrl(minio), '--metadata', postgres.url],
    env: s3Credentials(minio),
    perInstance: true,
    close: async () => {
      await minio.stop()
      await postgres.stop()
    },
  }
}

export interface Fleet {
  readonly url: string
  readonly proxy: RoundRobin
  /** Of an administrator. */
  readonly token: string
  /** Runs a command of the CLI on the registry. */
  readonly operate: (args: readonly string[]) => Promise<string>
  /** SIGTERM, wait, start again, wait until it listens; one after the other. */
  readonly rollingRestart: () => Promise<void>
  readonly close: () => Promise<void>
}

const settingsOnly = (args: readonly string[]): readonly string[] =>
  args.filter((_, index) =>
    ['--storage', '--metadata'].some((name) => args[index] === name || args[index - 1] === name),
  )

/** Starts all instances at the same moment, on nothing: the schema, the bucket, the secret and the admin are made once. */
export async function startFleet(ground: Ground, count: number): Promise<Fleet> {
  await ensureBuilt()
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-fleet-'))
  const proxy = await startRoundRobin()
  const dataOf = (index: number): string => join(folder, ground.perInstance ? `data-${index}` : 'data')
  const start = (index: number): Promise<ServerProcess> =>
    startProcess({
      args: [
        CLI,
        'serve',
        '--data',
        dataOf(index),
        '--port',
        '0',
        '--public-url',
        proxy.url,
        '--log-level',
        'warn',
        ...ground.args,
      ],
      env: ground.env,
    })
  const instances = await Promise.all(Array.from({ length: count }, (_, index) => start(index)))
  proxy.targets = instances.map(({ url }) => url)
  const tokens = await Promise.all(
    instances.map((_, index) => readFile(join(dataOf(index), 'admin-token'), 'utf8').catch(() => '')),
  )
  const token = tokens.find((text) => text !== '')?.trim()
  if (token === undefined) throw new Error('no instance made the admin')
  return {
    url: proxy.url,
    proxy,
    token,
    operate: (args) =>
      runOk(process.execPath, {
        args: [CLI, ...args, '--data', dataOf(0), ...settingsOnly(ground.args)],
        env: ground.env,
      }),
    rollingRestart: async () => {
      for (const [index, instance] of instances.entries()) {
        const code = await instance.stop()
        if (code !== 0) throw new Error(`instance ${index} ended with ${code}: ${instance.logs()}`)
        const fresh = await start(index)
        instances[index] = fresh
        proxy.targets = instances.map(({ url }) => url)
      }
    },
    close: async () => {
      await Promise.all(instances.map((instance) => instance.kill()))
      await proxy.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
