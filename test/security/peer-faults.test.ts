/** The faults that were found in the existing servers, request by request. Each test is named after its number in the list of findings; the answer is what this registry must say. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createWorld,
  exists,
  expectRefusal,
  expectStatus,
  hashOf,
  noId,
  openFiles,
  sha256,
  someBytes,
  until,
  type World,
} from './support.js'

const MiB = 1024 * 1024

let world: World
let bob: string
let mallory: string
let made = 0
/** A container path that no other test uses. */
const fresh = (user: string): string => {
  made += 1
  return `${user}/c${made}/n`
}

beforeAll(async () => {
  world = await createWorld({ limits: { partBytes: 1000, idleSeconds: 5 } })
  bob = world.tokens.bob as string
  mallory = world.tokens.mallory as string
})
afterAll(() => world.close())

async function privatePush(tag = 'secret') {
  const path = fresh('bob')
  const bytes = someBytes()
  const pushed = await world.push(bob, path, bytes, tag)
  await world.library.visibility(path, 'private')
  return { path, bytes, ...pushed }
}

/** Starts a multipart push of bob's: three parts of 1,000 bytes but the last. */
async function bobsUpload(bytes = someBytes(2500)) {
  const path = fresh('bob')
  const place = await world.place(bob, path)
  const { id } = await world.createImage(bob, place.containerId, bytes)
  const start = expectStatus(
    await world.call('POST', `/v2/imagefile/${id}/_multipart`, { token: bob, json: { filesize: bytes.length } }),
    200,
  )
  const part = (partNumber: number, token = bob, imageId = id) => {
    const slice = bytes.subarray((partNumber - 1) * 1000, partNumber * 1000)
    const json = { partSize: slice.length, uploadID: start.json.data.uploadID, partNumber, sha256sum: sha256(slice) }
    return world.call('PUT', `/v2/imagefile/${imageId}/_multipart`, { token, json })
  }
  const sendPart = async (partNumber: number) => {
    const { presignedURL } = expectStatus(await part(partNumber), 200).json.data
    const sent = expectStatus(
      await world.call('PUT', presignedURL, { body: bytes.subarray((partNumber - 1) * 1000, partNumber * 1000) }),
      200,
    )
    return { partNumber, token: sent.headers.get('etag') ?? '' }
  }
  const complete = (completedParts: unknown, token = bob) =>
    world.call('PUT', `/v2/imagefile/${id}/_multipart_complete`, {
      token,
      json: { uploadID: start.json.data.uploadID, completedParts },
    })
  return { path, bytes, id, ...place, uploadID: start.json.data.uploadID as string, part, sendPart, complete }
}

test('S1: a stranger cannot start an upload on the image of somebody else, published or not, public or private', async () => {
  const path = fresh('bob')
  const bytes = someBytes()
  const { imageId } = await world.push(bob, path, bytes, 'v1')
  const hidden = await privatePush()
  const pending = await bobsUpload()
  for (const [id, status] of [
    [imageId, 403],
    [pending.id, 403],
    [hidden.imageId, 404],
  ] as const) {
    expectRefusal(
      await world.call('POST', `/v2/imagefile/${id}/_multipart`, { token: mallory, json: { filesize: 1000 } }),
      status,
    )
    expectRefusal(await world.call('POST', `/v2/imagefile/${id}`, { token: mallory, json: { filesize: 1000 } }), status)
    expectRefusal(
      await world.call('PUT', `/v2/imagefile/${id}/_multipart`, {
        token: mallory,
        json: { partSize: 1000, uploadID: pending.uploadID, partNumber: 1 },
      }),
      status,
    )
    const complete = { uploadID: pending.uploadID, completedParts: [{ partNumber: 1, token: 'x' }] }
    expectRefusal(
      await world.call('PUT', `/v2/imagefile/${id}/_multipart_complete`, { token: mallory, json: complete }),
      status,
    )
    expectRefusal(await world.call('PUT', `/v2/imagefile/${id}/_complete`, { token: mallory, json: {} }), status)
    expectRefusal(await world.call('POST', `/v1/imagefile/${id}`, { token: mallory, body: someBytes() }), status)
  }
  expect(await world.pull(`${path}:v1`)).toEqual(bytes)
  expect(await world.pull(`${hidden.path}:secret`, bob)).toEqual(hidden.bytes)
})

test('S1: not even the owner can put other bytes behind a published hash', async () => {
  const path = fresh('bob')
  const bytes = someBytes(1500)
  const other = someBytes(1500)
  const { imageId } = await world.push(bob, path, bytes, 'v1')
  const direct = await world.call('POST', `/v1/imagefile/${imageId}`, { token: bob, body: other })
  expectRefusal(direct, 422)
  const start = await world.call('POST', `/v2/imagefile/${imageId}`, { token: bob, json: { filesize: 1500 } })
  if (start.status === 200) {
    expectRefusal(await world.call('PUT', start.json.data.uploadURL, { body: other }), 422)
    await world.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: bob, json: {} })
  }
  expect(await world.pull(`${path}:v1`)).toEqual(bytes)
})

