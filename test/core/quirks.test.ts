/** Quirks Q1-Q46 of protocol 10 that concern a library server, each by its number. */
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { afterEach, expect, it, test } from 'vitest'
import { makeSif } from '../fixtures/sif.js'
import { presignRegistry } from '../support/presigned.js'
import { expectStatus, hashOf, makeContainer, makeImage, pull, push, sendParts, sha256 } from '../support/push.js'
import { createTestRegistry, type TestRegistry, type TestRegistryOptions } from '../support/registry.js'

/** Quirks that no library server can show, and why. */
const notOurs: Readonly<Record<string, string>> = {
  Q2: 'the client ignores the status of /version; ours is 200 with the body (Q1), so nothing can go wrong',
  Q17: 'signing for the public endpoint is the S3 backend: see test/storage/blob and test/e2e/s3',
  Q21: 'Ctrl-C is of the client; that stale uploads end without its abort is tested in sweep.test.ts',
  Q37: 'tested as Q41, which looks at every member of the discovery file',
  Q42: 'we are no keyserver; the discovery file may name one (option `keyserver`, discovery.test.ts)',
  Q43: 'the cache is of the client; our discovery file depends on options only, so it is as stable as they are',
  Q46: 'the openapi.yml of the client library is not read; ours is made from the route table (openapi.test.ts)',
}

const tested = new Set<string>()
let registry: TestRegistry
afterEach(() => registry.close())

/** A quirk with a registry of its own; files are pushed as alice. */
function quirk(name: string, run: () => Promise<void>, options?: TestRegistryOptions): void {
  tested.add(name.split(' ')[0] as string)
  test(name, async () => {
    registry = await createTestRegistry(options)
    await run()
  })
}

const bytes = makeSif({ seed: 3 })
const reference = 'alice/tools/bwa'
const image = () => makeImage(registry, { path: reference, hash: hashOf(bytes) })
const smallParts: TestRegistryOptions = { library: { limits: { partBytes: 32_768 } } }

quirk('Q1 /version carries an apiVersion that parses as strict semver, at or above alpha.2', async () => {
  const { version, apiVersion } = (await registry.call('GET', '/version')).json.data
  expect(apiVersion).toBe('2.0.0-alpha.2')
  expect(version).toMatch(/^v\d+\.\d+\.\d+/)
})

quirk('Q3 every answer of a create has its data and a real id', async () => {
  const { entityId, collectionId, containerId, imageId } = await image()
  for (const id of [entityId, collectionId, containerId, imageId]) expect(id).toMatch(/^[0-9a-f]{24}$/)
})

quirk('Q4 empty tag maps are objects, ids are strings, times are RFC 3339', async () => {
  const { containerId } = await makeContainer(registry, reference)
  for (const generation of ['v1', 'v2'])
    expect((await registry.call('GET', `/${generation}/tags/${containerId}`)).text).toBe('{"data":{}}')
  const entity = (await registry.call('GET', '/v1/entities/alice')).json.data
  expect(entity.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(typeof entity.id).toBe('string')
})

quirk('Q5 a tag POST is 200 exactly, the first time and again', async () => {
  const { containerId, imageId } = await push(registry, reference, bytes, { tags: [] })
  for (let time = 0; time < 2; time += 1) {
    expect(
      (
        await registry.call('POST', `/v2/tags/${containerId}`, {
          token: 'alice',
          body: { Arch: 'amd64', Tag: 'a', ImageID: imageId },
        })
      ).status,
    ).toBe(200)
    expect(
      (await registry.call('POST', `/v1/tags/${containerId}`, { token: 'alice', body: { Tag: 'b', ImageID: imageId } }))
        .status,
    ).toBe(200)
  }
})

quirk('Q6 a DELETE is 200, by tag and by hash', async () => {
  const { hash } = await push(registry, reference, bytes, { tags: ['a', 'b'] })
  for (const selector of ['a', 'b'])
    expect(
      (await registry.call('DELETE', `/v1/images/${reference}:${selector}?arch=amd64`, { token: 'alice' })).status,
    ).toBe(200)
  await push(registry, reference, bytes)
  expect((await registry.call('DELETE', `/v1/images/${reference}:${hash}?arch=amd64`, { token: 'alice' })).status).toBe(
    200,
  )
})

quirk(
  'Q7 _multipart_complete is 200 with JSON',
  async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    const answer = await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
      token: 'alice',
      body: { uploadID, completedParts },
    })
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json'])
    expect(answer.json.data).toBeTypeOf('object')
  },
  smallParts,
)

