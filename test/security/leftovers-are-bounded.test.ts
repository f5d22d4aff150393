/** What one user leaves open or unfinished: it has a limit that says what to do, it expires, and no request walks through it. */
import { readdir, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { LibraryLimits } from '../../src/core/index.js'
import type { MetadataStore } from '../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { expectStatus, makeContainer, makeImage, push } from '../support/push.js'
import { type Answer, createTestRegistry, type TestRegistry } from '../support/registry.js'
import { createWorld, sha256, until, type World } from './support.js'

let registry: TestRegistry | undefined
let world: World | undefined
afterEach(async () => {
  await registry?.close()
  await world?.close()
  registry = undefined
  world = undefined
})

const hash = (index: number): string => `sha256.${index.toString(16).padStart(64, '0')}`

async function withLimits(limits: LibraryLimits, metadata?: MetadataStore): Promise<TestRegistry> {
  registry = await createTestRegistry({ library: { limits }, ...(metadata && { metadata }) })
  return registry
}

function expectTooMany(answer: Answer, ...words: readonly string[]): void {
  expectStatus(answer, 429)
  expect(answer.headers['retry-after']).toBe('60')
  for (const word of words) expect(answer.json.error.message).toContain(word)
}

test('one user has no more uploads under way than they may, and others go on', async () => {
  const { call } = await withLimits({ maxPrincipalUploads: 3 })
  const start = async (token: 'alice' | 'bob', index: number): Promise<Answer> => {
    const { imageId } = await makeImage(registry as TestRegistry, { path: `${token}/a/b`, hash: hash(index) })
    return call('POST', `/v2/imagefile/${imageId}/_multipart`, { token, body: { filesize: 100 } })
  }
  const started: Answer[] = []
  for (let index = 0; index < 3; index += 1) started.push(expectStatus(await start('alice', index), 200))
  expectTooMany(await start('alice', 3), '3 uploads', 'finish or abort')
  expectStatus(await start('bob', 3), 200)
  const { imageId } = await makeImage(registry as TestRegistry, { path: 'alice/a/b', hash: hash(0) })
  const body = { uploadID: started[0]?.json.data.uploadID }
  expectStatus(await call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: 'alice', body }), 200)
  expectStatus(await start('alice', 3), 200)
  // all of them expire
  registry?.advance(49 * 3_600_000)
  expect(await registry?.library.sweep()).toMatchObject({ uploads: 4 })
  expectStatus(await start('alice', 4), 200)
})

test('an image takes no more uploads than it may: the own oldest one makes room, that of somebody else does not', async () => {
  const { call, metadata } = await withLimits({ maxImageUploads: 2 })
  const { imageId } = await makeImage(registry as TestRegistry, { path: 'alice/a/b', hash: hash(1) })
  const start = (token: string) => call('POST', `/v2/imagefile/${imageId}/_multipart`, { token, body: { filesize: 9 } })
  const ids: string[] = []
  for (let count = 0; count < 4; count += 1) ids.push(expectStatus(await start('alice'), 200).json.data.uploadID)
  const states = await Promise.all(ids.map(async (id) => (await metadata.uploads.find(id))?.state))
  expect(states).toEqual(['aborted', 'aborted', 'open', 'open'])
  expectTooMany(await start('admin'), '2 uploads of the image', 'wait')
})

test('a start and a complete look at no more uploads than an image may have, however many are open or ended', async () => {
  const sqlite = sqliteMetadata({ file: ':memory:' })
  let calls = 0
  let rows = 0
  const uploads: MetadataStore['uploads'] = {
    ...sqlite.uploads,
    create: (upload) => {
      calls += 1
      return sqlite.uploads.create(upload)
    },
    findOpen: async (...args) => {
      const found = await sqlite.uploads.findOpen(...args)
      calls += 1
      rows += found.length
      return found
    },
  }
  const { call, storage, now } = await withLimits({ maxEntityBytes: 3000 * 10 + 5 }, { ...sqlite, uploads })
  const { imageId, containerId, entityId } = await makeImage(registry as TestRegistry, {
    path: 'alice/a/b',
    hash: hash(1),
  })
  const principal = (await sqlite.accounts.findUser('alice'))?.id ?? ''
  // as an earlier version let them be made
  for (let index = 0; index < 3000; index += 1) {
    const id = index.toString(16).padStart(24, '0')
    await sqlite.uploads.create({
      ...{ id, kind: 'single', imageId, containerId, entityId, principal, key: `blobs/x/${id}`, size: 10 },
      ...{ digest: hash(1).slice(7), partSize: 10, totalParts: 1, backendUploadId: null, createdAt: now() + index },
      ...{ expiresAt: now() + 1e9, defaultQuotaBytes: 0 },
    })
  }
  let looks = 0
  const { stat: look } = storage
  Object.assign(storage, {
    stat: (key: string) => {
      looks += 1
      return look.call(storage, key)
    },
  })
  calls = 0
  // no room, also without the ten that give way
  expectStatus(await call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body: { filesize: 5000 } }), 403, 429)
  expectStatus(await call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} }), 409)
  expect(calls).toBeLessThan(16)
  expect(rows).toBeLessThanOrEqual(200)
  expect(looks).toBeLessThanOrEqual(120)
})

