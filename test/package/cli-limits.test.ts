/** The server at its limits, as a process of its own: connections, open files, and the memory of answers that nobody reads. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { CLI } from '../e2e/harness/paths.js'
import { type ServerProcess, startProcess } from '../e2e/harness/server-process.js'
import { cleanUpAfterEach, clientOf, serve, temporaryFolder } from './cli-support.js'

cleanUpAfterEach()
const MiB = 1024 ** 2
const sockets: Socket[] = []
const started: ServerProcess[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of started.splice(0)) await server.kill()
})

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const adminToken = async (data: string): Promise<string> => (await readFile(join(data, 'admin-token'), 'utf8')).trim()

/** A connection that asks for something and then reads nothing. */
async function silent(
  url: string,
  requests: string,
): Promise<{ readonly socket: Socket; readonly closed: () => boolean }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  sockets.push(socket)
  let closed = false
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
  })
  socket.pause()
  await new Promise((resolve) => {
    socket.once('connect', resolve)
    socket.once('close', resolve)
  })
  socket.write(requests)
  return { socket, closed: () => closed }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`

async function status(url: string): Promise<number> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  await response.arrayBuffer()
  return response.status
}

/** Pushes an image that no buffer of a connection holds, and returns the path of its bytes. */
async function pushLarge(url: string, token: string): Promise<string> {
  await clientOf(url, token).push('admin/a/large', randomBytes(24 * MiB))
  const answer = await fetch(`${url}/v1/imagefile/admin/a/large:latest`, { redirect: 'manual' })
  return new URL(answer.headers.get('location') ?? '').pathname
}

test('at its limit of connections it answers health checks, and idle connections make room', {
  timeout: 120_000,
}, async () => {
  const data = await temporaryFolder()
  const { url, logs } = await serve(data, ['--max-connections', '10'])
  const bytes = await pushLarge(url, await adminToken(data))
  const idle = []
  for (let count = 0; count < 10; count += 1) idle.push(await silent(url, ''))
  await wait(200)
  // each new one takes the place of one that asks for nothing
  const stalled = []
  for (let count = 0; count < 10; count += 1) stalled.push(await silent(url, get(bytes)))
  await wait(500)
  // a socket that does not read does not see its end
  for (const { socket } of idle) socket.resume()
  await wait(200)
  expect(idle.every(({ closed }) => closed())).toBe(true)
  for (let round = 0; round < 50; round += 1) expect(await status(`${url}/healthz`)).toBe(200)
  expect(await status(`${url}/readyz`)).toBe(200)
  const refused = await fetch(`${url}/version`)
  expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('connection')]).toEqual([
    503,
    '5',
    'close',
  ])
  expect(await refused.json()).toMatchObject({ error: { code: 503, message: expect.stringContaining('connections') } })
  expect(logs()).toContain('the limit of connections is reached')
  // those that come and say nothing do not keep health checks out
  for (let count = 0; count < 100; count += 1) await silent(url, '')
  expect(await status(`${url}/healthz`)).toBe(200)
  for (const { socket } of stalled) socket.destroy()
  await wait(300)
  expect(await status(`${url}/version`)).toBe(200)
})

test.skipIf(process.platform !== 'linux')(
  'readers that stall never take the last file descriptor',
  { timeout: 180_000 },
  async () => {
    const data = await temporaryFolder()
    const script = `ulimit -n 400; exec "$0" "$@"`
    const args = ['-c', script, process.execPath, CLI, 'serve', '--data', data, '--port', '0']
    const server = await startProcess({ program: 'sh', args })
    started.push(server)
    const { url, logs } = server
    const token = await adminToken(data)
    const bytes = await pushLarge(url, token)
    const stalled = []
    for (let count = 0; count < 500; count += 1) stalled.push(await silent(url, get(bytes)))
    await wait(1000)
    for (let round = 0; round < 10; round += 1) expect(await status(`${url}/healthz`)).toBe(200)
    expect(await status(`${url}/readyz`)).toBe(200)
    for (const { socket } of stalled.slice(0, 490)) socket.destroy()
    await wait(500)
    await clientOf(url, token).push('admin/a/small', Buffer.from('pushed while others stall'))
    expect(logs()).not.toMatch(/EMFILE|ENFILE/)
  },
)

async function rssOf(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

test.skipIf(process.platform !== 'linux')(
  '40 searches that nobody reads cost 96 MiB at the most',
  { timeout: 180_000 },
  async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data, ['--log-level', 'warn'])
    const pid = JSON.parse(await readFile(join(data, 'server.json'), 'utf8')).pid as number
    const client = clientOf(url, await adminToken(data))
    const bytes = Buffer.from('shared by all')
    await client.push('admin/a/first', bytes)
    const collection = (await client.call('GET', '/v1/collections/admin/a')).data.id
    const { hash } = (await client.call('GET', '/v1/images/admin/a/first:latest')).data
    const description = `needle ${'\u{1}'.repeat(16_000)}`
    for (let index = 0; index < 300; index += 1) {
      const container = (await client.call('POST', '/v1/containers', { name: `c${index}`, collection, description }))
        .data.id
      expect((await client.call('POST', '/v1/images', { hash, container, description })).status).toBe(201)
    }
    const search = '/v1/search?value=needle&pageSize=1000'
    // as warm as it gets from work alone
    for (let round = 0; round < 10; round += 1) {
      const answer = await fetch(url + search)
      expect((await answer.arrayBuffer()).byteLength).toBeLessThan(1.1 * MiB)
    }
    await wait(1000)
    const before = await rssOf(pid)
    const costOf = async (request: string): Promise<number> => {
      for (let count = 0; count < 40; count += 1) await silent(url, request)
      await wait(5000)
      return ((await rssOf(pid)) - before) / MiB
    }
    expect(await costOf(get(search))).toBeLessThan(96)
    // eight more on each connection, 320 MiB of text in all: most are never made
    expect(await costOf(get(search).repeat(8))).toBeLessThan(192)
    expect(await status(`${url}/version`)).toBe(200)
  },
)