quirk('Q8 _complete answers with the full object: a container URL and the quota', async () => {
  const { imageId } = await push(registry, reference, bytes)
  const answer = await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} })
  expect(answer.json.data).toEqual({
    quota: { quotaTotal: 0, quotaUsage: bytes.length },
    containerUrl: 'v1/containers/alice/tools/bwa',
  })
})

quirk('Q9 JSON bodies need no Content-Type', async () => {
  expect((await registry.call('POST', '/v1/entities', { token: 'alice', body: { name: 'alice' } })).status).toBe(201)
})

quirk(
  'Q10 private: false, quota: 0 and id: "" of a create body are no wish',
  async () => {
    const body = {
      id: '',
      name: 'alice',
      quota: 0,
      defaultPrivate: false,
      size: 5,
      createdBy: 'mallory',
      owner: 'mallory',
    }
    const entity = (await registry.call('POST', '/v1/entities', { token: 'alice', body })).json.data
    expect(entity).toMatchObject({ defaultPrivate: true, size: 0, quota: 1000 })
    expect(entity.owner).not.toBe('mallory')
    const collection = (
      await registry.call('POST', '/v1/collections', {
        token: 'alice',
        body: { name: 'c', entity: entity.id, private: false },
      })
    ).json.data
    expect(collection.private).toBe(true)
    const container = (
      await registry.call('POST', '/v1/containers', {
        token: 'alice',
        body: { name: 'n', collection: collection.id, private: false, readOnly: false, customData: '' },
      })
    ).json.data
    expect(container).toMatchObject({ private: true, readOnly: false })
    const made = { hash: hashOf(bytes), container: container.id, uploaded: true, size: 5, arch: 'amd64' }
    expect((await registry.call('POST', '/v1/images', { token: 'alice', body: made })).json.data).toMatchObject({
      uploaded: false,
      size: 0,
    })
  },
  { library: { defaultPrivate: true, limits: { maxEntityBytes: 1000 } } },
)

quirk(
  'Q11 a tag on an image whose upload failed is refused',
  async () => {
    const { imageId, containerId } = await image()
    const { uploadID } = await sendParts(registry, imageId, { bytes: bytes.subarray(0, 40_000), token: 'alice' })
    await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: 'alice', body: { uploadID } })
    for (const [path, body] of [
      [`/v2/tags/${containerId}`, { Arch: 'amd64', Tag: 'latest', ImageID: imageId }],
      [`/v1/tags/${containerId}`, { Tag: 'latest', ImageID: imageId }],
    ] as const)
      expect((await registry.call('POST', path, { token: 'alice', body })).status).toBe(409)
    expect((await registry.call('GET', `/v1/imagefile/${reference}:latest?arch=amd64`)).status).toBe(404)
  },
  smallParts,
)

quirk(
  'Q12 after a multipart start nothing of it is 404',
  async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_abort`, { token: 'alice', body: { uploadID } })
    const part = { partSize: 32_768, uploadID, partNumber: 1, sha256sum: '' }
    expect(
      (await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart`, { token: 'alice', body: part })).status,
    ).toBe(410)
    expect(
      (
        await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart`, {
          token: 'alice',
          body: { ...part, uploadID: 'x' },
        })
      ).status,
    ).toBe(410)
    expect(
      (
        await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart`, {
          token: 'alice',
          body: { ...part, partNumber: 99 },
        })
      ).status,
    ).toBe(410)
    expect(
      (
        await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
          token: 'alice',
          body: { uploadID, completedParts },
        })
      ).status,
    ).toBe(410)
  },
  smallParts,
)

quirk('Q13 the server chooses part sizes that stay below 10,000 parts', async () => {
  const { imageId } = await image()
  const start = async (filesize: number) =>
    (await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, { token: 'alice', body: { filesize } })).json
      .data
  for (const size of [67_108_865, 5_000_000_000, 5 * 1024 ** 4]) {
    const { partSize, totalParts } = await start(size)
    expect(partSize).toBeGreaterThanOrEqual(5 * 1024 ** 2)
    expect(totalParts).toBeLessThanOrEqual(10_000)
  }
})

