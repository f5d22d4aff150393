/**
 * What the hosts on Node's http have in common: from IncomingMessage to LibraryRequest, from
 * LibraryResponse to the socket.
 */
import { type IncomingMessage, OutgoingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { isUint8Array } from 'node:util/types'
import type { Library, LibraryRequest, LibraryResponse, RequestBody } from '../core/index.js'
import { cutOff, isAnswered, isGone, readHeaders } from './node-http2.js'

/**
 * How long a client that was answered early may go on sending before it is cut off: enough to read
 * the answer.
 */
const lingerMs = 30_000

export interface NodeExchange {
  readonly res: ServerResponse
  /** Raw path and query, below the mount. */
  readonly url: string
  /** What hooks get to see as the host's own request. */
  readonly native: unknown
  /**
   * Where a body parser of the host leaves what it read. Looked at only when the stream was really
   * read.
   */
  readonly parsed?: unknown
  /** A stream that the host put in front of the request. */
  readonly payload?: AsyncIterable<Uint8Array> | undefined
  /** The URL is that of the host's root. Default: false. */
  readonly root?: boolean
}

function readBody(req: IncomingMessage, { parsed, payload }: NodeExchange): RequestBody {
  if (payload !== undefined) return { kind: 'stream', stream: payload }
  // Only what a parser really read counts: body-parser of Express 4 and Koa sets `{}` without
  // having read a byte
  if (req.readableDidRead)
    return isUint8Array(parsed) ? { kind: 'bytes', bytes: parsed } : { kind: 'parsed', value: parsed }
  const length = req.headers['content-length']
  // HTTP/2 has bodies without either header
  if (length === undefined && req.headers['transfer-encoding'] === undefined && req.httpVersionMajor < 2)
    return { kind: 'none' }
  // an early end of the iteration must not destroy the socket, or the client never reads our answer
  const stream: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => req.iterator({ destroyOnReturn: false }) }
  return length === undefined ? { kind: 'stream', stream } : { kind: 'stream', stream, length: Number(length) }
}

