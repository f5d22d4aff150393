/** A registry in one of the hosts of `host-app.mjs`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureBuilt } from './build.js'
import { CLI, HOST_APP } from './paths.js'
import { runOk } from './run.js'
import type { Runtime } from './runtimes.js'
import type { Registry } from './server.js'
import { startProcess } from './server-process.js'

export const NODE_HOSTS = [
  'node:http',
  'connect 3',
  'Express 4',
  'Express 5',
  'Koa 2',
  'Koa 3',
  'Fastify 4',
  'Fastify 5',
  'Hono',
  'Fetch',
] as const

/** The hosts that take TLS_CERTIFICATE and TLS_KEY in `env`. */
export const HTTP2_HOSTS = [
  'node:http2',
  'connect 3 over HTTP/2',
  'Koa 3 over HTTP/2',
  'Fastify 5 over HTTP/2',
] as const

/** Starts the host on a free port of 127.0.0.1, the registry at its root. Users, tokens and visibility are the business of the CLI, beside it. */
export async function startHost(
  host: (typeof NODE_HOSTS)[number] | (typeof HTTP2_HOSTS)[number] | Runtime,
  env: Readonly<Record<string, string>> = {},
): Promise<Registry> {
  await ensureBuilt()
  const data = await mkdtemp(join(tmpdir(), 'sif-library-host-'))
  const script = (name: string): readonly string[] => [HOST_APP, name, data]
  const server = await startProcess(
    typeof host === 'string'
      ? { args: script(host), env }
      : { program: host.program, args: [...host.args, ...script(host.name)] },
  )
  const operate = (...args: readonly string[]): Promise<string> =>
    runOk(process.execPath, { args: [CLI, ...args, '--data', data] })
  const users = new Set<string>()
  const tokenOf = async (user: string, ...options: readonly string[]): Promise<string> => {
    if (!users.has(user)) await operate('user', 'add', user, '--take-over', ...options)
    users.add(user)
    return (await operate('token', 'create', '--user', user)).trim()
  }
  return {
    ...server,
    data,
    token: await tokenOf('admin', '--admin'),
    tokenOf: (user) => tokenOf(user),
    makePrivate: async (path) => {
      await operate('visibility', path, 'private')
    },
    stop: async () => {
      const code = await server.stop()
      await rm(data, { recursive: true, force: true })
      return code
    },
  }
}
