import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Command, CommandContext } from '../command.js'
import { dataFolder, readServerRecord } from '../data-folder.js'
import { WorkError } from '../failure.js'
import type { Settings } from '../options/table.js'
import { localUrl, socketOf } from '../serve/addresses.js'

export const health: Command = {
  name: 'health',
  summary: 'ask the server on this machine whether it is ready, for health checks of containers; exit code 0 or 1',
  options: ['host', 'port', 'listen', 'tlsCert'],
  run: askHealth,
}

const timeout = 4000

/**
 * Where `serve` said that it listens; without a writable data folder it said nothing, and the
 * options of `serve` tell.
 */
async function whereItListens(settings: Settings): Promise<{ readonly url: string; readonly tls: boolean }> {
  const scheme = settings.tlsCert === undefined ? 'http' : 'https'
  const { host, port, listen } = settings
  const record = await readServerRecord(dataFolder(settings))
  const url = record?.url ?? localUrl({ scheme, host, port, ...(listen !== undefined && { socket: listen }) })
  return { url, tls: socketOf(url) === undefined ? url.startsWith('https:') : scheme === 'https' }
}

/** Resolves with the status. */
function ask(url: string, tls: boolean): Promise<number> {
  const socketPath = socketOf(url)
  const target = socketPath === undefined ? new URL('/readyz', url) : { socketPath, path: '/readyz' }
  return new Promise((resolve, reject) => {
    const send = tls ? httpsRequest : httpRequest
    // it is asked whether it lives, on this machine: its certificate is for the name that clients
    // use
    const options = { agent: false as const, timeout, ...(tls && { rejectUnauthorized: false }) }
    const answered = (response: { readonly statusCode?: number; resume: () => unknown }): void => {
      response.resume()
      resolve(response.statusCode ?? 0)
    }
    const request = target instanceof URL ? send(target, options, answered) : send({ ...target, ...options }, answered)
    request.once('timeout', () => request.destroy(new Error(`no answer within ${timeout / 1000} s`)))
    request.once('error', reject)
    request.end()
  })
}

async function askHealth({ settings, terminal }: CommandContext): Promise<number> {
  const { url, tls } = await whereItListens(settings)
  try {
    const status = await ask(url, tls)
    terminal.out(
      status === 200 ? `${url} is ready` : `${url} is not ready: status ${status}; the log of serve says why`,
    )
    return status === 200 ? 0 : 1
  } catch (error) {
    throw new WorkError(`${url} does not answer: ${(error as Error).message}`)
  }
}
