/** The HTTP server around the registry: TLS, limits, draining. */
import { readFile } from 'node:fs/promises'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { Library, Logger } from 'sif-library'
import { libraryListener } from 'sif-library/node'
import { systemCode, systemReason, UsageError, WorkError } from '../failure.js'
import type { Settings } from '../options/table.js'
import { defaultMaxConnections, limitConnections } from './connections.js'
import { listenOnSocket } from './unix-socket.js'

function answer(res: ServerResponse, status: number, message: string, headers: Record<string, string> = {}): void {
  const body = JSON.stringify({ error: { code: status, message } })
  res
    .writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      ...headers,
    })
    .end(body)
}

const isHealthCheck = ({ url = '' }: IncomingMessage): boolean => /\/(?:healthz|readyz)(?:\?|$)/.test(url)

const refuseConnection = (_req: IncomingMessage, res: ServerResponse): void =>
  answer(res, 503, 'the server has as many connections as it may: try again', { 'retry-after': '5' })

/**
 * The registry at the root, and at the path of the public URL too: a proxy in front may strip that
 * path or not.
 */
export function createApp(library: Pick<Library, 'handle'>, publicUrl: string | undefined): RequestListener {
  const atRoot = libraryListener(library)
  const path = publicUrl === undefined ? '/' : new URL(publicUrl).pathname
  return path === '/' ? atRoot : libraryListener(library, { prefix: path, fallback: atRoot })
}

interface KeyPair {
  readonly cert: Buffer
  readonly key: Buffer
}

async function readKeyPair({ tlsCert, tlsKey }: Settings): Promise<KeyPair | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined)
    throw new UsageError('--tls-cert and --tls-key belong together: one of them is missing')
  const read = async (name: string, file: string): Promise<Buffer> => {
    try {
      return await readFile(file)
    } catch (error) {
      throw new WorkError(`--${name}: cannot read ${file}: ${systemReason(error)}`)
    }
  }
  const pair = { cert: await read('tls-cert', tlsCert), key: await read('tls-key', tlsKey) }
  try {
    createSecureContext(pair)
  } catch (error) {
    throw new WorkError(`the certificate ${tlsCert} and the key ${tlsKey} do not work: ${systemReason(error)}`)
  }
  return pair
}

export interface WebServer {
  /** Resolves with the port once connections are accepted. */
  readonly listen: () => Promise<number>
  readonly scheme: 'http' | 'https'
  /** Reads the certificate again; connections that stand keep the old one. */
  readonly reloadCertificate: () => Promise<void>
  /** Accepts no more connections; resolves when every request under way has its answer. */
  readonly drain: () => Promise<void>
}

/**
 * Opens nothing before `listen`. Throws UsageError or WorkError for a certificate that does not
 * work.
 */
export async function createWebServer(
  settings: Settings,
  { app, logger }: { readonly app: RequestListener; readonly logger: Pick<Logger, 'warn'> },
): Promise<WebServer> {
  const pair = await readKeyPair(settings)
  const { listener, watch } = limitConnections(app, {
    maxConnections: settings.maxConnections ?? defaultMaxConnections(),
    isHealthCheck,
    refuse: refuseConnection,
    warn: (facts, message) => logger.warn(facts, message),
  })
  const server: Server | HttpsServer =
    pair === undefined ? createHttpServer(listener) : createHttpsServer(pair, listener)
  watch(server)
  // an upload lives as long as its bytes flow; the registry itself gives up a body that stands
  // still
  server.requestTimeout = 0
  server.headersTimeout = 60_000
  // longer than proxies keep their side (60 s most often), so that none sends into a connection
  // that we are closing
  server.keepAliveTimeout = 65_000
  return {
    scheme: pair === undefined ? 'http' : 'https',
    listen: () => listen(server, settings),
    reloadCertificate: async () => {
      const fresh = await readKeyPair(settings)
      if (fresh !== undefined && server instanceof HttpsServer) server.setSecureContext(fresh)
    },
    drain: makeDrain(server),
  }
}

/**
 * Watches what is under way from now on; the returned function stops the server and waits for it.
 */
function makeDrain(server: Server | HttpsServer): () => Promise<void> {
  let draining = false
  const sockets = new Set<Socket>()
  const underWay = new Set<ServerResponse>()
  server.on(server instanceof HttpsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.prependListener('request', (_req: IncomingMessage, res: ServerResponse) => {
    underWay.add(res)
    if (draining) res.setHeader('connection', 'close')
    res.once('close', () => {
      underWay.delete(res)
      // a connection that was busy when draining began is idle now
      if (draining) setImmediate(() => server.closeIdleConnections())
    })
  })
  return () =>
    new Promise((resolve) => {
      draining = true
      server.close(() => resolve())
      const busy = new Set([...underWay].map((res) => res.req.socket))
      for (const res of underWay) if (!res.headersSent) res.setHeader('connection', 'close')
      // Node's closeIdleConnections leaves alone those that never sent a request, such as the spare
      // ones of browsers and proxies
      for (const socket of sockets) if (!busy.has(socket)) socket.destroy()
    })
}

/**
 * Connections that wait to be accepted; the system cuts it down to `net.core.somaxconn`. Node's
 * default is 511.
 */
const backlog = 65_535

function listen(server: Server | HttpsServer, { host, port, listen: socket }: Settings): Promise<number> {
  // a socket has no port
  if (socket !== undefined) return listenOnSocket(server, socket).then(() => 0)
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new WorkError(listenFailure(error, { host, port }))))
    server.listen({ host, port, backlog }, () => resolve((server.address() as AddressInfo).port))
  })
}

function listenFailure(error: Error, { host, port }: { readonly host: string; readonly port: number }): string {
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use: choose another one with --port, or 0 for a free one`
    case 'EACCES':
      return `this user may not listen on port ${port}: choose one above 1023 with --port`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine: choose another one with --host`
    default:
      return `cannot listen on ${host}, port ${port}: ${systemReason(error)}`
  }
}
