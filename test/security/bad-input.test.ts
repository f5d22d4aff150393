/** Hostile input: each gets a 4xx in the error envelope that names the field, and leaves no row, no file, no open handle and no reserved byte behind. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  type CallOptions,
  createWorld,
  expectRefusal,
  expectStatus,
  hashOf,
  noId,
  openFiles,
  type Place,
  sha256,
  someBytes,
  until,
  type World,
} from './support.js'

let world: World
let bob: string
let place: Place
/** Published in `place` under the tag `v1`. */
let bytes: Buffer
/** An image of bob's without bytes. */
let pendingId: string

beforeAll(async () => {
  world = await createWorld({
    limits: { partBytes: 1000, idleSeconds: 1, maxJsonBytes: 262_144, maxImageBytes: 1_000_000 },
  })
  bob = world.tokens.bob as string
  bytes = someBytes(2500)
  place = await world.push(bob, 'bob/c/n', bytes, 'v1')
  pendingId = (await world.createImage(bob, place.containerId, someBytes())).id
})
afterAll(() => world.close())

const call = (method: string, path: string, options: CallOptions = {}): Promise<Answer> =>
  world.call(method, path, { token: bob, ...options })

/** Runs an attack and compares every row, every file and every open handle with what was there before. */
async function leavesNothing(attack: () => Promise<void>): Promise<void> {
  const before = await world.dump()
  await attack()
  await until(async () => (await openFiles(world.directory)).every((file) => !file.includes('/blobs/')))
  expect(await world.dump()).toEqual(before)
}

interface Attack {
  readonly name: string
  readonly request: () => readonly [method: string, path: string, options?: CallOptions]
  readonly status: number | readonly number[]
  readonly field?: string | RegExp
}

const image = (): string => `/v2/imagefile/${pendingId}`
const deep = (open: string, close: string, depth = 60_000): string => open.repeat(depth) + close.repeat(depth)
const raw = (
  method: string,
  path: string,
  body: string | Uint8Array,
  status: number | readonly number[],
  field?: string | RegExp,
): Attack => ({
  name: `${method} ${path} ${Buffer.from(body).toString('latin1').slice(0, 40)} (${body.length})`,
  request: () => [method, path, { body }],
  status,
  ...(field === undefined ? {} : { field }),
})

/** Fits no JSON parser, or is no object. */
const brokenBodies: readonly Attack[] = [
  ...[
    '{',
    '[',
    '{"name":}',
    '{"name":"x"}}',
    '{"name":"x"} trailing',
    "{'name':'x'}",
    '{"name":"x",}',
    'NaN',
    '{"name":NaN}',
    '\u{feff}{',
    '//',
    '<xml/>',
    '\0',
    '{"name":"a\tb"}',
  ].map((body) => raw('POST', '/v1/entities', body, 400, /JSON|name/)),
  ...['[]', '"text"', '1', 'true', 'null', '[{"name":"x"}]'].map((body) =>
    raw('POST', '/v1/entities', body, 400, /object/),
  ),
  raw('POST', '/v1/entities', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 400, /UTF-8/),
  raw(
    'POST',
    '/v1/entities',
    Buffer.from([...Buffer.from('{"name":"'), 0xc0, 0xaf, ...Buffer.from('"}')]),
    400,
    /UTF-8/,
  ),
  raw(
    'POST',
    '/v1/entities',
    Buffer.from([...Buffer.from('{"name":"'), 0xed, 0xa0, 0x80, ...Buffer.from('"}')]),
    400,
    /UTF-8/,
  ),
  raw('POST', '/v1/entities', deep('[', ']'), 400),
  raw('POST', '/v1/entities', `{"name":${deep('[', ']')}}`, 400, 'name'),
  raw('POST', '/v1/entities', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 400, 'name'),
  raw('POST', '/v1/entities', deep('[', ']', 150_000), 413, /larger/),
  raw('POST', '/v1/entities', JSON.stringify({ name: 'x'.repeat(270_000) }), 413, /larger/),
]

