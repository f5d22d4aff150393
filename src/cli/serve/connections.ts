/**
 * Bounds the connections of the server, so that they never take the last file descriptor of the
 * process, and health checks are still answered.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'

/** Files that the process needs beside its connections: database, log, store, worker threads. */
const reservedFiles = 160
/**
 * Files of one connection: its socket, and the two of a part that is written, or one to the store
 * and one to spare.
 */
const filesPerConnection = 3
/** More are of no use to one process, whatever the system allows. */
const mostByDefault = 16_384
const leastByDefault = 16
/** Connections beyond the limit that may still ask whether the server is alive. */
const extraConnections = 32
/** How long one of those may take to ask, in milliseconds. */
const extraMs = 5000
/** Between two warnings, in milliseconds. */
const warnEvery = 60_000

/** How many files this process may have open; undefined where the system does not say. */
function openFilesLimit(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    if (line !== undefined) return line === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line)
  } catch {
    // no Linux
  }
  // the network part of a report may ask name servers
  Object.assign(process.report, { excludeNetwork: true })
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } }
  const soft = report.userLimits?.open_files?.soft
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : typeof soft === 'number' ? soft : undefined
}

/** What the soft limit of open files leaves for connections. */
export function defaultMaxConnections(openFiles: number | undefined = openFilesLimit()): number {
  const left = Math.floor(((openFiles ?? 1024) - reservedFiles) / filesPerConnection)
  return Math.max(leastByDefault, Math.min(mostByDefault, left))
}

interface Connection {
  readonly socket: Socket
  /** Requests that have no whole answer yet. */
  busy: number
  /** When it was opened, or its last answer ended. */
  idleSince: number
  readonly isExtra: boolean
}

export interface ConnectionLimitOptions {
  readonly maxConnections: number
  /** Whether a request only asks if the server is alive. */
  readonly isHealthCheck: (req: IncomingMessage) => boolean
  /** Answers what comes over a connection beyond the limit. */
  readonly refuse: (req: IncomingMessage, res: ServerResponse) => void
  readonly warn: (facts: object, message: string) => void
}

/**
 * Wraps the listener of a server, and watches its connections. At the limit a new connection takes
 * the place of the one that was idle for the longest time; where none is, it may ask for health
 * checks and reads 503 for anything else.
 */
export function limitConnections(
  app: RequestListener,
  options: ConnectionLimitOptions,
): {
  readonly listener: RequestListener
  /** Watches the connections of a server, over TLS too. */
  readonly watch: (server: Server) => void
} {
  const { maxConnections, isHealthCheck, refuse, warn } = options
  const connections = new Map<string, Connection>()
  let regular = 0
  let warnedAt = Number.NEGATIVE_INFINITY

  const warnOfLimit = (): void => {
    const now = performance.now()
    if (now - warnedAt < warnEvery) return
    warnedAt = now
    warn({ maxConnections, connections: connections.size }, 'the limit of connections is reached')
  }

  const forget = (name: string, connection: Connection): void => {
    if (connections.get(name) !== connection) return
    connections.delete(name)
    if (!connection.isExtra) regular -= 1
  }

  /** Closes the one that was idle for the longest time; false where all are busy. */
  const makeRoom = (isExtra: boolean): boolean => {
    let found: readonly [string, Connection] | undefined
    for (const entry of connections) {
      const [, { isExtra: itsExtra, busy, idleSince }] = entry
      if (itsExtra !== isExtra || busy > 0 || idleSince >= (found?.[1].idleSince ?? Number.POSITIVE_INFINITY)) continue
      found = entry
    }
    if (found === undefined) return false
    forget(...found)
    found[1].socket.destroy()
    return true
  }

  const onConnection = (socket: Socket): void => {
    const isFull = regular >= maxConnections
    if (isFull) warnOfLimit()
    const isExtra = isFull && !makeRoom(false)
    if (isExtra && connections.size - regular >= extraConnections && !makeRoom(true)) {
      socket.destroy()
      return
    }
    const name = nameOf(socket)
    const connection: Connection = { socket, busy: 0, idleSince: performance.now(), isExtra }
    connections.set(name, connection)
    if (isExtra) setTimeout(() => socket.destroy(), extraMs).unref()
    else regular += 1
    socket.once('close', () => forget(name, connection))
  }

  const listener: RequestListener = (req, res) => {
    const connection = connections.get(nameOf(req.socket))
    if (connection !== undefined) {
      connection.busy += 1
      res.once('close', () => {
        connection.busy -= 1
        connection.idleSince = performance.now()
      })
      if (connection.isExtra) {
        res.setHeader('connection', 'close')
        if (!isHealthCheck(req)) {
          refuse(req, res)
          return
        }
      }
    }
    app(req, res)
  }

  return { listener, watch: (server) => void server.on('connection', onConnection) }
}

/** The same for a connection and for the TLS connection on it, which are two sockets. */
function nameOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`
}
