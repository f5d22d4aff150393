/** Requests as the harness needs them: whether an answer came at all is the question. */
import { Agent, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  /** `data` of a JSON answer. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of any shape
  readonly data: any
}

/** No whole answer came: the connection was cut, refused, or stood still. What the server did is not known. */
export class Interrupted extends Error {
  override name = 'Interrupted'
}

/** The server answered, and the answer is not what the protocol has for success. */
export class Refused extends Error {
  override name = 'Refused'
  readonly status: number
  constructor(what: string, answer: Answer) {
    super(`${what} answered ${answer.status} ${answer.bytes.subarray(0, 300).toString()}`)
    this.status = answer.status
  }
}

export interface SendOptions {
  readonly token?: string
  readonly json?: object
  readonly bytes?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

export interface HttpClient {
  readonly send: (method: string, url: string, options?: SendOptions) => Promise<Answer>
  readonly close: () => void
}

function dataOf(bytes: Buffer, type: string | undefined): unknown {
  if (type?.startsWith('application/json') !== true || bytes.length === 0) return undefined
  return (JSON.parse(bytes.toString()) as { data?: unknown }).data
}

/** `timeoutMs`: how long a socket may stand still. */
export function makeHttpClient({ timeoutMs = 60_000 }: { readonly timeoutMs?: number } = {}): HttpClient {
  const agent = new Agent({ keepAlive: true })
  const send: HttpClient['send'] = (method, url, { token, json, bytes, headers = {} } = {}) =>
    new Promise((resolve, reject) => {
      const body = json === undefined ? bytes : Buffer.from(JSON.stringify(json))
      const fail = (error: Error): void =>
        reject(new Interrupted(`${method} ${new URL(url).pathname.slice(0, 60)}: ${error.message}`, { cause: error }))
      const outgoing = request(url, {
        method,
        agent,
        timeout: timeoutMs,
        headers: {
          ...headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-length': body.length }),
        },
      })
      outgoing.on('timeout', () => outgoing.destroy(new Error(`stood still for ${timeoutMs} ms`)))
      outgoing.on('error', fail)
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', fail)
        incoming.on('end', () => {
          const all = Buffer.concat(chunks)
          if (!incoming.complete) return fail(new Error('the answer was cut'))
          const { statusCode: status = 0, headers: received } = incoming
          resolve({ status, headers: received, bytes: all, data: dataOf(all, received['content-type']) })
        })
      })
      outgoing.end(body)
    })
  return { send, close: () => agent.destroy() }
}
