/** Resident memory of `serve` while many GiB go up and come down, and GetImage while a thousand slow clients hang on. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { call, createImage, digestOf, getBytes, push } from './lib/client.mjs'
import { getRequest, sendRequests } from './lib/load.mjs'
import { percentile, printTable, saveResults } from './lib/report.mjs'
import { startServe } from './lib/serve.mjs'

function slowPull(port, path, { bytesPerSecond, cut }) {
  const socket = connect(port, '127.0.0.1')
  socket.write(getRequest(path))
  let got = 0
  socket.on('data', (chunk) => {
    got += chunk.length
    // a client on a thin line: read a little, then stop reading
    socket.pause()
    setTimeout(() => socket.resume(), (chunk.length / bytesPerSecond) * 1000).unref()
  })
  socket.on('error', cut)
  socket.on('close', cut)
  return { stop: () => socket.removeAllListeners().destroy(), got: () => got }
}

function slowPush(port, url, { size, bytesPerSecond, cut }) {
  const socket = connect(port, '127.0.0.1')
  const { pathname } = new URL(url)
  socket.write(`PUT ${pathname} HTTP/1.1\r\nhost: bench\r\ncontent-length: ${size}\r\n\r\n`)
  const timer = setInterval(() => socket.write(Buffer.alloc(bytesPerSecond)), 1000)
  socket.on('data', () => {})
  socket.on('error', cut)
  socket.on('close', cut)
  return {
    stop: () => {
      clearInterval(timer)
      socket.removeAllListeners().destroy()
    },
  }
}

async function latency(server, path) {
  const times = await sendRequests({
    port: Number(new URL(server.base).port),
    request: getRequest(path),
    count: 4000,
    connections: 4,
    latencies: true,
  })
  return percentile(times, 0.99)
}

export async function benchMemory({ gibibytes = 10, slow = 1000 }) {
  const cache = fileURLToPath(new URL('../.cache/', import.meta.url))
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'bench-'))
  const server = await startServe(join(folder, 'data'))
  const { base, token } = server
  const port = Number(new URL(base).port)
  try {
    const block = randomBytes(2 ** 20)
    const small = { token, entity: 'bench', container: 'small', tag: 'latest', size: 2 ** 24, block }
    await push(base, { ...small, digest: digestOf(small) })
    const image = '/v1/images/bench/tools/small:latest?arch=amd64'
    await sendRequests({ port, request: getRequest(image), count: 5000 })
    const idle = server.rss()
    for (let index = 0; index < gibibytes; index += 1) {
      const salted = Buffer.from(block)
      salted.writeUInt32LE(index)
      const size = 2 ** 30
      await push(base, {
        token,
        entity: 'bench',
        container: 'big',
        tag: 'latest',
        size,
        block: salted,
        digest: digestOf({ size, block: salted }),
      })
      await getBytes(`${base}/v1/imagefile/bench/tools/big:latest?arch=amd64`)
    }
    const peak = server.peakRss()

    const before = await latency(server, image)
    const { headers } = await call(base, { path: '/v1/imagefile/bench/tools/small:latest' })
    const pullPath = new URL(headers.get('location')).pathname
    let cuts = 0
    const cut = () => {
      cuts += 1
    }
    const clients = []
    for (let index = 0; index < slow; index += 1)
      clients.push(slowPull(port, pullPath, { bytesPerSecond: 16_384, cut }))
    for (let index = 0; index < slow; index += 1) {
      const size = 2 ** 24
      const salted = Buffer.from(block)
      salted.writeUInt32LE(index + 1_000_000)
      const digest = digestOf({ size: 2 ** 20, block: salted })
      const { imageId } = await createImage(base, { token, entity: 'bench', container: `slow-${index}`, digest })
      const { data } = await call(base, {
        method: 'POST',
        path: `/v2/imagefile/${imageId}`,
        token,
        body: { filesize: size, sha256sum: digest },
      })
      clients.push(slowPush(port, data.uploadURL, { size, bytesPerSecond: 4096, cut }))
    }
    await new Promise((resolve) => setTimeout(resolve, 10_000))
    const during = await latency(server, image)
    const busy = server.peakRss()
    await new Promise((resolve) => setTimeout(resolve, 60_000))
    for (const client of clients) client.stop()
    const rows = [
      { what: 'RSS of serve, warm', value: idle, unit: 'MiB', goal: '≤ 128', holds: idle <= 128 },
      {
        what: `peak while ${gibibytes} GiB go up and come down`,
        value: peak,
        unit: 'MiB',
        goal: '≤ +64',
        holds: peak - idle <= 64,
      },
      { what: 'p99 of GetImage, alone', value: before, unit: 'ms' },
      {
        what: `p99 with ${slow} slow pulls and ${slow} slow pushes`,
        value: during,
        unit: 'ms',
        ratio: during / before,
        to: 'alone',
        goal: '≤ 2',
        holds: during / before <= 2,
      },
      { what: 'slow clients cut in 70 s', value: cuts, unit: '', goal: '0', holds: cuts === 0 },
      { what: 'peak RSS with the slow clients', value: busy, unit: 'MiB' },
    ]
    printTable('Memory and slow clients', rows)
    saveResults('memory', rows)
    return rows
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
