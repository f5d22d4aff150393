/** A large JSON answer was handed out as one piece: a client that read nothing of it held it, its connection, and the close of the server, for ever. */
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { libraryListener } from '../../../src/adapters/node.js'
import type { LibraryResponse } from '../../../src/core/index.js'
import type { MetadataStore } from '../../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { push } from '../../support/push.js'
import { createTestRegistry, readAnswer, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
/** How often the one image is found. */
let rows: number
beforeEach(async () => {
  const sqlite = sqliteMetadata({ file: ':memory:' })
  const metadata: MetadataStore = {
    ...sqlite,
    search: async (query) => {
      const page = await sqlite.search(query)
      return { ...page, images: Array.from({ length: rows }, () => page.images).flat() }
    },
  }
  registry = await createTestRegistry({ metadata, library: { limits: { pullIdleSeconds: 1 } } })
  await push(registry, 'alice/tools/needle', Buffer.from('an image'), { description: '€'.repeat(1024) })
})

const gaveUp = (): unknown[] => registry.logs.filter(({ message }) => message === 'a body was given up')

async function search(cut: () => void = () => {}): Promise<LibraryResponse> {
  const response = await registry.library.handle({
    method: 'GET',
    path: '/v1/search',
    query: 'value=needle',
    headers: {},
    body: { kind: 'none' },
    cut,
  })
  if (response === undefined) throw new Error('the search is not there')
  return response
}

test('it is a stream, which is the same answer', async () => {
  rows = 100
  const response = await search()
  expect(response.body).toMatchObject({ [Symbol.asyncIterator]: expect.any(Function) })
  const { status, headers, bytes, json } = await readAnswer(response)
  expect([status, headers['content-type'], json.data.image.length]).toEqual([
    200,
    expect.stringContaining('application/json'),
    100,
  ])
  expect(json.data.image[99]).toMatchObject({ description: '€'.repeat(1024), containerName: 'needle' })
  if (headers['content-length'] !== undefined) expect(headers['content-length']).toBe(String(bytes.length))
  rows = 1
  expect(typeof (await search()).body).toBe('string')
  await registry.close()
  expect(gaveUp()).toEqual([])
})

test('it is given up, and the registry can close', async () => {
  rows = 500
  const cut = vi.fn()
  await search(cut)
  // waits for what is handed out
  await registry.close()
  expect(cut).toHaveBeenCalledOnce()
  expect(gaveUp()).toHaveLength(1)
})

let socketOf: { destroy(): void } | undefined
afterEach(() => {
  socketOf?.destroy()
  socketOf = undefined
})

test('its connection is closed, and the server can stop', async () => {
  rows = 500
  const server = createServer(libraryListener(registry.library))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socketOf = socket
  socket.on('error', () => {})
  socket.pause()
  // 20 MB together: more than the kernel keeps for a connection
  socket.write('GET /v1/search?value=needle HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(20))
  await new Promise((resolve) => server.once('request', resolve))
  const closed = new Promise<string>((resolve) => server.close(() => resolve('closed')))
  const late = new Promise<string>((resolve) => setTimeout(resolve, 8000, 'still open').unref())
  try {
    expect(await Promise.race([closed, late])).toBe('closed')
    expect(gaveUp().length).toBeGreaterThan(0)
  } finally {
    server.closeAllConnections()
    await registry.close()
  }
})
