import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../faults/port.js'
import { ensureBuilt } from './build.js'
import { CLI, EXPRESS_APP } from './paths.js'
import { runOk } from './run.js'
import { type ServerProcess, startProcess } from './server-process.js'

export { freePort }

/** A running registry, whoever serves it. */
export interface Registry extends ServerProcess {
  /** Base URL of the library, without a trailing slash. */
  readonly url: string
  /** Data folder; removed by `stop` when the harness made it. */
  readonly data: string
  /** Token of an administrator. */
  readonly token: string
  /** A token for a user, who is made on first sight. */
  readonly tokenOf: (user: string) => Promise<string>
  /** Makes an existing entity, collection or container private. */
  readonly makePrivate: (path: string) => Promise<void>
}

/** A running `sif-library serve`. */
export interface ServeRegistry extends Registry {
  /** Runs another command of the CLI beside the server, on its data folder and in its environment; resolves with stdout. */
  readonly operate: (args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<string>
}

export interface ServeOptions {
  /** Data folder. Default: a fresh one. */
  readonly data?: string
  readonly env?: Readonly<Record<string, string>>
  /** Port on 127.0.0.1. Default: a free one that `serve` takes itself. */
  readonly port?: number
  /** More arguments of `serve`. */
  readonly args?: readonly string[]
}

async function dataFolder(given: string | undefined): Promise<{ data: string; remove: () => Promise<void> }> {
  if (given !== undefined) return { data: given, remove: async () => {} }
  const data = await mkdtemp(join(tmpdir(), 'sif-library-e2e-'))
  return { data, remove: () => rm(data, { recursive: true, force: true }) }
}

/** Runs the built `sif-library serve` on a free port of 127.0.0.1. */
export async function startServe(options: ServeOptions = {}): Promise<ServeRegistry> {
  await ensureBuilt()
  const { data, remove } = await dataFolder(options.data)
  const env = options.env ?? {}
  const server = await startProcess({
    args: [CLI, 'serve', '--data', data, '--port', String(options.port ?? 0), ...(options.args ?? [])],
    env,
  })
  const operate: ServeRegistry['operate'] = (args, more = {}) =>
    runOk(process.execPath, { args: [CLI, ...args, '--data', data], env: { ...env, ...more } })
  const users = new Set<string>()
  return {
    ...server,
    data,
    operate,
    token: (await readFile(join(data, 'admin-token'), 'utf8')).trim(),
    tokenOf: async (user) => {
      if (!users.has(user)) await operate(['user', 'add', user, '--take-over'])
      users.add(user)
      return (await operate(['token', 'create', '--user', user])).trim()
    },
    makePrivate: async (path) => {
      await operate(['visibility', path, 'private'])
    },
    stop: async () => {
      const code = await server.stop()
      await remove()
      return code
    },
  }
}

/** `remote login --tokenfile` takes no shorter one (protocol 6.3). */
const TOKEN_LENGTH = 200

export interface ExpressOptions {
  /** Where the middleware is mounted, such as `/library`; empty for the root. */
  readonly prefix: string
  /** An `s3://` URL. Default: a filesystem in the data folder. */
  readonly storage?: string
  /** Default `auto`. */
  readonly transfer?: 'auto' | 'proxy'
  readonly env?: Readonly<Record<string, string>>
}

/** Runs the Express portal (`express-app.mjs`) on a free port of 127.0.0.1. */
export async function startExpress(options: ExpressOptions): Promise<Registry> {
  await ensureBuilt()
  const { data, remove } = await dataFolder(undefined)
  const token = 'root-token'
  const { env = {}, ...given } = options
  const settings = { ...given, data, users: { [token]: { name: 'root', admin: true } } }
  const server = await startProcess({ args: [EXPRESS_APP], env: { ...env, PORTAL: JSON.stringify(settings) } })
  const tell = async (path: string, body: object): Promise<void> => {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (response.status !== 204) throw new Error(`${path} answered ${response.status}`)
  }
  return {
    ...server,
    url: `${server.url}${options.prefix}`,
    data,
    token,
    tokenOf: async (user) => {
      const token = `token-of-${user}-`.padEnd(TOKEN_LENGTH, 'x')
      await tell('/portal/people', { token, name: user })
      return token
    },
    makePrivate: (path) => tell('/portal/private', { path }),
    stop: async () => {
      const code = await server.stop()
      await remove()
      return code
    },
  }
}