/** A name for each field that takes one. */
const badNames: readonly unknown[] = [
  '',
  '.',
  '..',
  '../x',
  'a/b',
  'a//b',
  'a..b',
  '-a',
  'a-',
  'a__b',
  'A',
  'ä',
  'a b',
  'a\0b',
  'a\nb',
  '\u202ea',
  'a\u200b',
  '\ud800',
  '%2e%2e',
  'a%00',
  'x'.repeat(256),
  'a\\b',
  'a:b',
  'a,b',
  'constructor!',
  '__proto__',
  1,
  1e308,
  -0,
  true,
  {},
  [],
  ['a'],
  null,
]
const badTags: readonly unknown[] = [
  '',
  '.a',
  '-a',
  '+a',
  'a b',
  'a,b',
  'a/b',
  'a:b',
  '..',
  'a\0',
  '\u202e',
  '\udfff',
  'ä',
  'x'.repeat(129),
  'x'.repeat(600),
  `sha256.${'a'.repeat(64)}`,
  'sif.01234567-0123-0123-0123-0123456789ab',
  7,
  {},
  [],
  true,
]
const badIds: readonly unknown[] = [
  '',
  'x',
  '1',
  '..',
  noId.toUpperCase(),
  `${noId}f`,
  'g'.repeat(24),
  '\0'.repeat(24),
  7,
  {},
  [],
  true,
  null,
]
const badSizes: readonly unknown[] = [0, -1, -0, 1.5, '1', 1e308, 2 ** 53, -(2 ** 53), null, true, [], {}, undefined]

const badFields: readonly Attack[] = [
  ...badNames.flatMap((name): Attack[] => [
    {
      name: `entity ${JSON.stringify(name)}`,
      request: () => ['POST', '/v1/entities', { json: { name } }],
      status: 400,
      field: 'name',
    },
    {
      name: `collection ${JSON.stringify(name)}`,
      request: () => ['POST', '/v1/collections', { json: { name, entity: place.entityId } }],
      status: 400,
      field: 'name',
    },
    {
      name: `container ${JSON.stringify(name)}`,
      request: () => ['POST', '/v1/containers', { json: { name, collection: place.collectionId } }],
      status: 400,
      field: 'name',
    },
  ]),
  ...badTags.flatMap((Tag): Attack[] =>
    ['v1', 'v2'].map((version) => ({
      name: `${version} tag ${JSON.stringify(Tag)}`,
      request: () => [
        'POST',
        `/${version}/tags/${place.containerId}`,
        { json: { Tag, Arch: 'amd64', ImageID: pendingId } },
      ],
      status: 400,
      field: /tag/i,
    })),
  ),
  ...badIds.flatMap((id): Attack[] => [
    {
      name: `ImageID ${JSON.stringify(id)}`,
      request: () => ['POST', `/v1/tags/${place.containerId}`, { json: { Tag: 'x', ImageID: id } }],
      status: [400, 404],
      field: /imageID/i,
    },
    {
      name: `container id ${JSON.stringify(id)}`,
      request: () => ['POST', '/v1/images', { json: { hash: hashOf(someBytes()), container: id } }],
      status: [400, 404],
    },
    {
      name: `entity id ${JSON.stringify(id)}`,
      request: () => ['POST', '/v1/collections', { json: { name: 'x', entity: id } }],
      status: [400, 404],
    },
    {
      name: `uploadID ${JSON.stringify(id)}`,
      request: () => ['PUT', `${image()}/_multipart`, { json: { uploadID: id, partNumber: 1, partSize: 1 } }],
      status: [400, 410],
    },
    {
      name: `abort ${JSON.stringify(id)}`,
      request: () => ['PUT', `${image()}/_multipart_abort`, { json: { uploadID: id } }],
      status: [400, 410],
    },
    {
      name: `image in the path ${JSON.stringify(id)}`,
      request: () => ['POST', `/v2/imagefile/${encodeURIComponent(String(id))}/_multipart`, { json: { filesize: 1 } }],
      status: [400, 404],
    },
  ]),
  ...badSizes.flatMap((filesize): Attack[] => [
    {
      name: `single of ${filesize}`,
      request: () => ['POST', image(), { json: { filesize } }],
      status: [400, 413],
      field: 'filesize',
    },
    {
      name: `multipart of ${filesize}`,
      request: () => ['POST', `${image()}/_multipart`, { json: { filesize } }],
      status: [400, 413],
      field: 'filesize',
    },
  ]),
  ...[1_000_001, 2 ** 53 - 1].map(
    (filesize): Attack => ({
      name: `too large: ${filesize}`,
      request: () => ['POST', image(), { json: { filesize } }],
      status: 413,
      field: 'bytes',
    }),
  ),
  ...[
    '',
    'x',
    `sha256.${'a'.repeat(63)}`,
    `sha256.${'g'.repeat(64)}`,
    `SHA256.${'a'.repeat(64)}`,
    'sif.01234567-0123-0123-0123-0123456789ab',
    'x'.repeat(200),
    1,
    null,
  ].map(
    (hash): Attack => ({
      name: `hash ${JSON.stringify(hash)}`,
      request: () => ['POST', '/v1/images', { json: { hash, container: place.containerId } }],
      status: 400,
      field: 'hash',
    }),
  ),
  ...['x', 'A'.repeat(64), 'a'.repeat(65), 1, []].map(
    (sha): Attack => ({
      name: `sha256sum ${JSON.stringify(sha)}`,
      request: () => ['POST', image(), { json: { filesize: 1, sha256sum: sha } }],
      status: 400,
      field: 'sha256sum',
    }),
  ),
  {
    name: 'sha256sum of other bytes',
    request: () => ['POST', image(), { json: { filesize: 1, sha256sum: 'a'.repeat(64) } }],
    status: 400,
    field: 'sha256sum',
  },
  {
    name: 'description with NUL',
    request: () => ['POST', '/v1/entities', { json: { name: 'bob2', description: 'a\0' } }],
    status: 400,
    field: 'description',
  },
  {
    name: 'description too long',
    request: () => ['POST', '/v1/entities', { json: { name: 'bob2', description: 'x'.repeat(20_000) } }],
    status: 400,
    field: 'description',
  },
  {
    name: 'duplicate keys: the last counts',
    request: () => ['POST', '/v1/entities', { body: '{"name":"ok","name":".."}' }],
    status: 400,
    field: 'name',
  },
  {
    name: 'duplicate keys in two spellings',
    request: () => ['POST', '/v1/entities', { body: '{"name":"ok","NAME":".."}' }],
    status: 400,
    field: 'name',
  },
  {
    name: 'only __proto__',
    request: () => ['POST', '/v1/entities', { body: '{"__proto__":{"name":"ok"}}' }],
    status: 400,
    field: 'name',
  },
  {
    name: 'only constructor',
    request: () => ['POST', '/v1/entities', { body: '{"constructor":{"prototype":{"name":"ok"}}}' }],
    status: 400,
    field: 'name',
  },
  ...[0, -7, 100_001, 2 ** 53, 1.5, '1', null].map(
    (partNumber): Attack => ({
      name: `part ${partNumber}`,
      request: () => ['PUT', `${image()}/_multipart`, { json: { uploadID: noId, partNumber, partSize: 1 } }],
      status: 400,
      field: 'partNumber',
    }),
  ),
  ...[
    {},
    'x',
    1,
    [1],
    ['x'],
    [{}],
    [{ partNumber: 'x' }],
    [{ partNumber: 1, token: 1 }],
    [{ partNumber: 1, token: 'x'.repeat(2000) }],
    null,
  ].map(
    (completedParts): Attack => ({
      name: `completedParts ${JSON.stringify(completedParts).slice(0, 30)}`,
      request: () => ['PUT', `${image()}/_multipart_complete`, { json: { uploadID: noId, completedParts } }],
      status: 400,
      field: 'completedParts',
    }),
  ),
]

