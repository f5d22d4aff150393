import { type ClientRequest, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const CUT_AFTER_BYTES = 200_000

/** What happens to a request instead of being passed on: an answer after its body was read, or a cut connection in the middle of it. */
export type Fault = { readonly status: number } | 'cut'

/** A small HTTP proxy in front of a server, for faults that a real network makes. */
export interface FaultyProxy {
  readonly url: string
  /** Where requests go, such as http://127.0.0.1:8080. */
  target: string
  /** Decides about each request; undefined passes it on. */
  fault: (request: { readonly method: string; readonly path: string }) => Fault | undefined
  readonly close: () => Promise<void>
}

function pass(target: string, incoming: IncomingMessage, outgoing: ServerResponse): ClientRequest {
  const onward = request(new URL(incoming.url ?? '/', target), {
    method: incoming.method ?? 'GET',
    headers: incoming.headers,
    agent: false,
  })
  onward.on('response', (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(outgoing)
  })
  onward.on('error', () => outgoing.destroy())
  incoming.on('error', () => onward.destroy())
  incoming.pipe(onward)
  return onward
}

/** Lets the server see some of the body, then cuts both sides. */
function cut(target: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const onward = pass(target, incoming, outgoing)
  let seen = 0
  incoming.on('data', (chunk: Buffer) => {
    seen += chunk.length
    if (seen < CUT_AFTER_BYTES) return
    onward.destroy()
    incoming.destroy()
  })
}

function spoil(status: number, incoming: IncomingMessage, outgoing: ServerResponse): void {
  incoming.resume().on('end', () => outgoing.writeHead(status, { 'content-length': 0 }).end())
}

export async function startFaultyProxy(): Promise<FaultyProxy> {
  const server = createServer((incoming, outgoing) => {
    const fault = proxy.fault({ method: incoming.method ?? '', path: incoming.url ?? '' })
    if (fault === undefined) pass(proxy.target, incoming, outgoing)
    else if (fault === 'cut') cut(proxy.target, incoming, outgoing)
    else spoil(fault.status, incoming, outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: FaultyProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: '',
    fault: () => undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return proxy
}
