/** A client that sends a request as it is told, and shows the answer as it came: nothing escaped, nothing followed, nothing decoded. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { readAll } from './host.js'

export interface Call {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface Answer {
  readonly status: number
  /** The one value of a header; throws when it came twice. */
  header(name: string): string | undefined
  /** Every value of a header. */
  values(name: string): readonly string[]
  readonly body: Buffer
  readonly text: string
  json(): Record<string, unknown>
}

function start(origin: string, path: string, { method = 'GET', headers = {} }: Omit<Call, 'body'>): ClientRequest {
  const { hostname, port } = new URL(origin)
  const sent = request({ hostname, port, path, method, headers, agent: false })
  // a server that cuts an upload after its answer: the request is over by then and nobody else hears of it
  sent.once('socket', (socket) => socket.on('error', () => {}))
  return sent
}

const responseOf = (sent: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    sent.once('response', resolve)
    sent.on('error', reject)
  })

function valuesOf(response: IncomingMessage, name: string): string[] {
  return response.rawHeaders.filter((_, index, all) => index % 2 === 1 && all[index - 1]?.toLowerCase() === name)
}

/** Sends a whole request and reads the whole answer. */
export async function call(origin: string, path: string, options: Call = {}): Promise<Answer> {
  const sent = start(origin, path, options)
  sent.end(options.body)
  const response = await responseOf(sent)
  const body = await readAll(response)
  return {
    status: response.statusCode ?? 0,
    header: (name) => {
      const values = valuesOf(response, name)
      if (values.length > 1) throw new Error(`${name} came ${values.length} times`)
      return values[0]
    },
    values: (name) => valuesOf(response, name),
    body,
    text: body.toString(),
    json: () => JSON.parse(body.toString()) as Record<string, unknown>,
  }
}

/** Begins a request whose body the test sends itself. */
export function open(
  origin: string,
  path: string,
  options: Omit<Call, 'body'> = {},
): { readonly sent: ClientRequest; readonly response: Promise<IncomingMessage> } {
  const sent = start(origin, path, options)
  const response = responseOf(sent)
  // looked at by most tests only later, or never
  response.catch(() => {})
  return { sent, response }
}

/** Writes `bytes` bytes in chunks as fast as the server takes them; stops when it takes nothing for `patience` milliseconds. Returns how many it took. */
export async function flood(sent: ClientRequest, bytes: number, patience = 5_000): Promise<number> {
  const chunk = Buffer.alloc(1024 * 1024, 1)
  let written = 0
  while (written < bytes) {
    written += chunk.length
    if (sent.write(chunk)) continue
    const more = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), patience)
      sent.once('drain', () => {
        clearTimeout(timer)
        resolve(true)
      })
    })
    if (!more) return written - chunk.length
  }
  return written
}

/** Writes all of it to one connection whatever is answered meanwhile, as simple clients do; resolves with what came until the server closed, or nothing came for five seconds. */
export async function exchange(origin: string, parts: readonly (string | Uint8Array)[]): Promise<string> {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.setTimeout(5_000, () => socket.destroy())
  socket.on('error', () => {})
  for (const part of parts) socket.write(part)
  let came = ''
  for await (const chunk of socket) came += String(chunk)
  return came
}