test('S2: abort ends only one’s own upload and never removes an image', async () => {
  const path = fresh('bob')
  const bytes = someBytes()
  const { imageId } = await world.push(bob, path, bytes, 'v1')
  const hidden = await privatePush()
  for (const json of [{}, { uploadID: noId }, { uploadID: '1' }]) {
    expectRefusal(
      await world.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: mallory, json }),
      [400, 403],
    )
    expectRefusal(
      await world.call('PUT', `/v2/imagefile/${hidden.imageId}/_multipart_abort`, { token: mallory, json }),
      [400, 404],
    )
  }
  expectRefusal(
    await world.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: mallory, json: { uploadID: noId } }),
    403,
  )
  for (const id of ['1', '2', '3']) {
    expectRefusal(
      await world.call('PUT', `/v2/imagefile/${id}/_multipart_abort`, { token: mallory, json: { uploadID: '1' } }),
      404,
    )
  }
  expect(await world.pull(`${path}:v1`)).toEqual(bytes)
  const upload = await bobsUpload()
  const own = () =>
    world.call('PUT', `/v2/imagefile/${upload.id}/_multipart_abort`, {
      token: bob,
      json: { uploadID: upload.uploadID },
    })
  expectStatus(await own(), 200)
  expectStatus(await own(), 200)
  expect(
    (await world.call('GET', `/v1/images/${upload.path}:${hashOf(upload.bytes)}`, { token: bob })).json.data.uploaded,
  ).toBe(false)
})

test('S3: the same container name and tag in two collections touch each other in nothing', async () => {
  const bytes = someBytes()
  const hers = someBytes()
  await world.push(bob, 'bob/bobc/app', bytes, 'v1')
  const pushed = await world.push(mallory, 'mallory/hers/app', hers)
  const files = Object.values(await world.files())
  expectStatus(
    await world.call('POST', `/v1/tags/${pushed.containerId}`, {
      token: mallory,
      json: { Tag: 'v1', ImageID: pushed.imageId },
    }),
    200,
  )
  expect(await world.pull('bob/bobc/app:v1')).toEqual(bytes)
  expect(await world.pull('mallory/hers/app:v1')).toEqual(hers)
  expect(Object.values(await world.files())).toEqual(files)
})

test('S4: nor does it where the first is private (there is no frozen tag here)', async () => {
  const bytes = someBytes()
  const hers = someBytes()
  await world.push(bob, 'bob/frozen/app', bytes, 'v1')
  await world.library.visibility('bob/frozen', 'private')
  const pushed = await world.push(mallory, 'mallory/frozen/app', hers)
  expectStatus(
    await world.call('POST', `/v1/tags/${pushed.containerId}`, {
      token: mallory,
      json: { Tag: 'v1', ImageID: pushed.imageId },
    }),
    200,
  )
  expect(await world.pull('mallory/frozen/app:v1')).toEqual(hers)
  expect(await world.pull(`mallory/frozen/app:${hashOf(hers)}`)).toEqual(hers)
  expect(await world.pull('bob/frozen/app:v1', bob)).toEqual(bytes)
})

test('S5: many collections may hold the same name:tag, and tagging goes on', async () => {
  for (const [token, path] of [
    [bob, 'bob/one/ubuntu'],
    [mallory, 'mallory/one/ubuntu'],
    [bob, 'bob/two/ubuntu'],
  ] as const) {
    const first = someBytes()
    const second = someBytes()
    await world.push(token, path, first, 'latest')
    const { containerId, imageId } = await world.push(token, path, second)
    expectStatus(
      await world.call('POST', `/v1/tags/${containerId}`, { token, json: { Tag: 'latest', ImageID: imageId } }),
      200,
    )
    expect(await world.pull(`${path}:latest`)).toEqual(second)
    expect(await world.pull(`${path}:${hashOf(first)}`)).toEqual(first)
  }
})

test('S6: a stranger cannot tag an image of somebody else', async () => {
  const path = fresh('bob')
  const bytes = someBytes()
  const pushed = await world.push(bob, path, bytes, 'v1')
  const hidden = await privatePush()
  for (const version of ['v1', 'v2']) {
    const json = { Tag: 'hijack', Arch: 'amd64', ImageID: pushed.imageId }
    expectRefusal(await world.call('POST', `/${version}/tags/${pushed.containerId}`, { token: mallory, json }), 403)
    expectRefusal(await world.call('POST', `/${version}/tags/x`, { token: mallory, json }), 404)
    expectRefusal(
      await world.call('POST', `/${version}/tags/${hidden.containerId}`, {
        token: mallory,
        json: { ...json, ImageID: hidden.imageId },
      }),
      404,
    )
  }
  expect(await world.pull(`${path}:v1`)).toEqual(bytes)
  expectRefusal(await world.call('GET', `/v1/images/${path}:hijack`), 404)
})

test('S7: tags of a private container are hidden from strangers, and the answer tells nothing', async () => {
  const hidden = await privatePush()
  for (const version of ['v1', 'v2']) {
    const answer = await world.call('GET', `/${version}/tags/${hidden.containerId}`, { token: mallory })
    expectRefusal(answer, 404)
    expect(answer.text).not.toContain('bob')
    expectRefusal(await world.call('GET', `/${version}/tags/${hidden.containerId}`), 404)
    expectStatus(await world.call('GET', `/${version}/tags/${hidden.containerId}`, { token: bob }), 200)
  }
})

test('S8: there are no lists of everything', async () => {
  const hidden = await privatePush()
  for (const path of ['/v1/collections', '/v1/entities', '/v1/containers', '/v1/images', '/v1/tags', '/v2/tags']) {
    const answer = await world.call('GET', path, { token: mallory })
    expectRefusal(answer, [404, 405])
    expect(answer.text).not.toContain(hidden.containerId)
  }
})

