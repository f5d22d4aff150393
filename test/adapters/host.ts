/** What a host under test is: a server with pages of its own and the registry beside them. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Library } from '../../src/core/index.js'

export interface HostOptions {
  readonly library: Pick<Library, 'handle'>
  /** Where the registry is mounted; empty for the root. */
  readonly prefix: string
  /** With what such a host usually has in front: body parser, compression, CORS, cookies, session, logger, rate limiter, helmet, static files. */
  readonly company: boolean
}

export interface RunningHost {
  readonly origin: string
  /** `METHOD path status` of every answer that the host's own hooks saw; filled with company only. */
  readonly log: readonly string[]
  /** Ends the server and its connections. */
  close(): Promise<void>
}

/**
 * Every host has: `POST /portal/echo` (what its own JSON parser made of the body), `GET /portal/boom` (its error page: 500 and `host error page`), and for everything else its 404
 * page, `describeUnknown`. With company every answer carries `x-portal: yes`.
 */
export interface Host {
  readonly name: string
  /** Whether `company` holds a body parser that reads JSON before the registry is reached. */
  readonly parses: boolean
  /** Its server closes the connection of an upload that was answered early, instead of reading the rest away. */
  readonly cutsRefused?: boolean
  start(options: HostOptions): Promise<RunningHost>
}

export const ERROR_PAGE = 'host error page'

/** The 404 page of the hosts: shows that the request came untouched. */
export function describeUnknown(method: string, url: string, body: Uint8Array): string {
  return `host 404 ${method} ${url} ${createHash('sha256').update(body).digest('hex')}`
}

export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(server: Server, log: readonly string[] = []): Promise<RunningHost> {
  if (!server.listening) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    close: async () => {
      server.close()
      server.closeAllConnections()
      if (server.listening) await once(server, 'close')
    },
  }
}