const badPaths: readonly Attack[] = [
  ...['%', '%zz', '%c0%af', '%ff', 'a%', '%u0041'].flatMap((part): Attack[] => [
    { name: `escape ${part}`, request: () => ['GET', `/v1/entities/${part}`], status: 400, field: 'escape' },
    {
      name: `escape in a reference ${part}`,
      request: () => ['GET', `/v1/images/bob/c/${part}:v1`],
      status: 400,
      field: 'escape',
    },
    {
      name: `escape in the query ${part}`,
      request: () => ['GET', `/v1/search?value=${part}`],
      status: 400,
      field: /escape|value/,
    },
  ]),
  ...['a%2fb', '..%2f..', '%2e%2e%2f', 'a%00', 'A', '%20', 'a%5cb', '%e2%80%ae'].map(
    (part): Attack => ({
      name: `path ${part}`,
      request: () => ['GET', `/v1/containers/bob/${part}/n`],
      status: 400,
      field: 'collection',
    }),
  ),
  ...['bob/c/n:', 'bob/c/n:.x', 'bob/c/n:a,b', 'bob/c/n:%00', 'bob/c/n:v1:v2', `bob/c/n:${'x'.repeat(200)}`].map(
    (reference): Attack => ({
      name: `reference ${reference}`,
      request: () => ['GET', `/v1/images/${reference}`],
      status: 400,
      field: 'tag',
    }),
  ),
  { name: 'four parts', request: () => ['GET', '/v1/images/a/b/c/d:v1'], status: 400, field: 'reference' },
  {
    name: 'delete without a selector',
    request: () => ['DELETE', '/v1/images/bob/c/n?arch=amd64'],
    status: 400,
    field: /tag or a hash/,
  },
  ...['AMD64', '..', 'a/b', '%00', 'x'.repeat(40)].map(
    (arch): Attack => ({
      name: `arch ${arch}`,
      request: () => ['GET', `/v1/images/bob/c/n:v1?arch=${arch}`],
      status: 400,
      field: 'arch',
    }),
  ),
  ...['ab', '', '%00%00%00', 'x'.repeat(300)].map(
    (value): Attack => ({
      name: `search ${value.slice(0, 9)}`,
      request: () => ['GET', `/v1/search?value=${value}`],
      status: 400,
      field: 'value',
    }),
  ),
  ...['0', '-1', '1.5', 'x', '1001', '1e400', '%00'].map(
    (size): Attack => ({
      name: `pageSize ${size}`,
      request: () => ['GET', `/v1/search?value=abc&pageSize=${size}`],
      status: 400,
      field: 'pageSize',
    }),
  ),
  ...['', 'abc', 'abc.def', 'a.b.c', `${'A'.repeat(4000)}.${'B'.repeat(43)}`, '%00.%00', 'e30.e30', '..%2f'].map(
    (token): Attack => ({
      name: `transfer URL ${token.slice(0, 9)}`,
      request: () => ['GET', `/transfers/${token === '' ? '%20' : token}`],
      status: 403,
    }),
  ),
  ...['PATCH', 'OPTIONS', 'DELETE'].map(
    (method): Attack => ({ name: `${method} /version`, request: () => [method, '/version'], status: 405 }),
  ),
  { name: 'no such path', request: () => ['GET', '/v1/nothing'], status: 404 },
  { name: 'no such version', request: () => ['GET', '/v3/images/bob/c/n:v1'], status: 404 },
]