test('S9: complete needs a token and bytes, and tells nobody which ids exist', async () => {
  const path = fresh('bob')
  const place = await world.place(bob, path)
  const { id } = await world.createImage(bob, place.containerId, someBytes())
  const known = await world.call('PUT', `/v2/imagefile/${id}/_complete`, { json: {} })
  const unknown = await world.call('PUT', `/v2/imagefile/${noId}/_complete`, { json: {} })
  expectRefusal(known, 401)
  expectRefusal(unknown, 401)
  expect(known.json).toEqual(unknown.json)
  expectRefusal(await world.call('PUT', `/v2/imagefile/${id}/_complete`, { token: mallory, json: {} }), 403)
  expectRefusal(await world.call('PUT', `/v2/imagefile/${id}/_complete`, { token: bob, json: {} }), [400, 409])
  expect((await world.call('GET', `/v1/images/${path}:${hashOf(someBytes())}`, { token: bob })).status).toBe(404)
})

test('S10: GET writes nothing', async () => {
  const path = fresh('bob')
  await world.place(bob, path)
  const { containerId } = await world.place(bob, path)
  const bytes = someBytes()
  const before = await world.dump()
  const hash = hashOf(bytes)
  await Promise.all(
    Array.from({ length: 20 }, () =>
      world.call('GET', `/v1/images/${path}:${hash}?arch=amd64`, { token: bob }).then((a) => expectRefusal(a, 404)),
    ),
  )
  expect(await world.dump()).toEqual(before)
  const made = await Promise.all(Array.from({ length: 20 }, () => world.createImage(bob, containerId, bytes)))
  expect(new Set(made.map(({ id }) => id)).size).toBe(1)
  await Promise.all(
    Array.from({ length: 20 }, () =>
      world.call('GET', `/v1/images/${path}:${hash}?arch=amd64`, { token: bob }).then((a) => expectStatus(a, 200)),
    ),
  )
  const images = await world.rows('images')
  expect(images.filter(({ container_id }) => container_id === containerId)).toHaveLength(1)
})

test('S11: bytes with another hash are never published, by any of the three ways', async () => {
  const path = fresh('bob')
  const place = await world.place(bob, path)
  const claimed = someBytes(1500)
  const other = someBytes(1500)
  const { id } = await world.createImage(bob, place.containerId, claimed)
  expectRefusal(await world.call('POST', `/v1/imagefile/${id}`, { token: bob, body: other }), 422)
  const single = expectStatus(
    await world.call('POST', `/v2/imagefile/${id}`, { token: bob, json: { filesize: 1500 } }),
    200,
  )
  expectRefusal(await world.call('PUT', single.json.data.uploadURL, { body: other }), 422)
  expectRefusal(await world.call('PUT', `/v2/imagefile/${id}/_complete`, { token: bob, json: {} }), 409)
  const multi = expectStatus(
    await world.call('POST', `/v2/imagefile/${id}/_multipart`, { token: bob, json: { filesize: 1500 } }),
    200,
  )
  const { uploadID } = multi.json.data
  const completedParts: unknown[] = []
  for (const [index, slice] of [other.subarray(0, 1000), other.subarray(1000)].entries()) {
    const json = { partSize: slice.length, uploadID, partNumber: index + 1, sha256sum: sha256(slice) }
    const { presignedURL } = expectStatus(
      await world.call('PUT', `/v2/imagefile/${id}/_multipart`, { token: bob, json }),
      200,
    ).json.data
    const sent = expectStatus(await world.call('PUT', presignedURL, { body: slice }), 200)
    completedParts.push({ partNumber: index + 1, token: sent.headers.get('etag') })
  }
  expectRefusal(
    await world.call('PUT', `/v2/imagefile/${id}/_multipart_complete`, {
      token: bob,
      json: { uploadID, completedParts },
    }),
    422,
  )
  const image = expectStatus(await world.call('GET', `/v1/images/${path}:${hashOf(claimed)}`, { token: bob }), 200)
  expect(image.json.data.uploaded).toBe(false)
  expectRefusal(await world.call('GET', `/v1/images/${path}:${hashOf(claimed)}`), 404)
  expect(await world.pull(`${path}:${hashOf(claimed)}`, bob)).toBeUndefined()
  expect(Object.values(await world.files())).not.toContain(sha256(other))
})

test('S12: an anonymous look at a private tag is the same 404 as at an absent one', async () => {
  const hidden = await privatePush('tag')
  for (const route of ['images', 'imagefile']) {
    const secret = await world.call('GET', `/v1/${route}/${hidden.path}:tag`)
    const absent = await world.call('GET', `/v1/${route}/${hidden.path.replace('/n', '/m')}:tag`)
    expectRefusal(secret, 404)
    expectRefusal(absent, 404)
    expect(secret.json.error.message.replace('/n:', '/m:')).toBe(absent.json.error.message)
  }
})

