/** What the hosts on Node's http have in common: from IncomingMessage to LibraryRequest, from LibraryResponse to the socket. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Library, LibraryRequest, LibraryResponse, RequestBody } from '../core/index.js'

/** A request of Node's http, or of a framework that extends it. */
export type NodeRequest = IncomingMessage & { readonly body?: unknown }

function readBody(req: NodeRequest): RequestBody {
  // Only what a parser really read counts: body-parser of Express 4 and Koa sets `{}` without having read a byte
  if (req.readableDidRead) {
    const { body } = req
    return body instanceof Uint8Array ? { kind: 'bytes', bytes: body } : { kind: 'parsed', value: body }
  }
  const length = req.headers['content-length']
  if (length === undefined && req.headers['transfer-encoding'] === undefined) return { kind: 'none' }
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
  readonly #req: NodeRequest
  readonly #res: ServerResponse
  #signal: AbortSignal | undefined

  constructor(req: NodeRequest, options: { readonly res: ServerResponse; readonly url: string; readonly native: unknown; readonly body?: RequestBody }) {
    const { url } = options
    const mark = url.indexOf('?')
    this.method = req.method ?? 'GET'
    this.path = mark < 0 ? url : url.slice(0, mark)
    this.query = mark < 0 ? '' : url.slice(mark + 1)
    this.headers = req.headers
    this.body = options.body ?? readBody(req)
    this.native = options.native
    this.#req = req
    this.#res = options.res
  }

  get remote(): string | undefined {
    return this.#req.socket.remoteAddress
  }

  /** Made on first use: most requests never ask for it. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController()
      this.#signal = controller.signal
      const res = this.#res
      if (res.destroyed) controller.abort()
      else res.once('close', () => (res.writableFinished ? undefined : controller.abort()))
    }
    return this.#signal
  }
}

/** `url` is raw, below the mount; `native` is what hooks get; `body` where the host knows better than the stream. */
export function toLibraryRequest(
  req: NodeRequest,
  options: { readonly res: ServerResponse; readonly url: string; readonly native: unknown; readonly body?: RequestBody },
): LibraryRequest {
  return new NodeLibraryRequest(req, options)
}

/** Settles when the socket takes more, or is gone. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done)
      res.off('close', done)
      resolve()
    }
    res.on('drain', done)
    res.on('close', done)
  })
}

/** Writes a response with backpressure. A body that fails midway cuts the connection: the client must not take it for the whole. */
export async function writeResponse(res: ServerResponse, response: LibraryResponse): Promise<void> {
  const { body } = response
  res.writeHead(response.status, response.headers as Record<string, string>)
  if (body === null || typeof body === 'string' || body instanceof Uint8Array) {
    res.end(body ?? undefined)
    return
  }
  try {
    for await (const chunk of body) {
      if (res.destroyed) return
      if (!res.write(chunk)) await drained(res)
      if (res.destroyed) return
    }
    res.end()
  } catch (error) {
    res.destroy(error instanceof Error ? error : undefined)
  }
}

/** Answers one request of a Node host; false = the path is not ours, and nothing was touched. */
export async function serveNode(
  library: Pick<Library, 'handle'>,
  req: NodeRequest,
  options: { readonly res: ServerResponse; readonly url: string; readonly native: unknown },
): Promise<boolean> {
  const response = await library.handle(toLibraryRequest(req, options))
  if (response === undefined) return false
  await writeResponse(options.res, response)
  return true
}