describe('one request', () => {
  test.each([
    ['bodies that are no JSON object', brokenBodies],
    ['fields', badFields],
    ['paths and queries', badPaths],
  ])('%s', async (_name, attacks) => {
    const wrong: string[] = []
    await leavesNothing(async () => {
      for (const { name, request, status, field } of attacks) {
        const [method, path, options] = request()
        try {
          expectRefusal(await call(method, path, options), status, field)
        } catch (error) {
          wrong.push(`${name}: ${(error as Error).message}`)
        }
      }
    })
    expect(wrong).toEqual([])
    expect(({} as Record<string, unknown>).name).toBeUndefined()
  })

  test('lone surrogates and right-to-left marks in a description are stored as text that can be read back', async () => {
    const description = 'a\ud800b \u202e c \u0001'
    const made = await call('POST', '/v1/collections', {
      body: `{"name":"odd","entity":"${place.entityId}","description":${JSON.stringify(description)}}`,
    })
    expectStatus(made, 201)
    expect(expectStatus(await call('GET', '/v1/collections/bob/odd'), 200).json.data.description).toBe(
      'a\ufffdb \u202e c \u0001',
    )
  })
})

/** A multipart upload of bob's with its own image. */
async function startUpload(whole = someBytes(2500)) {
  const { id } = await world.createImage(bob, place.containerId, whole)
  const { uploadID } = expectStatus(
    await call('POST', `/v2/imagefile/${id}/_multipart`, { json: { filesize: whole.length } }),
    200,
  ).json.data
  const slice = (k: number): Buffer => whole.subarray((k - 1) * 1000, k * 1000)
  const url = async (partNumber: number, sha?: string): Promise<string> => {
    const json = {
      uploadID,
      partNumber,
      partSize: slice(partNumber).length,
      sha256sum: sha ?? sha256(slice(partNumber)),
    }
    return expectStatus(await call('PUT', `/v2/imagefile/${id}/_multipart`, { json }), 200).json.data.presignedURL
  }
  const send = async (partNumber: number) => {
    const sent = expectStatus(await world.call('PUT', await url(partNumber), { body: slice(partNumber) }), 200)
    return { partNumber, token: sent.headers.get('etag') ?? '' }
  }
  const complete = (completedParts: unknown) =>
    call('PUT', `/v2/imagefile/${id}/_multipart_complete`, { json: { uploadID, completedParts } })
  const abort = () => call('PUT', `/v2/imagefile/${id}/_multipart_abort`, { json: { uploadID } })
  return { id, uploadID, whole, slice, url, send, complete, abort, reference: `bob/c/n:${hashOf(whole)}` }
}

