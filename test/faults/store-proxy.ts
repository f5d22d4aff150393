/** A proxy in front of an object store that makes the faults which real ones make. Passes everything on until it is told to spoil. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'
import type { Random } from './random.js'

export type StoreMishap = 'error-500' | 'slow-down' | 'reset' | 'half-answer' | 'lost-answer'

export interface StoreProxy {
  readonly url: string
  /** Spoils this share of the requests from now on; 0 ends it. */
  spoil: (share: number, random: Random) => void
  readonly close: () => Promise<void>
}

const mishaps: readonly StoreMishap[] = ['error-500', 'slow-down', 'reset', 'half-answer', 'lost-answer']

function fail(outgoing: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>a fault of the harness</Message></Error>`
  outgoing.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) }).end(body)
}

function pass(
  target: string,
  exchange: {
    readonly incoming: IncomingMessage
    readonly outgoing: ServerResponse
    readonly mishap: StoreMishap | undefined
  },
): void {
  const { incoming, outgoing, mishap } = exchange
  const onward = request(new URL(incoming.url ?? '/', target), {
    method: incoming.method ?? 'GET',
    headers: incoming.headers,
    agent: false,
  })
  onward.on('error', () => outgoing.destroy())
  incoming.on('error', () => onward.destroy())
  onward.on('response', (answer) => {
    if (mishap === 'lost-answer') return void answer.resume().on('close', () => outgoing.destroy())
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    // `pipeline` ends the answer where the store is killed in the middle of it
    if (mishap !== 'half-answer') return pipeline(answer, outgoing, () => {})
    // the head says how much is due; the connection ends before that
    answer.once('data', (chunk: Buffer) =>
      outgoing.write(chunk.subarray(0, chunk.length >> 1), () => outgoing.destroy()),
    )
    answer.on('close', () => outgoing.destroy())
  })
  incoming.pipe(onward)
}

export async function startStoreProxy(target: string): Promise<StoreProxy> {
  let share = 0
  let random: Random | undefined
  const server = createServer((incoming, outgoing) => {
    const mishap = random?.chance(share) === true ? random.pick(mishaps) : undefined
    // of a request without a body `incoming.destroy()` leaves the connection open, and nobody would ever answer on it
    if (mishap === 'reset')
      incoming.once('data', () => incoming.socket.destroy()).once('end', () => incoming.socket.destroy())
    else if (mishap === 'error-500') incoming.resume().on('end', () => fail(outgoing, 500, 'InternalError'))
    else if (mishap === 'slow-down') incoming.resume().on('end', () => fail(outgoing, 503, 'SlowDown'))
    else pass(target, { incoming, outgoing, mishap })
  })
  // a connection that is closed just when a client uses it again would look like a fault
  server.keepAliveTimeout = 600_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spoil: (...given) => {
      ;[share, random] = given
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
