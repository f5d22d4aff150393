/** Revoked means revoked: what was handed out to somebody ends with their token, their account, their rights and the image. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ownerPolicy } from '../../src/core/auth/policy.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { createWorld, expectRefusal, expectStatus, hashOf, sha256, someBytes, until, type World } from './support.js'

let world: World
let alice: string
let mallory: string
beforeEach(async () => {
  world = await createWorld({ limits: { partBytes: 1000 } })
  alice = world.tokens.alice as string
  mallory = world.tokens.mallory as string
})
afterEach(() => world.close())

const accounts = () => world.library.accounts
const tokenId = async (user: string): Promise<string> => (await accounts().listTokens(user))[0]?.id as string

/** Ways to end what alice's token may do. */
const endings: Readonly<Record<string, () => Promise<unknown>>> = {
  'the token is revoked': async () => accounts().revokeToken(await tokenId('alice')),
  'the user is removed': () => accounts().removeUser('alice'),
}

async function singleUrl(token: string, bytes: Uint8Array, path = 'alice/tools/bwa') {
  const { containerId } = await world.place(token, path)
  const { id } = await world.createImage(token, containerId, bytes)
  const json = { filesize: bytes.length, sha256sum: sha256(bytes) }
  const start = expectStatus(await world.call('POST', `/v2/imagefile/${id}`, { token, json }), 200)
  return { id, url: start.json.data.uploadURL as string }
}

async function partUrl(token: string, bytes: Uint8Array): Promise<string> {
  const { containerId } = await world.place(token, 'alice/tools/bwa')
  const { id } = await world.createImage(token, containerId, bytes)
  const path = `/v2/imagefile/${id}/_multipart`
  const { uploadID, partSize } = expectStatus(
    await world.call('POST', path, { token, json: { filesize: bytes.length } }),
    200,
  ).json.data
  const json = { uploadID, partSize, partNumber: 1, sha256sum: sha256(bytes.subarray(0, partSize)) }
  return expectStatus(await world.call('PUT', path, { token, json }), 200).json.data.presignedURL
}

const pullUrl = async (reference: string, token?: string): Promise<string> =>
  expectStatus(await world.call('GET', `/v1/imagefile/${reference}`, { token }), 303).headers.get('location') as string

