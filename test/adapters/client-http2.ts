/** The client of the suite over HTTP/2, all requests on one connection. */
import { type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2'
import type { Answer, Call } from './client.js'
import { readAll } from './host.js'

export interface Http2Client {
  /** Sends a whole request and reads the whole answer. `origin` is ignored: it is that of the connection. */
  call(origin: string, path: string, options?: Call): Promise<Answer>
  /** Begins a request whose body the test sends itself. */
  open(path: string, options?: Omit<Call, 'body'> & { readonly endStream?: boolean }): Http2Exchange
  close(): Promise<void>
}

export interface Http2Exchange {
  readonly stream: ClientHttp2Stream
  readonly response: Promise<IncomingHttpHeaders & { readonly ':status'?: number }>
}

export function connectHttp2(origin: string): Http2Client {
  const session = connect(origin)
  session.on('error', () => {})

  const open: Http2Client['open'] = (path, { method = 'GET', headers = {}, endStream = false } = {}) => {
    const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream })
    const response = new Promise<IncomingHttpHeaders>((resolve, reject) => {
      stream.once('response', resolve)
      stream.once('error', reject)
      stream.once('close', () => reject(new Error('the stream was closed without an answer')))
    })
    response.catch(() => {})
    stream.on('error', () => {})
    return { stream, response }
  }

  return {
    open,
    call: async (_origin, path, options = {}) => {
      const { stream, response } = open(path, options)
      stream.end(options.body)
      const headers = await response
      const body = await readAll(stream)
      const values = (name: string): readonly string[] => [headers[name] ?? []].flat().map(String)
      return {
        status: Number(headers[':status']),
        header: (name) => values(name)[0],
        values,
        body,
        text: body.toString(),
        json: () => JSON.parse(body.toString()) as Record<string, unknown>,
      }
    },
    close: () => new Promise((resolve) => session.close(resolve)),
  }
}