/** Time passes, the sweep comes: nothing of an upload that failed may be left. */
async function expectSwept(): Promise<void> {
  world.ahead += 100_000_000
  await world.library.sweep({ graceSeconds: 0, stuckSeconds: 0 })
  const files = Object.keys(await world.files())
  const blobs = (await world.rows('blobs')).map(({ blob_key }) => `keys/${blob_key}`)
  expect(files.sort()).toEqual(blobs.sort())
  expect((await world.rows('entities')).filter(({ reserved_bytes }) => reserved_bytes !== 0)).toEqual([])
  expect((await openFiles(world.directory)).filter((file) => file.includes('/blobs/'))).toEqual([])
}

describe('an upload', () => {
  test('part sizes and numbers that are not the plan’s are 400, and name the field', async () => {
    const upload = await startUpload()
    const ask = (json: object) =>
      call('PUT', `/v2/imagefile/${upload.id}/_multipart`, { json: { uploadID: upload.uploadID, ...json } })
    for (const partNumber of [4, 5, 10_000]) expectRefusal(await ask({ partNumber, partSize: 500 }), 400, 'partNumber')
    for (const partSize of [1, 999, 1001, 2500]) expectRefusal(await ask({ partNumber: 1, partSize }), 400, 'partSize')
    expectRefusal(await ask({ partNumber: 3, partSize: 1000 }), 400, 'partSize')
    expectRefusal(await ask({ partNumber: 1, partSize: 1000, sha256sum: 'x' }), 400, 'sha256sum')
    expectStatus(await upload.abort(), 200)
    await expectSwept()
  })

  test('completing with wrong, missing, more, repeated or reordered parts is 400, and the right ones still go through', async () => {
    const upload = await startUpload()
    const parts = [await upload.send(1), await upload.send(2)]
    const [first, second] = parts as [{ partNumber: number; token: string }, { partNumber: number; token: string }]
    const third = { partNumber: 3, token: '"never sent"' }
    for (const wrong of [
      [],
      parts,
      [first, second, third],
      [first, first, second],
      [second, first, third],
      [first, second, third, { partNumber: 4, token: 'x' }],
      [first, { partNumber: 2, token: '"other"' }, third],
    ]) {
      expectRefusal(await upload.complete(wrong), 400, 'completedParts')
    }
    const all = [...parts, await upload.send(3)]
    expectRefusal(await upload.complete([first, { partNumber: 2, token: first.token }, all[2]]), 400, 'completedParts')
    expectStatus(await upload.complete(all), 200)
    expect(await world.pull(upload.reference)).toEqual(upload.whole)
    // repeated: as the first time; a second complete with other parts is refused, and changes nothing
    expectStatus(await upload.complete(all), 200)
    expectRefusal(await upload.complete(parts), 400, 'completedParts')
    expectRefusal(await upload.complete([second, first, all[2]]), 400, 'completedParts')
    expectRefusal(await upload.complete([first, { partNumber: 2, token: '"other"' }, third]), 409, 'completedParts')
    expect(await world.pull(upload.reference)).toEqual(upload.whole)
    expectRefusal(
      await call('PUT', `/v2/imagefile/${upload.id}/_multipart`, {
        json: { uploadID: upload.uploadID, partNumber: 1, partSize: 1000 },
      }),
      410,
    )
    await expectSwept()
  })

  test('completing while a part is still arriving publishes no torn bytes and is no 5xx', async () => {
    for (const resend of [true, false]) {
      const upload = await startUpload()
      const parts = [await upload.send(1), await upload.send(2), await upload.send(3)]
      // part 2 once more: half of it now, the rest after the complete; with other bytes, which only its own hash would refuse
      const half = resend ? upload.slice(2).subarray(0, 500) : Buffer.alloc(500, 7)
      const url = new URL(await upload.url(2, ''))
      const socket = await world.connect()
      let answer = ''
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1')
      })
      socket.on('error', () => {})
      socket.write(`PUT ${url.pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`)
      socket.write(half)
      await until(async () => (await openFiles(world.directory)).some((file) => file.endsWith('/data')))
      await new Promise((resolve) => setTimeout(resolve, 100))
      const done = await upload.complete(parts)
      expectStatus(done, 200, 400, 409, 422)
      socket.write(resend ? upload.slice(2).subarray(500) : Buffer.alloc(500, 7))
      await until(() => answer.includes('\r\n\r\n'))
      expect(answer).not.toMatch(/^HTTP\/1.1 5/)
      socket.destroy()
      const pulled = await world.pull(upload.reference)
      if (done.status === 200) expect(pulled).toEqual(upload.whole)
      else expect(pulled).toBeUndefined()
      expect(
        Object.values(await world.files()).filter((hash) => hash === sha256(upload.whole)).length,
      ).toBeLessThanOrEqual(1)
    }
    await expectSwept()
  })

  test('more or fewer bytes than announced, over sockets', async () => {
    const whole = someBytes(1000)
    const { id } = await world.createImage(bob, place.containerId, whole)
    const { uploadURL } = expectStatus(await call('POST', `/v2/imagefile/${id}`, { json: { filesize: 1000 } }), 200)
      .json.data
    const upload = await startUpload()
    const partUrl = await upload.url(1)
    for (const url of [uploadURL, partUrl]) {
      for (const size of [999, 1001, 0, 5000])
        expectRefusal(await world.call('PUT', url, { body: someBytes(size) }), 422)
      const { pathname } = new URL(url)
      // chunked: nothing was announced, so it is found out by counting
      for (const text of [
        `3e7\r\n${'x'.repeat(999)}\r\n0\r\n\r\n`,
        `3e9\r\n${'x'.repeat(1001)}\r\n0\r\n\r\n`,
        '0\r\n\r\n',
      ]) {
        const answer = await world.raw(
          `PUT ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${text}`,
        )
        expect(answer).toMatch(/^HTTP\/1.1 422 /)
      }
    }
    expectRefusal(await call('PUT', `/v2/imagefile/${id}/_complete`, { json: {} }), 409)
    expectRefusal(await call('POST', `/v1/imagefile/${id}`, { body: someBytes(999) }), 422)
    const direct = await world.raw(
      `POST /v1/imagefile/${id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${bob}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    )
    expect(direct).toMatch(/^HTTP\/1.1 411 /)
    expect((await world.pull(`bob/c/n:${hashOf(whole)}`, bob)) === undefined).toBe(true)
    await expectSwept()
  })

  test('aborted bodies leave nothing', async () => {
    const whole = someBytes(1000)
    const { id } = await world.createImage(bob, place.containerId, whole)
    const { uploadURL } = expectStatus(await call('POST', `/v2/imagefile/${id}`, { json: { filesize: 1000 } }), 200)
      .json.data
    const upload = await startUpload()
    const heads = [
      `PUT ${new URL(uploadURL).pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`,
      `PUT ${new URL(await upload.url(1)).pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`,
      `POST /v1/imagefile/${id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bob}\r\nContent-Length: 1000\r\n\r\n`,
      `POST /v1/entities HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bob}\r\nContent-Length: 1000\r\n\r\n`,
    ]
    for (const head of heads) {
      for (const manner of ['destroy', 'end'] as const) {
        const socket = await world.connect()
        socket.on('error', () => {})
        socket.write(head)
        socket.write(whole.subarray(0, 300))
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (manner === 'destroy') socket.resetAndDestroy()
        else socket.end()
      }
    }
    await until(async () => (await openFiles(world.directory)).every((file) => !file.includes('/blobs/')))
    await until(async () => Object.keys(await world.files()).every((file) => !file.startsWith('tmp/')))
    // the part that came in pieces can be sent again
    expectStatus(await world.call('PUT', await upload.url(1), { body: upload.slice(1) }), 200)
    await expectSwept()
  })

  test('bodies that stand still are 408 after the time of silence', async () => {
    const whole = someBytes(1000)
    const { id } = await world.createImage(bob, place.containerId, whole)
    const upload = await startUpload()
    const heads = [
      `PUT ${new URL(await upload.url(1)).pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`,
      `POST /v1/imagefile/${id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bob}\r\nContent-Length: 1000\r\n\r\n`,
      `POST /v1/entities HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bob}\r\nContent-Length: 1000\r\n\r\n{"na`,
    ]
    const answers = await Promise.all(heads.map((head) => world.raw(head, { quietMs: 3000 })))
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":408/)
    await expectSwept()
  })
})