class NodeLibraryRequest implements LibraryRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: IncomingMessage['headers']
  readonly body: RequestBody
  readonly native: unknown
  readonly root: boolean
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  #signal: AbortSignal | undefined

  constructor(req: IncomingMessage, exchange: NodeExchange) {
    const { url } = exchange
    const mark = url.indexOf('?')
    this.method = req.method ?? 'GET'
    this.path = mark < 0 ? url : url.slice(0, mark)
    this.query = mark < 0 ? '' : url.slice(mark + 1)
    this.headers = readHeaders(req)
    this.body = readBody(req, exchange)
    this.native = exchange.native
    this.root = exchange.root ?? false
    this.#req = req
    this.#res = exchange.res
  }

  get remote(): string | undefined {
    return this.#req.socket.remoteAddress
  }

  cut(): void {
    cutOff(this.#res)
  }

  /** Made on first use: most requests never ask for it. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController()
      this.#signal = controller.signal
      const res = this.#res
      if (isGone(res)) controller.abort()
      else res.once('close', () => (isAnswered(res) ? undefined : controller.abort()))
    }
    return this.#signal
  }
}

/**
 * After the answer, drops what a refused upload still sends, so that the client can read the answer
 * and the connection serves its next request. Node does that only for bodies that nobody began to
 * read, and without an end.
 */
function dropRest(req: IncomingMessage, res: ServerResponse): void {
  if (req.readableEnded || req.destroyed) return
  res.once('finish', () => {
    if (req.readableEnded || req.destroyed) return
    const timer = setTimeout(() => cutOff(res, req), lingerMs)
    timer.unref()
    req.once('close', () => clearTimeout(timer))
    req.resume()
  })
}

/**
 * Requests of one HTTP/1 connection that may wait for their answers: clients and proxies ask for
 * one at a time.
 */
const maxPipelined = 32
const pipelined = new WeakMap<Socket, number>()

/**
 * Counts a request of its connection; false where too many wait already. Their answers would wait
 * in memory until the client reads.
 */
function mayWait({ socket, httpVersionMajor }: IncomingMessage, res: ServerResponse): boolean {
  if (httpVersionMajor >= 2) return true
  const waiting = pipelined.get(socket) ?? 0
  if (waiting >= maxPipelined) return false
  pipelined.set(socket, waiting + 1)
  res.once('close', () => pipelined.set(socket, (pipelined.get(socket) ?? 1) - 1))
  return true
}

const tooManyAtOnce: LibraryResponse = {
  status: 503,
  headers: { connection: 'close', 'content-length': '0', 'retry-after': '5' },
  body: null,
}

/** Asks the library; undefined = the path is not ours, and nothing was touched. */
export async function askLibrary(
  library: Pick<Library, 'handle'>,
  req: IncomingMessage,
  exchange: NodeExchange,
): Promise<LibraryResponse | undefined> {
  if (!mayWait(req, exchange.res)) return tooManyAtOnce
  const request = new NodeLibraryRequest(req, exchange)
  const response = await library.handle(request)
  if (response !== undefined && request.body.kind === 'stream') dropRest(req, exchange.res)
  return response
}

/**
 * A body as a stream, for hosts that pipe it themselves. When it fails midway the connection is
 * cut: the client must not take what it has for the whole, and the host's error page has no place
 * behind bytes that went out.
 */
export function toReadable(body: AsyncIterable<Uint8Array>, res: ServerResponse): Readable {
  const source: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => {
      const iterator = body[Symbol.asyncIterator]()
      return {
        next: () =>
          iterator.next().catch(() => {
            cutOff(res)
            return { done: true, value: undefined }
          }),
        return: async () => {
          await iterator.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
  return Readable.from(source, { objectMode: false })
}

/**
 * Cookies are added to those that the host has set; every other header takes the place of the
 * host's.
 */
function writeHead(res: ServerResponse, { status, headers }: LibraryResponse): void {
  const { 'set-cookie': cookie, ...others } = headers
  if (cookie === undefined) {
    res.writeHead(status, headers as Record<string, string>)
    return
  }
  const before = res.getHeader('set-cookie') ?? []
  res.setHeader('set-cookie', [...(Array.isArray(before) ? before : [String(before)]), cookie])
  res.writeHead(status, others)
}

/** Writes a response with backpressure; a body that fails midway cuts the connection. */
export async function writeResponse(res: ServerResponse, response: LibraryResponse): Promise<void> {
  const { body } = response
  const streams = body !== null && typeof body !== 'string' && !isUint8Array(body)
  // the host has answered in the meantime, such as by a timeout of its own
  if (res.headersSent) {
    if (streams) await body[Symbol.asyncIterator]().return?.()
    return
  }
  writeHead(res, response)
  if (!streams) {
    res.end(body ?? undefined)
    return
  }
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown, Uint8Array | undefined>
  let gone = isGone(res)
  let wake = (): void => {}
  res.once('close', () => {
    gone = true
    wake()
  })
  res.on('drain', () => wake())
  // another `write` (of a middleware, of a response class of the host, of a monitor that patches
  // Node) may keep the chunks, and may forget the callback; that of HTTP/2 is another one too
  const isNodes = res.write === OutgoingMessage.prototype.write
  try {
    let result = await iterator.next()
    while (result.done !== true && !gone) {
      const chunk = result.value
      let sent = false
      const hasRoom = res.write(chunk, () => {
        sent = true
      })
      if (!hasRoom) await new Promise<void>((resolve) => (wake = resolve))
      // what has left this process is handed back, to be used again
      if (!gone) result = await iterator.next(sent && isNodes ? chunk : undefined)
    }
    if (gone) await iterator.return?.()
    else res.end()
  } catch {
    // without the error: it would reach the host as a fault of the client
    cutOff(res)
  }
}

/**
 * Answers one request of a host on plain Node responses; false = the path is not ours, and nothing
 * was touched.
 */
export async function serveNode(
  library: Pick<Library, 'handle'>,
  req: IncomingMessage,
  exchange: NodeExchange,
): Promise<boolean> {
  const response = await askLibrary(library, req, exchange)
  if (response === undefined) return false
  await writeResponse(exchange.res, response)
  return true
}
