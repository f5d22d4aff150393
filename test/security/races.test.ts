/** Many clients at once, over HTTP: what was acknowledged stays, what is visible is whole, and nobody gets a 5xx. */
import { request as httpRequest } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Answer, createWorld, expectStatus, hashOf, sha256, someBytes, until, type World } from './support.js'

let world: World
let bob: string

beforeEach(async () => {
  world = await createWorld({ limits: { partBytes: 1000 } })
  bob = world.tokens.bob as string
})
afterEach(() => world.close())

const times = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)))

/** Every visible image gives the bytes of its hash; and after a sweep the storage holds exactly the blobs that are recorded, and nothing is reserved. */
async function expectSound(): Promise<void> {
  for (const { image, container } of await world.metadata.images.list({
    limit: 1000,
    states: ['published', 'unproven'],
  })) {
    const reference = `${container.entityName}/${container.collectionName}/${container.name}:sha256.${image.digest}`
    const pulled = await world.pull(reference, world.tokens.root)
    expect(pulled === undefined ? undefined : sha256(pulled)).toBe(image.digest)
  }
  world.ahead += 100_000_000
  await world.library.sweep({ graceSeconds: 0, stuckSeconds: 0 })
  const blobs = await world.rows('blobs')
  expect(await world.files()).toEqual(
    Object.fromEntries(blobs.map(({ blob_key, digest }) => [`keys/${blob_key}`, digest])),
  )
  const used = new Map<unknown, number>()
  const containers = new Map((await world.rows('containers')).map(({ id, entity_id }) => [id, entity_id]))
  for (const { container_id, size } of await world.rows('images')) {
    const entity = containers.get(container_id)
    used.set(entity, (used.get(entity) ?? 0) + (size as number))
  }
  for (const { id, used_bytes, reserved_bytes } of await world.rows('entities'))
    expect([used_bytes, reserved_bytes]).toEqual([used.get(id) ?? 0, 0])
}

interface Started {
  readonly uploadID: string
  readonly complete: () => Promise<Answer>
  readonly abort: () => Promise<Answer>
}

async function sendParts(
  id: string,
  bytes: Buffer,
  through: readonly World[] = [world],
  token = bob,
): Promise<Started> {
  let turn = 0
  const next = (): World => {
    turn += 1
    return through[turn % through.length] as World
  }
  const { uploadID } = expectStatus(
    await next().call('POST', `/v2/imagefile/${id}/_multipart`, { token, json: { filesize: bytes.length } }),
    200,
  ).json.data
  const completedParts: unknown[] = []
  for (let partNumber = 1; (partNumber - 1) * 1000 < bytes.length; partNumber += 1) {
    const part = bytes.subarray((partNumber - 1) * 1000, partNumber * 1000)
    const json = { uploadID, partNumber, partSize: part.length, sha256sum: sha256(part) }
    const { presignedURL } = expectStatus(
      await next().call('PUT', `/v2/imagefile/${id}/_multipart`, { token, json }),
      200,
    ).json.data
    // whichever server signed it, any of them takes it
    const { pathname } = new URL(presignedURL)
    const sent = expectStatus(await next().call('PUT', pathname, { body: part }), 200)
    completedParts.push({ partNumber, token: sent.headers.get('etag') })
  }
  return {
    uploadID,
    complete: () =>
      next().call('PUT', `/v2/imagefile/${id}/_multipart_complete`, { token, json: { uploadID, completedParts } }),
    abort: () => next().call('PUT', `/v2/imagefile/${id}/_multipart_abort`, { token, json: { uploadID } }),
  }
}

test('50 clients of one user push the same image at once: all succeed, one blob remains', {
  timeout: 60_000,
}, async () => {
  const bytes = someBytes(5000)
  const pushed = await times(50, () => world.push(bob, 'bob/c/n', bytes, 'v1'))
  expect(new Set(pushed.map(({ imageId }) => imageId)).size).toBe(1)
  expect(await world.pull('bob/c/n:v1')).toEqual(bytes)
  await expectSound()
  expect(Object.keys(await world.files())).toHaveLength(1)
})

