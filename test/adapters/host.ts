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
  /** Requests that the rate limiter of the company lets through. Default: more than a suite sends. */
  readonly requestLimit?: number
}

export const MANY_REQUESTS = 100_000

/** What the middlewares of the company do that a test can see. Absent: the host has no such middlewares. */
export interface Company {
  /** A header of each middleware that marks every answer. */
  readonly headers: readonly string[]
  /** How often the session of this request was seen, counted by the host: read from what hooks get as `request.native`. */
  viewsOf(native: unknown): unknown
}

export const companyHeaders: readonly string[] = [
  'x-portal',
  'x-frame-options',
  'access-control-allow-origin',
  'set-cookie',
  'x-ratelimit-limit',
]

export interface RunningHost {
  readonly origin: string
  /** `METHOD path status` of every answer that the host's own hooks saw; filled with company only. */
  readonly log: readonly string[]
  /** Ends the server and its connections. */
  close(): Promise<void>
}

/**
 * Every host has: `POST /portal/echo` (what its own JSON parser made of the body), `GET /portal/boom` (its error page: 500 and `host error page`), and for everything else its 404
 * page, `describeUnknown`. With company every answer carries `x-portal: yes`, and the files of `docs` are served.
 */
export interface Host {
  readonly name: string
  /** Content types that a body parser of the company reads before the registry is reached. */
  readonly parses: readonly string[]
  readonly company?: Company
  /** Drops the cookies of an answer where a middleware has set one before it. */
  readonly dropsCookies?: true
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
