/** Writes that may not be are refused before their body comes, and the bodies of others have a bound over all connections. */
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createWorld, noId, type Place, until, type World } from './support.js'

let world: World
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await world.close()
})

interface Conversation {
  readonly socket: Socket
  readonly text: () => string
  readonly closed: () => boolean
}

/** Sends the head of a request and the beginning of its body, no more. */
function begin(
  method: string,
  path: string,
  options: { readonly token?: string | undefined; readonly length: number; readonly body?: string },
): Conversation {
  const socket = connect(world.port, '127.0.0.1')
  sockets.push(socket)
  let text = ''
  let closed = false
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
  })
  const auth = options.token === undefined ? '' : `authorization: Bearer ${options.token}\r\n`
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\n${auth}content-length: ${options.length}\r\n\r\n`)
  socket.write(options.body ?? '')
  return { socket, text: () => text, closed: () => closed }
}

const answered = (conversation: Conversation): Promise<unknown> =>
  until(async () => /\r\n\r\n.*\}$/s.test(conversation.text()))

const writes = (place: Place, imageId: string): readonly (readonly [string, string])[] => [
  ['POST', '/v1/entities'],
  ['POST', '/v1/collections'],
  ['POST', '/v1/containers'],
  ['POST', '/v1/images'],
  ['POST', `/v1/imagefile/${imageId}`],
  ['POST', `/v2/imagefile/${imageId}`],
  ['PUT', `/v2/imagefile/${imageId}/_complete`],
  ['POST', `/v2/imagefile/${imageId}/_multipart`],
  ['PUT', `/v2/imagefile/${imageId}/_multipart`],
  ['PUT', `/v2/imagefile/${imageId}/_multipart_complete`],
  ['PUT', `/v2/imagefile/${imageId}/_multipart_abort`],
  ['POST', `/v1/tags/${place.containerId}`],
  ['POST', `/v2/tags/${place.containerId}`],
]

test('nobody’s writes are 401 before a byte of the body came, and the connection serves the next request', async () => {
  world = await createWorld()
  const bob = world.tokens.bob as string
  const place = await world.place(bob, 'bob/a/b')
  const { id } = await world.createImage(bob, place.containerId, Buffer.from('x'))
  for (const [method, path] of writes(place, id)) {
    const asked = begin(method, path, { length: 1000 })
    await answered(asked)
    expect(asked.text(), path).toMatch(/^HTTP\/1\.1 401 /)
    expect(asked.text().toLowerCase(), path).toContain('www-authenticate: bearer')
    expect(asked.text(), path).toContain('log in to push')
    // the client sends the rest before it looks at the answer
    asked.socket.write(`${' '.repeat(1000)}GET /version HTTP/1.1\r\nhost: x\r\n\r\n`)
    await until(async () => asked.text().includes('apiVersion'))
    expect(asked.closed()).toBe(false)
  }
})

test('a stranger reads no from rows that name their resource by an id before a byte of the body came', async () => {
  world = await createWorld()
  const bob = world.tokens.bob as string
  const place = await world.place(bob, 'bob/a/b')
  const { id } = await world.createImage(bob, place.containerId, Buffer.from('x'))
  for (const [method, path] of writes(place, id).slice(4)) {
    const asked = begin(method, path, { token: world.tokens.mallory, length: 1000 })
    await answered(asked)
    expect(asked.text(), path).toMatch(/^HTTP\/1\.1 40[34] /)
  }
  const unknown = begin('POST', `/v2/imagefile/${noId}`, { token: bob, length: 1000 })
  await answered(unknown)
  expect(unknown.text()).toMatch(/^HTTP\/1\.1 404 /)
})

test('a host may let everybody write: then it is asked', async () => {
  world = await createWorld({ auth: { authorize: () => true } })
  expect((await world.call('POST', '/v1/entities', { json: { name: 'open' } })).status).toBe(201)
  await world.close()
  world = await createWorld({ auth: { authorize: () => true, anonymousWrites: false } })
  expect((await world.call('POST', '/v1/entities', { json: { name: 'open' } })).status).toBe(401)
})

test('who lost their right while they sent the body slowly is refused', async () => {
  let allowed = true
  world = await createWorld({
    auth: { authenticate: () => ({ id: 'a', name: 'a' }), authorize: ({ action }) => action === 'pull' || allowed },
  })
  const { containerId } = await world.place('', 'bob/a/b')
  const image = await world.createImage('', containerId, Buffer.from('x'))
  const body = JSON.stringify({ filesize: 1 })
  const slow = begin('POST', `/v2/imagefile/${image.id}`, { length: body.length, body: body.slice(0, 5) })
  await new Promise((resolve) => setTimeout(resolve, 1200))
  allowed = false
  slow.socket.write(body.slice(5))
  await answered(slow)
  expect(slow.text()).toMatch(/^HTTP\/1\.1 403 /)
})

test('bodies that come at once have a bound, one user takes a quarter of it, and idle ones end soon', async () => {
  world = await createWorld({ limits: { maxJsonBodies: 8, idleSeconds: 2 } })
  const { alice, bob, root, mallory } = world.tokens
  const hold = (token: string | undefined): Conversation =>
    begin('POST', '/v1/entities', { token, length: 100, body: '{' })
  const held = [hold(alice), hold(alice)]
  await new Promise((resolve) => setTimeout(resolve, 100))
  const own = hold(alice)
  await answered(own)
  expect(own.text()).toMatch(/^HTTP\/1\.1 503 /)
  expect(own.text().toLowerCase()).toContain('retry-after: 5')
  held.push(hold(bob), hold(bob), hold(root), hold(root), hold(mallory), hold(mallory))
  await new Promise((resolve) => setTimeout(resolve, 100))
  const { token } = await world.library.accounts
    .addUser({ name: 'late' })
    .then(() => world.library.accounts.createToken({ user: 'late' }))
  expect((await world.call('POST', '/v1/entities', { token, json: { name: 'late' } })).status).toBe(503)
  // what needs no body goes on
  expect((await world.call('GET', '/v1/search?value=late')).status).toBe(200)
  for (const each of held) {
    await answered(each)
    expect(each.text()).toMatch(/^HTTP\/1\.1 408 /)
  }
  expect((await world.call('POST', '/v1/entities', { token, json: { name: 'late' } })).status).toBe(201)
})

test('the bytes of bodies under way have a bound', async () => {
  world = await createWorld({ limits: { maxJsonBodiesBytes: 400_000, idleSeconds: 2 } })
  const bob = world.tokens.bob as string
  const { containerId } = await world.place(bob, 'bob/a/b')
  const { id } = await world.createImage(bob, containerId, Buffer.from('x'))
  const start = (): Conversation =>
    begin('PUT', `/v2/imagefile/${id}/_multipart_complete`, { token: bob, length: 300_000, body: ' '.repeat(70_000) })
  start()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const second = start()
  await answered(second)
  expect(second.text()).toMatch(/^HTTP\/1\.1 503 /)
})

test('a body that names one thing is no larger than that needs', async () => {
  world = await createWorld()
  const token = world.tokens.bob as string
  const place = await world.place(token, 'bob/a/b')
  const description = '\u{1}'.repeat(16_384)
  const make = (json: object) => world.call('POST', '/v1/containers', { token, json })
  expect((await make({ name: 'c', collection: place.collectionId, description })).status).toBe(201)
  expect((await make({ name: 'd', collection: place.collectionId, ignored: 'x'.repeat(140_000) })).status).toBe(413)
})

test('a connection that asks for many things and reads none is cut', async () => {
  world = await createWorld()
  const socket = connect(world.port, '127.0.0.1')
  sockets.push(socket)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.on('error', () => {})
  socket.write('GET /v1/search?value=nothing HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(200))
  await closed
  expect(text.match(/HTTP\/1\.1 200 /g)?.length).toBe(32)
  expect(text).toMatch(/HTTP\/1\.1 503 /)
})