test('S13: malformed input is a 400 in JSON', async () => {
  const path = fresh('bob')
  const place = await world.place(bob, path)
  const { id } = await world.createImage(bob, place.containerId, someBytes())
  const refuse = async (
    method: string,
    route: string,
    options: { json?: unknown; body?: string },
    status: number | number[],
    field?: string,
  ) => expectRefusal(await world.call(method, route, { token: bob, ...options }), status, field)
  await refuse('POST', '/v1/entities', { body: '{' }, 400, 'JSON')
  await refuse('POST', '/v1/images', { body: '[1,2' }, 400, 'JSON')
  await refuse('POST', `/v2/imagefile/${id}/_multipart`, { json: { filesize: 'much' } }, 400, 'filesize')
  await refuse('POST', `/v2/imagefile/${id}`, { json: {} }, 400, 'filesize')
  await refuse('POST', '/v1/images', { json: {} }, 400, 'hash')
  await refuse('POST', `/v1/tags/${place.containerId}`, { json: {} }, 400, 'tag')
  await refuse('POST', '/v2/imagefile/abc', { json: { filesize: 1 } }, 404)
  await refuse('PUT', '/v2/imagefile/12/_complete', { json: {} }, 404)
  await refuse('POST', '/v1/entities', { json: { name: 'a\0b' } }, 400, 'name')
  expectRefusal(await world.call('GET', '/v1/entities/a%00b', { token: bob }), 400, 'entity')
  expectRefusal(await world.call('GET', '/v1/images/((/c/n:latest', { token: bob }), 400, 'entity')
  expectRefusal(await world.call('GET', '/v1/containers/((/c/n', { token: bob }), 400, 'entity')
  // null is Go's zero value: as good as absent, and so no 400 here
  expectStatus(
    await world.call('POST', `/v2/imagefile/${id}`, { token: bob, json: { filesize: 10, sha256sum: null } }),
    200,
  )
  await refuse('PUT', `/v2/imagefile/${id}/_multipart`, { json: { partSize: 1, partNumber: 1 } }, 400, 'uploadID')
})

test('S14: part numbers and sizes below one are refused', async () => {
  const upload = await bobsUpload()
  const json = { partSize: 1000, uploadID: upload.uploadID, partNumber: -7 }
  expectRefusal(
    await world.call('PUT', `/v2/imagefile/${upload.id}/_multipart`, { token: bob, json }),
    400,
    'partNumber',
  )
  for (const filesize of [-99999999999, 0]) {
    expectRefusal(
      await world.call('POST', `/v2/imagefile/${upload.id}/_multipart`, { token: bob, json: { filesize } }),
      400,
      'filesize',
    )
    expectRefusal(
      await world.call('POST', `/v2/imagefile/${upload.id}`, { token: bob, json: { filesize } }),
      400,
      'filesize',
    )
  }
})