describe('a transfer URL', () => {
  test('altered anywhere, or past its time, it is 403', async () => {
    const url = (await call('GET', '/v1/imagefile/bob/c/n:v1')).headers.get('location') ?? ''
    const upload = await startUpload()
    const partUrl = await upload.url(1)
    for (const [method, good] of [
      ['GET', url],
      ['PUT', partUrl],
    ] as const) {
      const at = good.indexOf('/transfers/') + '/transfers/'.length
      for (let step = 0; step < 40; step += 1) {
        const index = at + Math.floor(((good.length - at - 1) * step) / 39)
        const other = good[index] === 'A' ? 'B' : 'A'
        expectRefusal(
          await world.call(method, good.slice(0, index) + other + good.slice(index + 1), {
            ...(method === 'PUT' && { body: upload.slice(1) }),
          }),
          [400, 403],
        )
      }
      expectRefusal(await world.call(method, `${good}A`, { ...(method === 'PUT' && { body: upload.slice(1) }) }), 403)
    }
    // made for one thing, not good for another
    expectRefusal(await world.call('PUT', url, { body: bytes }), 403)
    expectRefusal(await world.call('GET', partUrl), 403)
    world.ahead += 86_401_000
    expectRefusal(await world.call('GET', url), 403)
    expectRefusal(await world.call('PUT', partUrl, { body: upload.slice(1) }), 403)
    await expectSwept()
  })

  test('of one part it does not take another one, and of an ended upload it takes nothing', async () => {
    const upload = await startUpload()
    const first = await upload.url(1)
    expectRefusal(await world.call('PUT', first, { body: upload.slice(2) }), 422)
    expectRefusal(await world.call('PUT', first, { body: upload.slice(3) }), 422)
    expectStatus(await world.call('PUT', first, { body: upload.slice(1) }), 200)
    expectStatus(await upload.abort(), 200)
    expectRefusal(await world.call('PUT', first, { body: upload.slice(1) }), 410)
    expectRefusal(await upload.complete([1, 2, 3].map((partNumber) => ({ partNumber, token: '' }))), 410)

    const whole = someBytes(1000)
    const { id } = await world.createImage(bob, place.containerId, whole)
    const { uploadURL } = expectStatus(await call('POST', `/v2/imagefile/${id}`, { json: { filesize: 1000 } }), 200)
      .json.data
    expectStatus(await world.call('PUT', uploadURL, { body: whole }), 200)
    expectStatus(await call('PUT', `/v2/imagefile/${id}/_complete`, { json: {} }), 200)
    expectRefusal(await world.call('PUT', uploadURL, { body: whole }), 410)
    expectRefusal(await world.call('PUT', uploadURL, { body: someBytes(1000) }), 410)
    expect(await world.pull(`bob/c/n:${hashOf(whole)}`)).toEqual(whole)
    await expectSwept()
  })

  test('ranges: past the end 416, odd ones the whole', async () => {
    const url = (await call('GET', '/v1/imagefile/bob/c/n:v1')).headers.get('location') ?? ''
    for (const range of ['bytes=2500-', 'bytes=-0', 'bytes=9007199254740993-'])
      expectRefusal(await world.call('GET', url, { headers: { range } }), 416)
    for (const range of [
      'bytes=a-b',
      'bytes=5-2',
      'bytes=0-1,5-6',
      'lines=0-1',
      'bytes=',
      'bytes=-',
      'bytes 0-1',
      'bytes=--5',
      'bytes=0x1-2',
      'bytes=1e1-',
    ]) {
      const answer = await fetch(url, { headers: { range } })
      expect([range, answer.status, Buffer.from(await answer.arrayBuffer()).equals(bytes)]).toEqual([range, 200, true])
    }
  })
})

