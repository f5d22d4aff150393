/** A small HTTP/1.1 load generator on raw sockets: it costs a fraction of what it measures. */
import { connect } from 'node:net'

/** Sends `count` requests (`request`: one text, or a function that makes each) over `connections` keep-alive connections, one at a time on each; resolves to the latencies in ms when `latencies` is set. */
export function sendRequests({ port, request, count, connections = 32, latencies = false }) {
  const bytes = typeof request === 'string' ? Buffer.from(request) : undefined
  const times = latencies ? new Float64Array(count) : undefined
  let started = 0
  let finished = 0
  return new Promise((resolve, reject) => {
    const sockets = []
    const stop = (error) => {
      for (const socket of sockets) socket.destroy()
      if (error) reject(error)
      else resolve(times)
    }
    const open = () => {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      socket.setNoDelay(true)
      let seen = Buffer.alloc(0)
      let begun = 0
      const next = () => {
        if (started >= count) return
        started += 1
        begun = performance.now()
        socket.write(bytes ?? request())
      }
      socket.on('connect', next)
      socket.on('error', stop)
      socket.on('close', () => finished < count && stop(new Error('the server closed a connection')))
      socket.on('data', (chunk) => {
        seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
        const end = seen.indexOf('\r\n\r\n')
        if (end < 0) return
        const head = seen.toString('latin1', 0, end)
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
        if (seen.length < end + 4 + length) return
        if (!/^HTTP\/1\.1 20[06]/.test(head))
          return stop(
            new Error(
              `unexpected answer: ${head.split('\r\n')[0]}\n${bytes ?? ''}\n${seen.toString('latin1', end, end + 300)}`,
            ),
          )
        seen = Buffer.alloc(0)
        if (times !== undefined) times[finished] = performance.now() - begun
        finished += 1
        if (finished === count) stop()
        else next()
      })
    }
    for (let index = 0; index < Math.min(connections, count); index += 1) open()
  })
}

export const getRequest = (path, headers = {}) =>
  `GET ${path} HTTP/1.1\r\nhost: bench\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`