test('S15: a storage that is down gives 503 in JSON with a retry; GetImage needs nothing but the index', async () => {
  let down = false
  const fail = (): never => {
    throw Object.assign(new Error('filesystem: down'), { name: 'StorageError', code: 'unavailable', retryable: true })
  }
  // biome-ignore lint/correctness/useYield: it fails before
  async function* failingList() {
    fail()
  }
  const other = await createWorld({
    limits: { partBytes: 1000 },
    wrapStorage: (storage) =>
      new Proxy(storage, {
        get: (target, member, receiver) => {
          const value = Reflect.get(target, member, receiver)
          if (!down) return value
          if (member === 'list') return failingList
          if (member === 'multipart') return new Proxy({}, { get: () => async () => fail() })
          return typeof value === 'function' ? async () => fail() : value
        },
      }),
  })
  try {
    const token = other.tokens.bob as string
    const bytes = someBytes()
    await other.push(token, 'bob/c/n', bytes, 'v1')
    const { id } = await other.createImage(token, (await other.place(token, 'bob/c/n')).containerId, someBytes())
    down = true
    for (const answer of [
      await other.call('POST', `/v2/imagefile/${id}/_multipart`, { token, json: { filesize: 2500 } }),
      await other.call('POST', `/v1/imagefile/${id}`, { token, body: someBytes() }),
    ]) {
      expectRefusal(answer, 503)
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expectStatus(await other.call('GET', '/v1/images/bob/c/n:v1?arch=amd64'), 200)
    const pull = expectStatus(await other.call('GET', '/v1/imagefile/bob/c/n:v1?arch=amd64'), 303)
    expectRefusal(await other.call('GET', pull.headers.get('location') ?? ''), 503)
    expect((await other.rows('entities')).map(({ reserved_bytes }) => reserved_bytes)).toEqual([0])
    down = false
    expect(await other.pull('bob/c/n:v1')).toEqual(bytes)
  } finally {
    await other.close()
  }
})

test('S16: another arch than the tag has is 404', async () => {
  const path = fresh('bob')
  await world.push(bob, path, someBytes(), 'v1')
  expectStatus(await world.call('GET', `/v1/images/${path}:v1?arch=amd64`), 200)
  for (const route of ['images', 'imagefile'])
    expectRefusal(await world.call('GET', `/v1/${route}/${path}:v1?arch=arm64`), 404)
})

test('S17: a container that is not there is 404', async () => {
  await world.place(bob, 'bob/c/n')
  expectRefusal(await world.call('GET', '/v1/containers/bob/c/nothere', { token: bob }), 404)
  expectRefusal(await world.call('GET', '/v1/containers/bob/nothere/n', { token: bob }), 404)
})

test('S18: delete, search and the direct upload exist', async () => {
  const path = fresh('bob')
  const bytes = someBytes()
  const { containerId } = await world.place(bob, path)
  const { id } = await world.createImage(bob, containerId, bytes)
  expectStatus(await world.call('POST', `/v1/imagefile/${id}`, { token: bob, body: bytes }), 200)
  const found = expectStatus(await world.call('GET', `/v1/search?value=${path.split('/')[1]}`), 200)
  expect(found.json.data.container.map((item: { id: string }) => item.id)).toContain(containerId)
  expectStatus(await world.call('DELETE', `/v1/images/${path}:${hashOf(bytes)}?arch=amd64`, { token: bob }), 200)
  expectRefusal(await world.call('GET', `/v1/images/${path}:${hashOf(bytes)}`, { token: bob }), 404)
})

test('S19: a policy lets a group push to a shared entity', async () => {
  const root = world.tokens.root as string
  await world.place(root, 'lab/shared/n')
  await world.library.accounts.addUser({ name: 'carol', groups: ['lab'] })
  const { token } = await world.library.accounts.createToken({ user: 'carol' })
  expectStatus(await world.call('GET', '/v1/entities/lab', { token }), 200)
  const bytes = someBytes()
  await world.push(token, 'lab/shared/n', bytes, 'v1')
  expect(await world.pull('lab/shared/n:v1')).toEqual(bytes)
  expectRefusal(
    await world.call('POST', '/v1/collections', {
      token: mallory,
      json: { name: 'x', entity: (await world.place(root, 'lab/shared/n')).entityId },
    }),
    403,
  )
})

test('H1: knowing a hash opens no private image', async () => {
  const hidden = await privatePush()
  const place = await world.place(mallory, fresh('mallory'))
  const made = expectStatus(
    await world.call('POST', '/v1/images', {
      token: mallory,
      json: { hash: hashOf(hidden.bytes), container: place.containerId },
    }),
    201,
  )
  expect(made.json.data).toMatchObject({ uploaded: false, size: 0 })
  const { id } = made.json.data
  expectRefusal(await world.call('PUT', `/v2/imagefile/${id}/_complete`, { token: mallory, json: {} }), 409)
  expectRefusal(
    await world.call('POST', `/v1/tags/${place.containerId}`, { token: mallory, json: { Tag: 'latest', ImageID: id } }),
    409,
  )
  // who has the bytes may of course push them, and who may read the image shares them
  expectStatus(await world.call('POST', `/v1/imagefile/${id}`, { token: mallory, body: hidden.bytes }), 200)
  const own = await world.place(bob, fresh('bob'))
  const shared = expectStatus(
    await world.call('POST', '/v1/images', {
      token: bob,
      json: { hash: hashOf(hidden.bytes), container: own.containerId },
    }),
    201,
  )
  expect(shared.json.data.uploaded).toBe(true)
})

test('H2: there is no way past the access check to what is inside a private image', async () => {
  const hidden = await privatePush()
  for (const path of [
    `/v1/images/${hidden.path}:secret/inspect`,
    `/v1/images/${hidden.path}/inspect`,
    `/v1/imagefile/${hidden.path}:secret/inspect`,
  ]) {
    expectRefusal(await world.call('GET', path), [400, 403, 404])
    expectRefusal(await world.call('GET', path, { token: mallory }), [400, 403, 404])
  }
})

test('H3: a tag of one’s own container cannot name a private image of somebody else', async () => {
  const hidden = await privatePush()
  const before = await world.rows('images')
  const place = await world.place(mallory, fresh('mallory'))
  expectRefusal(
    await world.call('POST', `/v2/tags/${place.containerId}`, {
      token: mallory,
      json: { s390x: { x: hidden.imageId } },
    }),
    400,
  )
  const json = { Arch: 's390x', Tag: 'x', ImageID: hidden.imageId }
  const refused = await world.call('POST', `/v2/tags/${place.containerId}`, { token: mallory, json })
  expectRefusal(refused, 404)
  // the same words as for an id that is nowhere
  expect(refused.json).toEqual(
    (await world.call('POST', `/v2/tags/${place.containerId}`, { token: mallory, json: { ...json, ImageID: noId } }))
      .json,
  )
  expect(await world.rows('images')).toEqual(before)
})

test('H4: nor a public one', async () => {
  const path = fresh('bob')
  const pushed = await world.push(bob, path, someBytes(), 'v1')
  const place = await world.place(mallory, fresh('mallory'))
  for (const version of ['v1', 'v2']) {
    const json = { Tag: 'v9-malicious', Arch: 'amd64', ImageID: pushed.imageId }
    expectRefusal(await world.call('POST', `/${version}/tags/${place.containerId}`, { token: mallory, json }), 404)
  }
  expectRefusal(await world.call('GET', `/v1/images/${path}:v9-malicious`), 404)
})

test('H5: an arch is no path', async () => {
  const { containerId, imageId } = await world.push(mallory, fresh('mallory'), someBytes())
  const before = await world.files()
  for (const Arch of ['/abs/dir', '../dir', '..', 'a/b', 'a\\b', 'AMD64', 'x'.repeat(33), 'a\0b', 'a b', '%2e%2e']) {
    expectRefusal(
      await world.call('POST', `/v2/tags/${containerId}`, {
        token: mallory,
        json: { Arch, Tag: 'evil', ImageID: imageId },
      }),
      400,
      'Arch',
    )
    expectRefusal(await world.call('GET', `/v1/images/mallory/c/n:evil?arch=${encodeURIComponent(Arch)}`), 400, 'arch')
  }
  expect(await world.files()).toEqual(before)
  expect(await exists('/abs/dir')).toBe(false)
})

test('H5: an arch is no member of an object either', async () => {
  const { containerId, imageId } = await world.push(mallory, fresh('mallory'), someBytes())
  for (const Arch of ['__proto__', 'constructor']) {
    for (const Tag of ['polluted', 'keys', 'toString']) {
      const answer = expectStatus(
        await world.call('POST', `/v2/tags/${containerId}`, { token: mallory, json: { Arch, Tag, ImageID: imageId } }),
        200,
      )
      expect(Object.getOwnPropertyDescriptor(answer.json.data, Arch)?.value[Tag]).toBe(imageId)
    }
  }
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  expect(Object.keys({ a: 1 })).toEqual(['a'])
  expectStatus(await world.call('GET', `/v1/tags/${containerId}`, { token: mallory }), 200)
})

test('H6: the upload of somebody else gives no URL', async () => {
  const upload = await bobsUpload()
  const hers = await world.place(mallory, fresh('mallory'))
  const { id } = await world.createImage(mallory, hers.containerId, someBytes())
  expectRefusal(await upload.part(1, mallory, id), 404)
  expectRefusal(await upload.part(1, mallory), 403)
  // an admin may push there, but the upload is bob's
  expectRefusal(await upload.part(1, world.tokens.root), 404)
})

test('H7: nor can it be aborted', async () => {
  const upload = await bobsUpload()
  const hers = await world.place(mallory, fresh('mallory'))
  const { id } = await world.createImage(mallory, hers.containerId, someBytes())
  expectRefusal(
    await world.call('PUT', `/v2/imagefile/${id}/_multipart_abort`, {
      token: mallory,
      json: { uploadID: upload.uploadID },
    }),
    404,
  )
  expectRefusal(
    await world.call('PUT', `/v2/imagefile/${id}/_multipart_complete`, {
      token: mallory,
      json: { uploadID: upload.uploadID, completedParts: [] },
    }),
    404,
  )
  const parts = [await upload.sendPart(1), await upload.sendPart(2), await upload.sendPart(3)]
  expectStatus(await upload.complete(parts), 200)
  expect(await world.pull(`${upload.path}:${hashOf(upload.bytes)}`)).toEqual(upload.bytes)
})

test('H8: a client cannot say that its image is uploaded', async () => {
  const place = await world.place(mallory, fresh('mallory'))
  const json = {
    hash: `sha256.${'0'.repeat(64)}`,
    container: place.containerId,
    uploadState: 'completed',
    uploaded: true,
    state: 'published',
    size: 99,
    blobKey: 'x',
    owner: 'bob',
  }
  const made = expectStatus(await world.call('POST', '/v1/images', { token: mallory, json }), 201)
  expect(made.json.data).toMatchObject({ uploaded: false, size: 0 })
  expect((await world.call('GET', `/v2/tags/${place.containerId}`)).json.data).toEqual({})
})

test('H9: a damaged part does not kill the push: the same URL takes the good bytes', async () => {
  const upload = await bobsUpload()
  const first = await upload.sendPart(1)
  const second = upload.bytes.subarray(1000, 2000)
  const damaged = Buffer.from(second)
  damaged[500] = (damaged[500] as number) ^ 1
  const { presignedURL } = expectStatus(await upload.part(2), 200).json.data
  expectRefusal(await world.call('PUT', presignedURL, { body: damaged }), 422)
  const sent = expectStatus(await world.call('PUT', presignedURL, { body: second }), 200)
  const third = await upload.sendPart(3)
  expectStatus(await upload.complete([first, { partNumber: 2, token: sent.headers.get('etag') }, third]), 200)
  expect(await world.pull(`${upload.path}:${hashOf(upload.bytes)}`)).toEqual(upload.bytes)

  const path = fresh('bob')
  const bytes = someBytes()
  const { id } = await world.createImage(bob, (await world.place(bob, path)).containerId, bytes)
  const { uploadURL } = expectStatus(
    await world.call('POST', `/v2/imagefile/${id}`, { token: bob, json: { filesize: 1000 } }),
    200,
  ).json.data
  expectRefusal(await world.call('PUT', uploadURL, { body: someBytes() }), 422)
  expectStatus(await world.call('PUT', uploadURL, { body: bytes }), 200)
  expectStatus(await world.call('PUT', `/v2/imagefile/${id}/_complete`, { token: bob, json: {} }), 200)
  expect(await world.pull(`${path}:${hashOf(bytes)}`)).toEqual(bytes)
})

test('H10: a hash is a hash', async () => {
  const place = await world.place(bob, fresh('bob'))
  for (const hash of [
    'not-a-hash/../../x',
    `sha256.${'A'.repeat(64)}`,
    `sha256:${'a'.repeat(64)}`,
    'sha256.',
    '',
    undefined,
    7,
  ]) {
    expectRefusal(
      await world.call('POST', '/v1/images', { token: bob, json: { hash, container: place.containerId } }),
      400,
      'hash',
    )
  }
})

test('H11: no odd value is a 500', async () => {
  const upload = await bobsUpload()
  const call = (method: string, path: string, json?: unknown) =>
    world.call(method, path, { token: bob, ...(json === undefined ? {} : { json }) })
  const image = `/v2/imagefile/${upload.id}`
  const part = { partSize: 1000, uploadID: upload.uploadID, partNumber: 1 }
  for (const uploadID of [noId, 'abc', '../x'])
    expectRefusal(await call('PUT', `${image}/_multipart`, { ...part, uploadID }), 410)
  expectRefusal(await call('PUT', `${image}/_multipart`, { ...part, uploadID: 'a\0b' }), [400, 410])
  expectRefusal(await call('POST', `${image}/_multipart`, {}), 400, 'filesize')
  expectRefusal(await call('PUT', `${image}/_multipart`, { ...part, partNumber: undefined }), 400, 'partNumber')
  expectRefusal(await call('POST', '/v2/imagefile/abc/_multipart', { filesize: 1 }), 404)
  expectRefusal(await call('POST', '/v2/imagefile/a%00c/_multipart', { filesize: 1 }), 404)
  expectRefusal(await call('POST', `/v1/tags/${upload.containerId}`, []), 400)
  expectRefusal(await call('POST', `/v2/tags/${upload.containerId}`, 'text'), 400)
  expectRefusal(
    await call('POST', `/v2/tags/${upload.containerId}`, { Tag: {}, Arch: 'amd64', ImageID: upload.id }),
    400,
    'tag',
  )
  expectRefusal(
    await call('POST', `/v2/tags/${upload.containerId}`, { Tag: 'v1', Arch: 'amd64', ImageID: 'word' }),
    404,
    'ImageID',
  )
  for (const filesize of [1e30, 2 ** 53, 1e308])
    expectRefusal(await call('POST', `${image}/_multipart`, { filesize }), [400, 413], /filesize|bytes/)
  expectRefusal(await call('POST', '/v1/images', { hash: hashOf(upload.bytes), container: 'word' }), 404)
  expectRefusal(await call('GET', '/v1/tags/word'), 404)
  expectRefusal(await call('GET', '/v2/tags/word'), 404)
})

test('H12: a range past the end is 416', async () => {
  const path = fresh('bob')
  const bytes = someBytes()
  await world.push(bob, path, bytes, 'v1')
  const url = (await world.call('GET', `/v1/imagefile/${path}:v1`)).headers.get('location') ?? ''
  for (const range of ['bytes=1000-', 'bytes=1000-2000', 'bytes=99999999999999999999-', 'bytes=-0']) {
    const answer = await world.call('GET', url, { headers: { range } })
    expectRefusal(answer, 416)
    expect(answer.headers.get('content-range')).toBe('bytes */1000')
  }
  const last = await fetch(url, { headers: { range: 'bytes=990-99999999999999999999999999' } })
  expect(last.status).toBe(206)
  expect(Buffer.from(await last.arrayBuffer())).toEqual(bytes.subarray(990))
})

test('H13: an image of no bytes, or fewer, is refused', async () => {
  const { id } = await world.createImage(bob, (await world.place(bob, fresh('bob'))).containerId, Buffer.alloc(0))
  for (const filesize of [-1, 0]) {
    expectRefusal(
      await world.call('POST', `/v2/imagefile/${id}/_multipart`, { token: bob, json: { filesize } }),
      400,
      'filesize',
    )
    expectRefusal(await world.call('POST', `/v2/imagefile/${id}`, { token: bob, json: { filesize } }), 400, 'filesize')
  }
  expectRefusal(await world.call('POST', `/v1/imagefile/${id}`, { token: bob, body: '' }), [400, 411])
})

test('H14: a search without a value is 400, and one that finds 400 images answers a page of them', async () => {
  expectRefusal(await world.call('GET', '/v1/search'), 400, 'value')
  expectRefusal(await world.call('GET', '/v1/search?value='), 400, 'value')
  const bytes = someBytes()
  const first = await world.push(bob, 'bob/manyimages/n', bytes)
  for (let index = 0; index < 400; index += 1) {
    const common = { description: '', owner: null, now: 1 }
    const container = {
      id: `c${index}`.padStart(24, '0'),
      collectionId: first.collectionId,
      name: `n${index}`,
      private: false,
    }
    await world.metadata.containers.createIfAbsent({ ...common, ...container })
    const image = { id: `f${index}`.padStart(24, '0'), containerId: container.id, digest: sha256(bytes) }
    await world.metadata.images.createIfAbsent({
      ...common,
      ...image,
      shareBytes: { imageId: first.imageId, defaultQuotaBytes: 0 },
    })
    // lets idle connections close in the meantime
    if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const seen = new Set<string>()
  let page: string | undefined
  do {
    const started = performance.now()
    const answer = expectStatus(
      await world.call('GET', `/v1/search?value=manyimages${page === undefined ? '' : `&page=${page}`}`),
      200,
    )
    expect(performance.now() - started).toBeLessThan(2000)
    expect(answer.json.data.image.length).toBeLessThanOrEqual(100)
    expect(answer.json.data.container.length).toBeLessThanOrEqual(100)
    for (const { id } of answer.json.data.image) seen.add(id)
    page = answer.json.page?.next
  } while (page !== undefined)
  expect(seen.size).toBe(401)
})

/** A pull that reads a few bytes and then stands still until `finish` is called. */
function slowPull(url: string) {
  let response: IncomingMessage | undefined
  let bytes = 0
  const started = new Promise<void>((resolve, reject) => {
    httpRequest(url, { agent: false }, (got) => {
      response = got
      got.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      got.on('error', () => {})
      got.once('data', () => {
        got.pause()
        resolve()
      })
    })
      .on('error', reject)
      .end()
  })
  const finish = (): Promise<{ status: number; bytes: number; complete: boolean }> =>
    new Promise((resolve) => {
      response?.on('close', () =>
        resolve({ status: response?.statusCode ?? 0, bytes, complete: response?.complete === true }),
      )
      response?.resume()
    })
  return { started, finish, isCut: () => response?.destroyed === true, leave: () => response?.destroy() }
}

test('H15: 300 slow pulls harm nobody, and none is cut', { timeout: 120_000 }, async () => {
  const path = fresh('bob')
  // more than the buffers of a connection take
  const size = 12 * MiB
  await world.push(bob, path, someBytes(size), 'v1')
  const url = (await world.call('GET', `/v1/imagefile/${path}:v1`)).headers.get('location') ?? ''
  const pulls = Array.from({ length: 300 }, () => slowPull(url))
  await Promise.all(pulls.map(({ started }) => started))
  // the server is in the middle of them
  const reading = async (): Promise<number> =>
    (await openFiles(world.directory)).filter((file) => file.includes('/keys/')).length
  if (process.platform === 'linux') expect(await reading()).toBe(300)
  const times: number[] = []
  for (let round = 0; round < 50; round += 1) {
    const started = performance.now()
    expectStatus(await world.call('GET', `/v1/images/${path}:v1?arch=amd64`), 200)
    times.push(performance.now() - started)
  }
  times.sort((a, b) => a - b)
  expect(times[25]).toBeLessThan(250)
  // longer than the idle time of uploads in this world: a slow reader is no idle writer
  await new Promise((resolve) => setTimeout(resolve, 6000))
  expect(pulls.filter(({ isCut }) => isCut())).toHaveLength(0)
  for (const { leave } of pulls.slice(20)) leave()
  const results = await Promise.all(pulls.slice(0, 20).map(({ finish }) => finish()))
  expect(results).toEqual(Array(20).fill({ status: 200, bytes: size, complete: true }))
  // those that left have let go of the file too
  await until(async () => (await reading()) === 0)
})

test('H16: an upload at a trickle lives while bytes flow, and dies when they stop', { timeout: 60_000 }, async () => {
  const other = await createWorld({ limits: { idleSeconds: 1 } })
  try {
    const token = other.tokens.bob as string
    const bytes = someBytes(12)
    const { containerId } = await other.place(token, 'bob/c/n')
    const { id } = await other.createImage(token, containerId, bytes)
    const { uploadURL } = (await other.call('POST', `/v2/imagefile/${id}`, { token, json: { filesize: 12 } })).json.data
    const put = (send: (write: (chunk: Uint8Array) => void) => Promise<void>) =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const request = httpRequest(
          uploadURL,
          { method: 'PUT', agent: false, headers: { 'content-length': 12 } },
          (response) => {
            let text = ''
            response.on('data', (chunk) => {
              text += chunk
            })
            response.on('end', () => {
              request.destroy()
              resolve({ status: response.statusCode ?? 0, text })
            })
          },
        )
        request.on('error', reject)
        send((chunk) => request.write(chunk)).catch(reject)
      })
    // stops after four bytes: told so in the time of silence, and no longer
    const started = performance.now()
    const stalled = await put(async (write) => write(bytes.subarray(0, 4)))
    expect(stalled.status).toBe(408)
    expect(JSON.parse(stalled.text).error.message).toMatch(/no byte came/)
    expect(performance.now() - started).toBeLessThan(5000)
    await until(async () => (await openFiles(other.directory)).every((file) => !file.includes('/blobs/tmp/')))
    // a byte every 0.6 s takes seven times the idle time
    const slow = await put(async (write) => {
      for (const byte of bytes) {
        write(Buffer.of(byte))
        await new Promise((resolve) => setTimeout(resolve, 600))
      }
    })
    expect(slow.status).toBe(200)
    expectStatus(await other.call('PUT', `/v2/imagefile/${id}/_complete`, { token, json: {} }), 200)
    expect(await other.pull(`bob/c/n:${hashOf(bytes)}`)).toEqual(bytes)
  } finally {
    await other.close()
  }
})