describe.each(Object.entries(endings))('upload URLs, once %s', (_, end) => {
  test('of a single PUT take nothing', async () => {
    const bytes = someBytes()
    const { url } = await singleUrl(alice, bytes)
    await end()
    expectRefusal(await world.call('PUT', url, { body: bytes }), 403)
    expect(await world.files()).toEqual({})
  })

  test('of a part take nothing', async () => {
    const bytes = someBytes(1500)
    const url = await partUrl(alice, bytes)
    expectStatus(await world.call('PUT', url, { body: bytes.subarray(0, 1000) }), 200)
    await end()
    expectRefusal(await world.call('PUT', url, { body: bytes.subarray(0, 1000) }), 403)
  })

  test('and bytes under way in one request do not become an image', async () => {
    const bytes = someBytes()
    const { containerId } = await world.place(alice, 'alice/tools/bwa')
    const { id } = await world.createImage(alice, containerId, bytes)
    const socket = await world.connect()
    let answer = ''
    socket.on('data', (chunk) => {
      answer += String(chunk)
    })
    socket.write(
      `POST /v1/imagefile/${id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${alice}\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    )
    socket.write(bytes.subarray(0, 500))
    await until(async () => (await world.rows('uploads')).some(({ state }) => state === 'completing'))
    await end()
    socket.write(bytes.subarray(500))
    await until(() => answer !== '')
    socket.destroy()
    expect(answer).toMatch(/^HTTP\/1.1 401 /)
    expect((await world.metadata.images.find(id))?.image.state).toBe('pending')
  })
})

test('an upload URL ends with the right to push, and with the scope of its token', async () => {
  await accounts().updateUser('bob', { groups: ['lab'] })
  const bytes = someBytes()
  const { url } = await singleUrl(world.tokens.bob as string, bytes, 'lab/tools/bwa')
  await accounts().updateUser('bob', { groups: [] })
  expectRefusal(await world.call('PUT', url, { body: bytes }), 403)
  await accounts().updateUser('bob', { groups: ['lab'] })
  expectStatus(await world.call('PUT', url, { body: bytes }), 200)
})

test('another token of the same user goes on, and a token that expired does not', async () => {
  const bytes = someBytes()
  const soon = await accounts().createToken({ user: 'alice', expiresAt: new Date(Date.now() + 60_000) })
  const first = await singleUrl(soon.token, bytes)
  world.ahead = 61_000
  expectRefusal(await world.call('PUT', first.url, { body: bytes }), 403)
  const again = await singleUrl(alice, bytes)
  expectStatus(await world.call('PUT', again.url, { body: bytes }), 200)
})

describe('pull URLs of ours', () => {
  const bytes = someBytes(3000)
  const reference = 'alice/tools/bwa:latest'
  let imageId: string
  beforeEach(async () => {
    imageId = (await world.push(alice, 'alice/tools/bwa', bytes, 'latest')).imageId
  })

  const ranged = (url: string) => world.call('GET', url, { headers: { range: 'bytes=1000-1999' } })
  const asked = async (url: string): Promise<number[]> => [
    (await world.call('HEAD', url)).status,
    (await ranged(url)).status,
    (await world.call('GET', url, { headers: { 'if-none-match': `"sha256:${sha256(bytes)}"` } })).status,
  ]
  const open = [200, 206, 304]
  const ended = [410, 410, 410]

  test('end with the image, however it goes', async () => {
    const url = await pullUrl(reference)
    expect(await asked(url)).toEqual(open)
    await world.metadata.images.setState(imageId, ['published'], 'damaged', Date.now())
    expect(await asked(url)).toEqual(ended)
    await world.metadata.images.setState(imageId, ['damaged'], 'published', Date.now())
    expect(await asked(url)).toEqual(open)
    expectStatus(await world.call('DELETE', `/v1/images/alice/tools/bwa:${hashOf(bytes)}`, { token: alice }), 200)
    expect(await asked(url)).toEqual(ended)
    // the same bytes elsewhere are another image
    await world.push(alice, 'alice/other/bwa', bytes, 'latest')
    expect(await asked(url)).toEqual(ended)
  })

  test('end for strangers when the image becomes private, and with the same words', async () => {
    const urls = { anonymous: await pullUrl(reference), mallory: await pullUrl(reference, mallory) }
    const own = await pullUrl(reference, alice)
    await world.library.visibility('alice/tools', 'private')
    for (const url of Object.values(urls)) expect(await asked(url)).toEqual(ended)
    expect(await asked(own)).toEqual(open)
    const hidden = (await ranged(urls.mallory)).text
    expectStatus(await world.call('DELETE', `/v1/images/alice/tools/bwa:${hashOf(bytes)}`, { token: alice }), 200)
    expect((await ranged(urls.mallory)).text).toBe(hidden)
  })

  test.each(Object.entries(endings))('of what is private end once %s', async (_, end) => {
    await world.library.visibility('alice/tools', 'private')
    const url = await pullUrl(reference, alice)
    expect(await asked(url)).toEqual(open)
    await end()
    expect(await asked(url)).toEqual(ended)
  })

  test('of what is private end with the group', async () => {
    await accounts().updateUser('bob', { groups: ['alice'], takeOver: true })
    await world.library.visibility('alice/tools', 'private')
    const url = await pullUrl(reference, world.tokens.bob)
    expect(await asked(url)).toEqual(open)
    await accounts().updateUser('bob', { groups: [] })
    expect(await asked(url)).toEqual(ended)
  })

  test('of a host that cannot be asked again end when the image becomes private, and hold where it was', async () => {
    const auth = ownerPolicy({ authenticate: (request) => world.library.accounts.authenticate(request) })
    const other = await createWorld({ auth, directory: world.directory, users: false })
    try {
      const url = async (token?: string) =>
        (await other.call('GET', `/v1/imagefile/${reference}`, { token })).headers.get('location') as string
      const whilePublic = [await url(), await url(mallory)]
      await world.library.visibility('alice/tools', 'private')
      for (const each of whilePublic) expect(await asked(each)).toEqual(ended)
      const own = await url(alice)
      await endings['the token is revoked']?.()
      expect(await asked(own), 'docs/auth.md says so').toEqual(open)
    } finally {
      await other.close()
    }
  })
})

test('pull URLs of the store live an hour, longer for large images, and never longer than uploads', async () => {
  const seconds: number[] = []
  const memory = memoryStorage()
  const storage = {
    ...memory,
    presign: {
      bindsPayload: true,
      get: (_key: string, { expiresSeconds }: { readonly expiresSeconds: number }) => {
        seconds.push(expiresSeconds)
        return Promise.resolve({ url: 'https://store.example/x', headers: {}, expiresAt: 0 })
      },
    },
  }
  const sizes = [1000, 100 * 2 ** 20, 10 * 2 ** 30, 1000 * 2 ** 30]
  const wrapMetadata = (metadata: World['metadata']) => ({
    ...metadata,
    images: {
      ...metadata.images,
      findByPath: async (...asked: Parameters<typeof metadata.images.findByPath>) => {
        const found = await metadata.images.findByPath(...asked)
        return found && { ...found, image: { ...found.image, size: sizes[seconds.length] ?? 0 } }
      },
    },
  })
  await world.push(alice, 'alice/tools/bwa', someBytes(), 'latest')
  const other = await createWorld({
    directory: world.directory,
    users: false,
    wrapMetadata,
    wrapStorage: () => storage as never,
    acceptStorage: true,
  })
  try {
    for (const _ of sizes) expectStatus(await other.call('GET', '/v1/imagefile/alice/tools/bwa:latest'), 303)
    expect(seconds).toEqual([3601, 4000, 44_560, 86_400])
  } finally {
    await other.close()
  }
})
