/** A proxy that sends each request to the next of several servers, as a load balancer does that knows no sessions. */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'

export interface RoundRobin {
  readonly url: string
  /** Base URLs of the servers; may be changed at any time. */
  targets: readonly string[]
  /** `METHOD PATH` and the server that was asked, in order; the query and capabilities are cut. */
  readonly served: { readonly request: string; readonly target: string }[]
  readonly close: () => Promise<void>
}

export async function startRoundRobin(): Promise<RoundRobin> {
  const agent = new Agent({ keepAlive: false })
  let turn = 0

  /** A server that takes no connection is passed over: nothing was sent to it. */
  function pass(incoming: IncomingMessage, outgoing: ServerResponse, tries: number): void {
    const target = proxy.targets[turn++ % proxy.targets.length] ?? ''
    const path = (incoming.url ?? '').split('?')[0]?.replace(/\/transfers\/.*/, '/transfers/…')
    proxy.served.push({ request: `${incoming.method} ${path}`, target })
    const onward = request(new URL(incoming.url ?? '/', target), {
      method: incoming.method ?? 'GET',
      headers: incoming.headers,
      agent,
    })
    onward.on('error', (error) => {
      if ('code' in error && error.code === 'ECONNREFUSED' && tries < proxy.targets.length)
        return pass(incoming, outgoing, tries + 1)
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(502, { 'content-length': 0 }).end()
    })
    onward.on('response', (answer) => {
      const { connection: _, ...headers } = answer.headers
      outgoing.writeHead(answer.statusCode ?? 502, headers)
      pipeline(answer, outgoing, () => {})
    })
    outgoing.on('close', () => onward.destroy())
    // only a connection that stands gets bytes: a refused one must leave them to the next
    onward.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => incoming.pipe(onward))
      else incoming.pipe(onward)
    })
  }

  const server = createServer((incoming, outgoing) => pass(incoming, outgoing, 1))
  // a connection that is closed just when a client uses it again would look like a fault of the servers
  server.keepAliveTimeout = 600_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: RoundRobin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets: [],
    served: [],
    close: () =>
      new Promise((resolve) => {
        agent.destroy()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return proxy
}