/** Statuses of all answers on a raw connection. */
const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1] as string)

describe('raw HTTP', () => {
  test('garbage, header bombs and lies about the length get 4xx or a closed connection, never a 5xx, and the server goes on', async () => {
    const version = 'GET /version HTTP/1.1\r\nHost: x\r\n\r\n'
    const auth = `Host: x\r\nAuthorization: Bearer ${bob}\r\n`
    const attacks = [
      `${version}\x00\x01\x02garbage\r\n\r\n`,
      `${version}${version}GARBAGE / HTTP/9.9\r\n\r\n${version}`,
      `GET /version HTTP/1.1\r\n${'X-Bomb: y\r\n'.repeat(3000)}\r\n`,
      `GET /version HTTP/1.1\r\nX-Bomb: ${'y'.repeat(100_000)}\r\n\r\n`,
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `POST /v1/entities HTTP/1.1\r\n${auth}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST /v1/entities HTTP/1.1\r\n${auth}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{"a"}}`,
      `POST /v1/entities HTTP/1.1\r\n${auth}Content-Length: -5\r\n\r\n`,
      `POST /v1/entities HTTP/1.1\r\n${auth}Content-Length: 99999999999999999999\r\n\r\n{}`,
      `POST /v1/entities HTTP/1.1\r\n${auth}Content-Length: 9007199254740993\r\n\r\n{}`,
      `POST /v1/entities HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
      `POST /v1/entities HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n`,
      `POST /v1/entities HTTP/1.1\r\n${auth}Content-Length: 2\r\n\r\n{}${version}`,
      `GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc${version}`,
      `GET //evil.example/version HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET http://evil.example/version HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /v1/images/bob/c/n:v1\x7f HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /v1/images/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n`,
      `OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /v1/search?value=abc&value=abc&${'a=b&'.repeat(1000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ]
    await leavesNothing(async () => {
      for (const attack of attacks) {
        const answer = await world.raw(Buffer.from(attack, 'latin1'), { quietMs: 400 })
        expect([attack.slice(0, 60), statuses(answer).filter((status) => status >= '500')]).toEqual([
          attack.slice(0, 60),
          [],
        ])
        expectStatus(await world.call('GET', '/version'), 200)
      }
    })
  })

  test('a refusal before the body was read does not spoil the connection for the next request', async () => {
    const { host } = new URL(world.url)
    const pipelined = (head: string, length: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(world.port, '127.0.0.1')
        let text = ''
        socket.setTimeout(4000, () => socket.destroy())
        socket.on('data', (chunk) => {
          text += chunk.toString('latin1')
          if (statuses(text).length >= 2) socket.destroy()
        })
        socket.on('error', reject)
        socket.on('close', () => resolve(text))
        socket.write(`${head}Host: ${host}\r\nContent-Length: ${length}\r\n\r\n`)
        for (let sent = 0; sent < length; sent += 10_000)
          socket.write(Buffer.alloc(Math.min(10_000, length - sent), 120))
        socket.write(`GET /version HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      })
    const auth = `Authorization: Bearer ${bob}\r\n`
    const upload = await startUpload()
    for (const [status, head, length] of [
      ['401', `POST /v1/entities HTTP/1.1\r\nAuthorization: Bearer wrong\r\n`, 50_000],
      ['401', `POST /v1/imagefile/${pendingId} HTTP/1.1\r\n`, 500_000],
      ['413', `POST /v1/entities HTTP/1.1\r\n${auth}`, 500_000],
      ['404', `POST /v1/imagefile/${noId} HTTP/1.1\r\n${auth}`, 500_000],
      ['404', `PUT /nothing HTTP/1.1\r\n`, 500_000],
      ['403', `PUT /transfers/abc.def HTTP/1.1\r\n`, 500_000],
      ['422', `PUT ${new URL(await upload.url(1)).pathname} HTTP/1.1\r\n`, 500_000],
      ['405', `PUT /version HTTP/1.1\r\n`, 500_000],
    ] as const) {
      const got = statuses(await pipelined(head, length))
      // the second answer, or a connection that was closed for good
      expect([head, got[0], got.slice(1).every((next) => next === '200')]).toEqual([head, status, true])
    }
    await upload.abort()
  })

  test('a chunked body that grows past the limit is cut off with 413, and the connection is not left hanging', async () => {
    const started = performance.now()
    const socket = await world.connect()
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    let closed = false
    socket.on('close', () => {
      closed = true
    })
    socket.on('error', () => {})
    socket.write(
      `POST /v1/entities HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bob}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    for (let index = 0; index < 20; index += 1) socket.write(`4000\r\n${' '.repeat(0x4000)}\r\n`)
    await until(() => statuses(text).length > 0)
    expect(statuses(text)[0]).toBe('413')
    // the rest of the body and another request: answered, or the connection is closed; not silence
    socket.write(`0\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n`)
    await until(() => closed || statuses(text).length > 1)
    expect(performance.now() - started).toBeLessThan(5000)
    socket.destroy()
  })
})

test('after all of this nothing is left', async () => {
  await expectSwept()
  expect(await world.pull('bob/c/n:v1')).toEqual(bytes)
})