test('H17: there is no list of users', async () => {
  for (const path of ['/v1/users', '/v1/users/bob', '/v1/tokens', '/v1/rbac/users', '/v1/rbac/users/current']) {
    const answer = await world.call('GET', path, { token: mallory })
    expectRefusal(answer, 404)
    expect(answer.text).not.toContain('bob')
  }
})

test('H18: bad credentials are 401, and a bare scheme is nobody', async () => {
  const path = fresh('bob')
  await world.push(bob, path, someBytes(), 'v1')
  const get = (authorization: string) => world.call('GET', `/v1/images/${path}:v1`, { headers: { authorization } })
  for (const authorization of [
    'Bearer wrong',
    'BEARER wrong',
    'Bearer a b c',
    `Bearer ${bob}x`,
    `bearer ${bob.toUpperCase()}`,
  ]) {
    const answer = await get(authorization)
    expectRefusal(answer, 401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
  }
  for (const authorization of ['Bearer', 'Bearer ', 'bearer  ']) expectStatus(await get(authorization), 200)
  expectStatus(await get(`BEARER ${bob}`), 200)
  expectRefusal(
    await world.call('POST', '/v1/entities', { headers: { authorization: 'Bearer' }, json: { name: 'bob' } }),
    401,
  )
})

test('every row of the list of findings has its test', async ({ task }) => {
  const names = (task.suite ?? task.file).tasks.map(({ name }) => name.split(':')[0])
  const rows = [
    ...Array.from({ length: 19 }, (_, index) => `S${index + 1}`),
    ...Array.from({ length: 18 }, (_, index) => `H${index + 1}`),
  ]
  expect(rows).toHaveLength(37)
  expect(rows.filter((row) => !names.includes(row))).toEqual([])
})