test('50 clients of 50 users push the same image at once, by all three ways: all succeed, one blob remains', {
  timeout: 60_000,
}, async () => {
  const bytes = someBytes(5000)
  await world.place(world.tokens.root as string, 'lab/c/n')
  const answers = await times(50, async (index) => {
    await world.library.accounts.addUser({ name: `user${index}`, groups: ['lab'] })
    const { token } = await world.library.accounts.createToken({ user: `user${index}` })
    if (index % 3 === 0) return (await world.push(token, 'lab/c/n', bytes)).imageId
    const { containerId } = await world.place(token, 'lab/c/n')
    const { id, uploaded } = await world.createImage(token, containerId, bytes)
    if (!uploaded && index % 3 === 1)
      expectStatus(await world.call('POST', `/v1/imagefile/${id}`, { token, body: bytes }), 200)
    if (!uploaded && index % 3 === 2) expectStatus(await (await sendParts(id, bytes, [world], token)).complete(), 200)
    return id
  })
  expect(new Set(answers).size).toBe(1)
  expect(await world.pull(`lab/c/n:${hashOf(bytes)}`)).toEqual(bytes)
  await expectSound()
  expect(Object.keys(await world.files())).toHaveLength(1)
})

test('two push different images to one tag: one wins, both images exist', async () => {
  for (let round = 0; round < 10; round += 1) {
    const both = [someBytes(), someBytes()]
    await Promise.all(both.map((bytes) => world.push(bob, 'bob/c/n', bytes, 'latest')))
    const tagged = await world.pull('bob/c/n:latest')
    expect(both.filter((bytes) => bytes.equals(tagged ?? Buffer.alloc(0)))).toHaveLength(1)
    for (const bytes of both) expect(await world.pull(`bob/c/n:${hashOf(bytes)}`)).toEqual(bytes)
  }
  await expectSound()
})

test('delete during pull: the pull under way ends whole, also over a sweep; a new one is 404', {
  timeout: 60_000,
}, async () => {
  const bytes = someBytes(24 * 1024 * 1024)
  await world.push(bob, 'bob/c/n', bytes, 'v1')
  const url = (await world.call('GET', '/v1/imagefile/bob/c/n:v1')).headers.get('location') ?? ''
  const pulled = await new Promise<Buffer>((resolve, reject) => {
    httpRequest(url, { agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.once('data', () => {
        response.pause()
        void (async () => {
          expectStatus(await world.call('DELETE', '/v1/images/bob/c/n:v1?arch=amd64', { token: bob }), 200)
          world.ahead += 10_000
          const swept = await world.library.sweep({ graceSeconds: 0 })
          if (swept.blobs !== 1) throw new Error('the blob was not swept')
          response.resume()
        })().catch(reject)
      })
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => resolve(Buffer.concat(chunks)))
      response.on('error', reject)
    }).end()
  })
  expect(pulled.equals(bytes)).toBe(true)
  expectStatus(await world.call('GET', '/v1/images/bob/c/n:v1'), 404)
  // the URL of the pull is still signed; what it led to is gone
  expectStatus(await world.call('GET', url), 410)
  await expectSound()
})

test('delete while completing: either the push or the delete comes first, and nothing is left between', {
  timeout: 60_000,
}, async () => {
  for (let round = 0; round < 15; round += 1) {
    const bytes = someBytes(3000)
    const { containerId } = await world.place(bob, 'bob/c/n')
    const { id } = await world.createImage(bob, containerId, bytes)
    const upload = await sendParts(id, bytes)
    const [completed, deleted] = await Promise.all([
      upload.complete(),
      world.call('DELETE', `/v1/images/bob/c/n:${hashOf(bytes)}`, { token: bob }),
    ])
    expectStatus(deleted, 200)
    expectStatus(completed, 200, 404, 410)
    expectStatus(await world.call('GET', `/v1/images/bob/c/n:${hashOf(bytes)}`, { token: bob }), 404)
  }
  await expectSound()
})

test('abort against complete: one of them ends the upload', { timeout: 60_000 }, async () => {
  const seen = new Set<number>()
  for (let round = 0; round < 20; round += 1) {
    const bytes = someBytes(3000)
    const { containerId } = await world.place(bob, 'bob/c/n')
    const { id } = await world.createImage(bob, containerId, bytes)
    const upload = await sendParts(id, bytes)
    const calls = [upload.complete, upload.abort]
    if (round % 2 === 1) calls.reverse()
    const answers = await Promise.all(calls.map((run) => run()))
    const [completed, aborted] = (round % 2 === 1 ? answers.reverse() : answers) as [Answer, Answer]
    expectStatus(aborted, 200)
    expectStatus(completed, 200, 409, 410)
    seen.add(completed.status)
    const pulled = await world.pull(`bob/c/n:${hashOf(bytes)}`)
    if (completed.status === 200) expect(pulled).toEqual(bytes)
    else expect(pulled).toBeUndefined()
  }
  expect(seen.size).toBeGreaterThan(0)
  await expectSound()
})