test('whoever starts and ends uploads all day leaves no more than a thousand records', {
  timeout: 120_000,
}, async () => {
  const { call, metadata } = await withLimits({})
  const { imageId } = await makeImage(registry as TestRegistry, { path: 'alice/a/b', hash: hash(1) })
  const ids: string[] = []
  for (let count = 0; count < 1100; count += 1) {
    const started = await call('POST', `/v2/imagefile/${imageId}/_multipart`, { token: 'alice', body: { filesize: 9 } })
    const body = { uploadID: expectStatus(started, 200).json.data.uploadID }
    ids.push(body.uploadID)
    expectStatus(await call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: 'alice', body }), 200)
  }
  const found = await Promise.all(ids.map((id) => metadata.uploads.find(id)))
  expect(found.filter((upload) => upload !== undefined).length).toBeLessThanOrEqual(1001)
})

test('images that were never uploaded have a limit, and expire', async () => {
  const { call, library, advance } = await withLimits({ maxPendingImages: 2 })
  const { containerId } = await makeContainer(registry as TestRegistry, 'alice/a/b')
  const create = (index: number) =>
    call('POST', '/v1/images', { token: 'alice', body: { hash: hash(index), container: containerId } })
  expectStatus(await create(1), 201)
  expectStatus(await create(2), 201)
  expectTooMany(await create(3), '2 images', 'push them')
  expectStatus(await create(2), 200)
  await push(registry as TestRegistry, 'bob/a/b', Buffer.from('of bob'))
  advance(47 * 3_600_000)
  expect(await library.sweep()).toMatchObject({ images: 0 })
  advance(2 * 3_600_000)
  const items: string[] = []
  const planned = await library.sweep({ dryRun: true, onItem: ({ kind, why }) => items.push(`${kind}: ${why}`) })
  expect(planned).toMatchObject({ images: 2 })
  expect(items).toEqual([expect.stringContaining('alice/a/b'), expect.stringContaining('never uploaded')])
  expect(await library.sweep()).toMatchObject({ images: 2, blobs: 0, orphans: 0 })
  expectStatus(await create(3), 201)
  expectStatus(await call('GET', '/v1/images/bob/a/b:latest'), 200)
})

test('collections, containers and images of an entity have a limit', async () => {
  const { call } = await withLimits({ maxEntityRecords: 4 })
  const { collectionId, entityId, containerId } = await push(registry as TestRegistry, 'alice/a/b', Buffer.from('one'))
  const token = 'alice'
  const make = (kind: string, body: object) => call('POST', `/v1/${kind}`, { token, body })
  expectStatus(await make('containers', { name: 'c', collection: collectionId }), 201)
  for (const refused of [
    await make('containers', { name: 'd', collection: collectionId }),
    await make('collections', { name: 'd', entity: entityId }),
    await make('images', { hash: hash(7), container: containerId }),
  ]) {
    expect(expectStatus(refused, 403).json.error.message).toContain('4 records')
    expect(refused.json.error.message).toContain('ask the operator')
  }
  // what is there is found, and a deleted image makes room
  expectStatus(await make('containers', { name: 'c', collection: collectionId }), 200)
  expectStatus(await call('DELETE', '/v1/images/alice/a/b:latest', { token }), 200)
  expectStatus(await make('images', { hash: hash(7), container: containerId }), 201)
})

test('the bytes of one upload come four times at once at the most: each time takes room that no quota counts', async () => {
  world = await createWorld()
  const token = world.tokens.alice as string
  const { containerId } = await world.place(token, 'alice/a/b')
  const bytes = Buffer.from('ten bytes.')
  const { id } = await world.createImage(token, containerId, bytes)
  const json = { filesize: 10, sha256sum: sha256(bytes) }
  const started = await world.call('POST', `/v2/imagefile/${id}`, { token, json })
  const url = new URL(started.json.data.uploadURL)
  const sockets = Array.from({ length: 4 }, () => {
    const socket = connect(Number(url.port), '127.0.0.1')
    socket.write(`PUT ${url.pathname} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nten `)
    return socket
  })
  const temporary = async () => (await readdir(join((world as World).directory, 'blobs', 'tmp'))).length
  await until(async () => (await temporary()) === 4)
  const refused = await world.call('PUT', url.href, { body: bytes })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5'])
  sockets[0]?.destroy()
  await until(async () => (await temporary()) === 3)
  expect((await world.call('PUT', url.href, { body: bytes })).status).toBe(200)
  for (const socket of sockets) socket.destroy()
  await until(async () => (await temporary()) === 0)
})

test('the journal of an upload ends, however often its parts are sent', async () => {
  world = await createWorld()
  const token = world.tokens.alice as string
  const { containerId } = await world.place(token, 'alice/a/b')
  const { id } = await world.createImage(token, containerId, Buffer.from('ten bytes.'))
  const call = (method: string, path: string, json: object) => (world as World).call(method, path, { token, json })
  const started = await call('POST', `/v2/imagefile/${id}/_multipart`, { filesize: 10 })
  const { uploadID } = started.json.data
  const presigned = await call('PUT', `/v2/imagefile/${id}/_multipart`, { uploadID, partSize: 10, partNumber: 1 })
  const send = () => (world as World).call('PUT', presigned.json.data.presignedURL, { body: 'ten bytes.' })
  expect((await send()).status).toBe(200)
  const uploads = join(world.directory, 'blobs', 'uploads')
  const journal = join(uploads, (await readdir(uploads))[0] ?? '', 'journal')
  const size = (await stat(journal)).size
  await writeFile(journal, '\n'.repeat(33 * 1024 ** 2), { flag: 'a' })
  const refused = await send()
  expect(refused.status).toBe(410)
  expect(refused.json.error.message).toContain('too often')
  expect((await stat(journal)).size).toBe(size + 33 * 1024 ** 2)
})
