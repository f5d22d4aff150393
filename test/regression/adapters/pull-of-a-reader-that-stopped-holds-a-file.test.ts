/** A client that stopped reading in the middle of a pull held the file, its connection, and the close of the server, for ever. */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { libraryListener } from '../../../src/adapters/node.js'
import { openFiles, until } from '../../security/support.js'
import { push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
let server: Server
let socket: Socket | undefined
afterEach(async () => {
  socket?.destroy()
  socket = undefined
  server.closeAllConnections()
})

/** More than the kernel keeps for a connection. */
const bytes = Buffer.alloc(48 * 1024 * 1024, 'x')

async function startPull(): Promise<{ readonly socket: Socket; readonly blobs: () => Promise<number> }> {
  registry = await createTestRegistry({ storage: 'filesystem', library: { limits: { pullIdleSeconds: 1 } } })
  await push(registry, 'alice/tools/bwa', bytes)
  const url = (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest')).headers.location ?? ''
  server = createServer(libraryListener(registry.library))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connection = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket = connection
  connection.on('error', () => {})
  connection.write(`GET ${url.slice(registry.publicUrl.length)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  return {
    socket: connection,
    blobs: async () => (await openFiles('/')).filter((file) => file.includes('/keys/')).length,
  }
}

test('its file and its connection are closed, and the server can stop', async () => {
  const { socket: reader, blobs } = await startPull()
  reader.once('data', () => reader.pause())
  await until(async () => (await blobs()) === 1)
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  await until(async () => (await blobs()) === 0)
  await closed
  await registry.close()
  expect(registry.logs.filter(({ level }) => level === 'warn')).toMatchObject([{ message: 'a body was given up' }])
})

test('a slow reader that goes on reading gets every byte, although it takes longer than the limit', async () => {
  const { socket: reader } = await startPull()
  const started = Date.now()
  let length = 0
  await new Promise<void>((resolve, reject) => {
    reader.on('error', reject)
    reader.on('close', () => resolve())
    reader.on('data', (chunk) => {
      length += chunk.length
      if (Date.now() - started > 4000) return
      reader.pause()
      setTimeout(() => reader.resume(), 20)
    })
  })
  expect(Date.now() - started).toBeGreaterThan(2000)
  expect(length).toBeGreaterThan(bytes.length)
  await registry.close()
})