quirk('Q14 totalParts is the exact ceiling, also of exact multiples', async () => {
  const { imageId } = await image()
  for (const [size, parts] of [
    [134_217_728, 2],
    [134_217_729, 3],
    [134_217_727, 2],
  ]) {
    const answer = await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, {
      token: 'alice',
      body: { filesize: size },
    })
    expect(answer.json.data).toMatchObject({ totalParts: parts, partSize: 67_108_864 })
  }
  const empty = { partSize: 0, uploadID: 'x', partNumber: 1, sha256sum: '' }
  expect(
    (await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart`, { token: 'alice', body: empty })).status,
  ).toBe(400)
})

quirk('Q15 options.s3compliant is a string', async () => {
  const { imageId } = await image()
  const answer = await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, {
    token: 'alice',
    body: { filesize: 70_000_000 },
  })
  expect(answer.json.data.options).toEqual({ s3compliant: 'true' })
})

tested.add('Q16')
test('Q16 the upload URL is handed on as the store signed it, %3B and all, and a client without SHA-256 is told apart', async () => {
  const presigned = await presignRegistry()
  registry = presigned.registry
  const { imageId } = await image()
  const start = (body: object) => registry.call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body })
  const modern = await start({ filesize: bytes.length, md5sum: 'x', sha256sum: sha256(bytes) })
  expect(modern.json.data.uploadURL).toBe(
    'https://s3.example/b/k?X-Amz-SignedHeaders=host%3Bx-amz-content-sha256&X-Amz-Signature=s',
  )
  const old = await start({ filesize: bytes.length, md5sum: 'x' })
  expect(old.status).toBe(200)
  expect(presigned.parts.map(({ sha256: hash }) => hash)).toEqual([sha256(bytes), undefined])
})

quirk('Q18 an upload URL is final: no redirect for a PUT, with one slash or two', async () => {
  const { imageId } = await image()
  const { uploadURL } = (
    await registry.call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body: { filesize: bytes.length } })
  ).json.data
  const doubled = uploadURL.replace('/transfers/', '//transfers//')
  expect((await registry.call('PUT', `${doubled}/`, { body: bytes })).status).toBe(200)
  // what a redirected PUT becomes: a GET of it is no success
  expect((await registry.call('GET', uploadURL)).status).toBe(403)
})

quirk('Q19 a PUT of the bytes is 200, not 201 or 204', async () => {
  const { imageId } = await image()
  const { uploadURL } = (
    await registry.call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body: { filesize: bytes.length } })
  ).json.data
  expect(
    (await registry.call('PUT', uploadURL, { body: bytes, headers: { 'content-type': 'application/octet-stream' } }))
      .status,
  ).toBe(200)
})

quirk(
  'Q20 tokens are ETags with or without their quotes; none at all is refused',
  async () => {
    const { imageId } = await image()
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
    for (const { token } of completedParts) expect(token).toMatch(/^"[^"]+"$/)
    const complete = (parts: object) =>
      registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
        token: 'alice',
        body: { uploadID, completedParts: parts },
      })
    expect((await complete(completedParts.map(({ partNumber }) => ({ partNumber, token: '' })))).status).toBe(400)
    expect(
      (await complete(completedParts.map(({ partNumber, token }) => ({ partNumber, token: token.slice(1, -1) }))))
        .status,
    ).toBe(200)
  },
  smallParts,
)

quirk('Q22 uploaded is true after the upload, so that a second push sends nothing', async () => {
  await push(registry, reference, bytes)
  expect((await registry.call('GET', `/v1/images/${reference}:${hashOf(bytes)}?arch=amd64`)).json.data.uploaded).toBe(
    true,
  )
  expect((await image()).uploaded).toBe(true)
})

quirk('Q23 the arch comes from the SIF header; a tag may not say otherwise', async () => {
  const arm = makeSif({ arch: 'arm64' })
  const { containerId, imageId } = await push(registry, reference, arm, { tags: [] })
  expect((await registry.call('GET', `/v1/images/${reference}:${hashOf(arm)}?arch=amd64`)).json.data.arch).toBe('arm64')
  const tag = (Arch: string) =>
    registry.call('POST', `/v2/tags/${containerId}`, { token: 'alice', body: { Arch, Tag: 'x', ImageID: imageId } })
  expect((await tag('amd64')).status).toBe(400)
  expect((await tag('arm64')).status).toBe(200)
  const { containerId: other, imageId: text } = await push(registry, 'alice/tools/text', Buffer.from('no SIF'), {
    tags: [],
    via: 'v1',
  })
  expect(
    (await registry.call('POST', `/v1/tags/${other}`, { token: 'alice', body: { Tag: 'x', ImageID: text } })).status,
  ).toBe(200)
  expect((await registry.call('GET', `/v2/tags/${other}`)).json.data).toEqual({ amd64: { x: text } })
})

quirk('Q24 an image without tags is there: by its hash, in search, and for a second push', async () => {
  const { hash } = await push(registry, reference, bytes, { tags: [] })
  expect((await registry.call('GET', `/v1/images/${reference}:latest?arch=amd64`)).status).toBe(404)
  expect((await pull(registry, `${reference}:${hash}`)).equals(bytes)).toBe(true)
  expect((await registry.call('GET', '/v1/search?value=bwa&arch=amd64')).json.data.image).toMatchObject([
    { hash, tags: [] },
  ])
})

quirk('Q25 a GET by hash ignores the arch', async () => {
  const { imageId, hash } = await push(registry, reference, bytes)
  for (const arch of ['arm64', 'amd64', '', 'unknown'])
    expect((await registry.call('GET', `/v1/images/${reference}:${hash}?arch=${arch}`)).json.data.id).toBe(imageId)
})

quirk('Q26 the two GETs and the pull of one hash agree, also while its tag moves', async () => {
  const { hash } = await push(registry, reference, bytes)
  await push(registry, reference, makeSif({ seed: 4 }))
  expect((await registry.call('GET', `/v1/images/${reference}:${hash}`)).json.data.hash).toBe(hash)
  expect((await pull(registry, `${reference}:${hash}`)).equals(bytes)).toBe(true)
})

quirk('Q27 hash is sha256.<64 hex> of the file, also where the request said it otherwise', async () => {
  await push(registry, reference, bytes)
  expect((await registry.call('GET', `/v1/images/${reference}:latest`)).json.data.hash).toBe(`sha256.${sha256(bytes)}`)
  const { containerId } = await makeContainer(registry, reference)
  for (const hash of [
    sha256(bytes),
    `sha256:${sha256(bytes)}`,
    'sif.01234567-89ab-cdef-0123-456789abcdef',
    '../../etc/passwd',
  ])
    expect(
      (await registry.call('POST', '/v1/images', { token: 'alice', body: { hash, container: containerId } })).status,
    ).toBe(400)
})

quirk('Q28 size is the bytes, as a plain integer above 0', async () => {
  await push(registry, reference, bytes)
  expect((await registry.call('GET', `/v1/images/${reference}:latest`)).text).toContain(`"size":${bytes.length},`)
  const { imageId } = await makeImage(registry, { path: reference, hash: hashOf(Buffer.alloc(0)) })
  expect(
    (await registry.call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body: { filesize: 0 } })).status,
  ).toBe(400)
})

quirk('Q29 a ranged GET is 206 with the bytes that were asked for, over the whole life of the URL', async () => {
  await push(registry, reference, bytes)
  const url = (await registry.call('GET', `/v1/imagefile/${reference}:latest`)).headers.location ?? ''
  registry.advance(59 * 60_000)
  const answer = await registry.call('GET', url, { headers: { range: 'bytes=10-19' } })
  expect([answer.status, answer.bytes.equals(bytes.subarray(10, 20))]).toEqual([206, true])
})

quirk('Q30 a pull is 303 with an absolute Location, and its ranges carry Content-Range', async () => {
  await push(registry, reference, bytes)
  const redirect = await registry.call('GET', `/v1/imagefile/${reference}:latest`)
  expect([redirect.status, redirect.bytes.length]).toEqual([303, 0])
  expect(redirect.headers.location).toMatch(/^https:\/\/reg\.example\/library\//)
  expect(
    (await registry.call('GET', redirect.headers.location ?? '', { headers: { range: 'bytes=0-1024' } })).headers[
      'content-range'
    ],
  ).toBe(`bytes 0-1024/${bytes.length}`)
})

tested.add('Q31')
test('Q31 clients that send their token to any 303 target are kept off the object store', async () => {
  const presigned = await presignRegistry()
  registry = presigned.registry
  presigned.allowPut()
  await push(registry, reference, bytes)
  const ask = async (agent: string, token = true) =>
    (
      await registry.call('GET', `/v1/imagefile/${reference}:latest`, {
        ...(token && { token: 'alice' }),
        headers: { 'user-agent': agent },
      })
    ).headers.location
  for (const agent of [
    'Singularity-Ce/3.10.0 (Linux amd64) Go/1.18',
    'SINGULARITY/3.10.4 x',
    'Apptainer/1.1.5 (Linux)',
    'singularitypro/3.10.2 x',
  ])
    expect(await ask(agent)).toContain('/library/transfers/')
  expect(await ask('Singularity-Ce/3.10.0 (Linux amd64) Go/1.18', false)).toContain('s3.example')
  for (const agent of [
    'Singularity-Ce/3.10.5 x',
    'Singularity-Ce/3.11.0 x',
    'Singularity-Ce/4.3.3 x',
    'Apptainer/1.1.6 x',
    'Apptainer/1.5.3 x',
    'Go-http-client/1.1',
    '',
  ])
    expect(await ask(agent)).toContain('s3.example')
  const own = await createTestRegistry()
  await push(own, reference, bytes)
  const url = (await own.call('GET', `/v1/imagefile/${reference}:latest`)).headers.location ?? ''
  expect((await own.call('GET', url, { token: 'whatever' })).status).toBe(200)
  await own.close()
})

quirk('Q32 the Location has exactly the authority of the public URL', async () => {
  await push(registry, reference, bytes)
  const location = (await registry.call('GET', `/v1/imagefile/${reference}:latest`)).headers.location ?? ''
  expect(new URL(location).host).toBe(new URL(registry.publicUrl).host)
})

quirk('Q33 what imagefile refuses is explained by images, for the clients that discard the former', async () => {
  const explained = await registry.call('GET', '/v1/images/alice/tools/bwa:Not,A,Tag')
  expect([explained.status, explained.json.error.message]).toEqual([400, expect.stringContaining('tag')])
  expect((await registry.call('GET', '/v1/imagefile/alice/tools/bwa:Not,A,Tag')).status).toBe(400)
  expect((await registry.call('GET', `/v1/images/${reference}:latest`, { token: 'bad' })).json.error).toMatchObject({
    code: 401,
    message: expect.stringContaining('log in'),
  })
})

quirk('Q34 oci-redirect is a clean 404, whoever asks', async () => {
  for (const token of [undefined, 'alice', 'bad'])
    expect(
      (
        await registry.call('GET', '/v1/oci-redirect?accessTypes=pull&mapped=1&namespace=alice%2Ftools%2Fbwa', {
          ...(token && { token }),
        })
      ).json.error.code,
    ).toBe(404)
})

quirk('Q35 double slashes are one, without a redirect', async () => {
  await push(registry, 'library/default/alpine', bytes, { token: 'admin' })
  expect((await registry.call('GET', '/v1/images///alpine:latest')).status).toBe(200)
  expect((await registry.call('GET', '/v1/images//default/alpine:latest')).status).toBe(200)
  expect((await registry.call('GET', '/v1/imagefile//library/default/alpine:latest')).status).toBe(303)
  expect((await registry.call('POST', '//v1//entities', { token: 'alice', body: { name: 'alice' } })).status).toBe(201)
})

quirk('Q36 a tag of another arch is 404, never another image', async () => {
  await push(registry, reference, bytes)
  expect((await registry.call('GET', `/v1/images/${reference}:latest?arch=arm64`)).status).toBe(404)
  expect((await registry.call('GET', `/v1/imagefile/${reference}:latest?arch=arm64`)).status).toBe(404)
  expect((await registry.call('DELETE', `/v1/images/${reference}:latest?arch=arm64`, { token: 'alice' })).status).toBe(
    404,
  )
  const arm = makeSif({ arch: 'arm64' })
  await push(registry, reference, arm, { arch: 'arm64' })
  expect((await pull(registry, `${reference}:latest`, { arch: 'arm64' })).equals(arm)).toBe(true)
  expect((await pull(registry, `${reference}:latest`)).equals(bytes)).toBe(true)
})

quirk('Q38 discovery names a keystore', async () => {
  expect((await registry.call('GET', '/assets/config/config.prod.json')).json.keystoreAPI.uri).toMatch(/^https:/)
})

quirk('Q39 a bad token is 404 at token-status', async () => {
  for (const token of ['nonsense', 'x'.repeat(4096)])
    expect((await registry.call('GET', '/v1/token-status', { token })).status).toBe(404)
  expect((await registry.call('GET', '/v1/token-status', { token: 'alice' })).status).toBe(200)
})

quirk('Q40 an empty Bearer is anonymous', async () => {
  await push(registry, reference, bytes)
  for (const authorization of ['Bearer', 'Bearer ', 'BEARER', 'bearer\t']) {
    expect((await registry.call('GET', `/v1/images/${reference}:latest`, { headers: { authorization } })).status).toBe(
      200,
    )
    expect((await registry.call('GET', '/v1/rbac/users/current', { headers: { authorization } })).status).toBe(404)
    expect(
      (await registry.call('POST', '/v1/entities', { headers: { authorization }, body: { name: 'x' } })).status,
    ).toBe(401)
  }
})

quirk('Q41 every member of discovery is an object with a URI without a trailing slash (Q37 too)', async () => {
  const config = (await registry.call('GET', '/assets/config/config.prod.json')).json
  for (const service of Object.values(config)) expect((service as { uri: string }).uri).toMatch(/^https:.*[^/]$/)
  expect((await registry.call('GET', '//version')).status).toBe(200)
})

quirk('Q43a an empty file is refused before it is sent', async () => {
  const { imageId } = await makeImage(registry, { path: reference, hash: hashOf(Buffer.alloc(0)) })
  expect(
    (
      await registry.call('POST', `/v2/imagefile/${imageId}`, {
        token: 'alice',
        body: { filesize: 0, sha256sum: sha256(Buffer.alloc(0)) },
      })
    ).status,
  ).toBe(400)
  expect(
    (await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: Buffer.alloc(0) })).status,
  ).toBe(400)
})

quirk('Q44 what comes without a token reads what is public, and is told to log in to push', async () => {
  await push(registry, reference, bytes)
  expect((await pull(registry, `${reference}:latest`)).equals(bytes)).toBe(true)
  expect((await registry.call('POST', '/v1/entities', { body: { name: 'alice' } })).json.error.code).toBe(401)
  expect((await registry.call('DELETE', `/v1/images/${reference}:latest?arch=amd64`)).status).toBe(401)
})

quirk('Q45 404 means "create it" during a push, and the friendliest words during a pull', async () => {
  for (const path of [
    '/v1/entities/alice',
    '/v1/collections/alice/tools',
    `/v1/containers/${reference}`,
    `/v1/images/${reference}:${hashOf(bytes)}?arch=amd64`,
  ])
    expect((await registry.call('GET', path, { token: 'alice' })).status).toBe(404)
  expectStatus(await registry.call('POST', '/v1/entities', { token: 'alice', body: { name: 'alice' } }), 201)
  expect((await registry.call('POST', '/v1/entities', { token: 'mallory', body: { name: 'alice' } })).status).toBe(403)
})

it('every quirk is tested or has a reason not to be', async () => {
  registry = await createTestRegistry()
  const all = [...Array.from({ length: 46 }, (_, at) => `Q${at + 1}`), 'Q43a']
  expect(all.filter((name) => !tested.has(name) && notOurs[name] === undefined)).toEqual([])
  expect([...tested, ...Object.keys(notOurs)].filter((name) => !all.includes(name))).toEqual([])
  expect([...tested].filter((name) => notOurs[name] !== undefined)).toEqual([])
  // the tests that the reasons name are there
  const files = readdirSync(import.meta.dirname, { recursive: true }).map((file) => basename(String(file)))
  for (const reason of Object.values(notOurs))
    for (const [file] of reason.matchAll(/[a-z]+\.test\.ts/g)) expect(files).toContain(file)
})