test('many completes of one upload at once: at least one succeeds, none is a 5xx, and it is published once', async () => {
  for (let round = 0; round < 10; round += 1) {
    const bytes = someBytes(3000)
    const { containerId } = await world.place(bob, 'bob/c/n')
    const { id } = await world.createImage(bob, containerId, bytes)
    const upload = await sendParts(id, bytes)
    const answers = await times(5, () => upload.complete())
    for (const answer of answers) expectStatus(answer, 200, 409)
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0)
    expectStatus(await upload.complete(), 200)
    expect(await world.pull(`bob/c/n:${hashOf(bytes)}`)).toEqual(bytes)
  }
  await expectSound()
})

test('sweeps without grace during pushes never cost an acknowledged byte', { timeout: 120_000 }, async () => {
  let running = true
  let sweeps = 0
  const sweeper = (async () => {
    while (running) {
      await world.library.sweep({ graceSeconds: 0 })
      sweeps += 1
      // the clock of the registry runs on, so that files of this moment count as old
      world.ahead += 50
    }
  })()
  const acknowledged: Buffer[] = []
  try {
    await times(4, async (worker) => {
      for (let round = 0; round < 12; round += 1) {
        const bytes = someBytes(2500)
        if (round % 2 === 0) {
          await world.push(bob, `bob/c/n${worker}`, bytes, 'v1')
        } else {
          const { containerId } = await world.place(bob, `bob/c/n${worker}`)
          const { id } = await world.createImage(bob, containerId, bytes)
          expectStatus(await (await sendParts(id, bytes)).complete(), 200)
        }
        acknowledged.push(bytes)
        expect(await world.pull(`bob/c/n${worker}:${hashOf(bytes)}`)).toEqual(bytes)
      }
    })
  } finally {
    running = false
    await sweeper
  }
  expect(sweeps).toBeGreaterThan(1)
  expect(acknowledged).toHaveLength(48)
  await expectSound()
  expect(Object.values(await world.files()).sort()).toEqual(acknowledged.map((bytes) => sha256(bytes)).sort())
})

test('two servers over one database and one folder share a push, call by call', { timeout: 60_000 }, async () => {
  const second = await createWorld({ directory: world.directory, users: false, limits: { partBytes: 1000 } })
  try {
    for (let round = 0; round < 5; round += 1) {
      const bytes = someBytes(3500)
      const { containerId } = await second.place(bob, 'bob/c/n')
      const { id } = await world.createImage(bob, containerId, bytes)
      expectStatus(await (await sendParts(id, bytes, [world, second])).complete(), 200)
      expect(await world.pull(`bob/c/n:${hashOf(bytes)}`)).toEqual(bytes)
      expect(await second.pull(`bob/c/n:${hashOf(bytes)}`)).toEqual(bytes)
    }
    // and the same image through both at once
    const bytes = someBytes(3500)
    await times(20, (index) => (index % 2 === 0 ? world : second).push(bob, 'bob/c/n', bytes, `v${index}`))
    for (const version of [0, 19]) expect(await second.pull(`bob/c/n:v${version}`)).toEqual(bytes)
    // what one of them revokes is void at the other at once
    const { token, info } = await world.library.accounts.createToken({ user: 'bob' })
    expectStatus(await second.call('GET', '/v1/entities/bob', { token }), 200)
    await world.library.accounts.revokeToken(info.id)
    expectStatus(await second.call('GET', '/v1/entities/bob', { token }), 401)
    await until(() => true)
  } finally {
    await second.close()
  }
  await expectSound()
})

test('quota: clients that start at once can not pass it together', async () => {
  const small = await createWorld({ limits: { maxEntityBytes: 10_000, partBytes: 1000 } })
  try {
    const token = small.tokens.bob as string
    const { containerId } = await small.place(token, 'bob/c/n')
    const images = await times(30, async () => small.createImage(token, containerId, someBytes()))
    const starts = await Promise.all(
      images.map(({ id }) => small.call('POST', `/v2/imagefile/${id}`, { token, json: { filesize: 1000 } })),
    )
    expect(starts.filter(({ status }) => status === 200)).toHaveLength(10)
    expect(starts.filter(({ status }) => status === 403)).toHaveLength(20)
  } finally {
    await small.close()
  }
})
