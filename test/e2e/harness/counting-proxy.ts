import type { AddressInfo } from 'node:net'
import { createServer, connect as dial, type Socket } from 'node:net'

/** A TCP proxy that counts what passes, and can stand still in the middle of it. It knows no protocol: TLS passes as it is. */
export interface CountingProxy {
  readonly host: string
  /** `http://HOST`. */
  readonly url: string
  /** Bytes that clients sent and got since the last `reset`. */
  readonly counts: () => { readonly sent: number; readonly got: number }
  readonly reset: () => void
  /** From now on passes nothing on once clients have sent so many bytes; resolves when they have. */
  readonly holdAfter: (bytes: number) => Promise<void>
  /** Passes everything on again. */
  readonly release: () => void
  readonly close: () => Promise<void>
}

export interface CountingProxyOptions {
  /** Port of 127.0.0.1 to which everything goes. */
  readonly target: number
}

export async function startCountingProxy({ target }: CountingProxyOptions): Promise<CountingProxy> {
  const counts = { sent: 0, got: 0 }
  const clients = new Set<Socket>()
  let limit = Number.POSITIVE_INFINITY
  let reached = (): void => {}
  const server = createServer((client) => {
    const onward = dial(target, '127.0.0.1')
    clients.add(client)
    const end = (): void => {
      clients.delete(client)
      client.destroy()
      onward.destroy()
    }
    for (const socket of [client, onward]) socket.on('error', end).on('close', end)
    client.on('data', (chunk: Buffer) => {
      counts.sent += chunk.length
      if (!onward.write(chunk)) client.pause()
      if (counts.sent < limit) return
      client.pause()
      reached()
    })
    onward.on('drain', () => counts.sent < limit && client.resume())
    onward.on('data', (chunk: Buffer) => {
      counts.got += chunk.length
      if (!client.write(chunk)) onward.pause()
    })
    client.on('drain', () => onward.resume())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const release = (): void => {
    limit = Number.POSITIVE_INFINITY
    for (const client of clients) client.resume()
  }
  return {
    host,
    url: `http://${host}`,
    counts: () => ({ ...counts }),
    reset: () => Object.assign(counts, { sent: 0, got: 0 }),
    holdAfter: (bytes) => {
      limit = counts.sent + bytes
      return new Promise((resolve) => {
        reached = resolve
      })
    },
    release,
    close: () => {
      release()
      for (const client of clients) client.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
