/** A cache in front of the registry kept a 404 after the push, and the old size of an image whose tag had moved. */
import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { libraryFetch } from '../../../src/adapters/fetch.js'
import { libraryListener } from '../../../src/adapters/node.js'
import { createApp } from '../../../src/cli/serve/web-server.js'
import { listen } from '../../adapters/host.js'
import { hashOf, makeImage, push, sha256 } from '../../support/push.js'
import { type Answer, createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251))
const path = 'alice/tools/bwa'
let registry: TestRegistry
let location: string
let putUrl: string

beforeAll(async () => {
  registry = await createTestRegistry({ library: { limits: { presignSeconds: 600 } } })
  await push(registry, path, bytes)
  location = (await registry.call('GET', `/v1/imagefile/${path}:latest`)).headers.location ?? ''
  const other = Buffer.from('other bytes')
  const { imageId } = await makeImage(registry, { path: 'alice/tools/put', hash: hashOf(other) })
  const body = { filesize: other.length, sha256sum: sha256(other) }
  putUrl = (await registry.call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body })).json.data.uploadURL
})
afterAll(() => registry.close())

const kept = (answer: Answer): string | undefined => answer.headers['cache-control']

it.each([
  ['discovery', 200, 'GET', '/assets/config/config.prod.json', {}],
  ['version', 200, 'GET', '/version', {}],
  ['health', 200, 'GET', '/healthz', {}],
  ['readiness', 200, 'GET', '/readyz', {}],
  ['openapi', 200, 'GET', '/openapi.json', {}],
  ['token page', 200, 'GET', '/auth/tokens', {}],
  ['token status', 404, 'GET', '/v1/token-status', {}],
  ['what is not offered', 404, 'GET', '/v1/oci-redirect', {}],
  ['an image', 200, 'GET', `/v1/images/${path}:latest`, {}],
  ['an image, HEAD', 200, 'HEAD', `/v1/images/${path}:latest`, {}],
  ['an image that is not there', 404, 'GET', `/v1/images/${path}:none`, {}],
  ['an image that is not there, HEAD', 404, 'HEAD', `/v1/images/${path}:none`, {}],
  ['a container', 200, 'GET', `/v1/containers/${path}`, {}],
  ['a collection', 200, 'GET', '/v1/collections/alice/tools', {}],
  ['an entity', 200, 'GET', '/v1/entities/alice', {}],
  ['search', 200, 'GET', '/v1/search?value=bwa', {}],
  ['a pull', 303, 'GET', `/v1/imagefile/${path}:latest`, {}],
  ['a pull, HEAD', 303, 'HEAD', `/v1/imagefile/${path}:latest`, {}],
  ['a wrong token', 401, 'GET', `/v1/images/${path}:latest`, { token: 'nonsense' }],
  ['no token', 401, 'POST', '/v1/entities', { body: { name: 'bob' } }],
  ['a stranger', 403, 'POST', '/v1/entities', { token: 'mallory', body: { name: 'bob' } }],
  ['a wrong body', 400, 'POST', '/v1/entities', { token: 'alice', body: '{' }],
  ['a wrong name', 400, 'GET', '/v1/entities/-', {}],
  ['a creation', 200, 'POST', '/v1/entities', { token: 'alice', body: { name: 'alice' } }],
  ['an altered transfer URL', 403, 'GET', '/transfers/nonsense', {}],
] as const)('%s (%i) is kept by nobody', async (_what, status, method, where, call) => {
  const answer = await registry.call(method, where, call)
  expect([answer.status, kept(answer)]).toEqual([status, 'no-store'])
})

it('a method that is not there, an upload, a range past the end and HEAD of bytes are kept by nobody', async () => {
  const wrongMethod = await registry.call('DELETE', '/version')
  expect([wrongMethod.status, kept(wrongMethod)]).toEqual([405, 'no-store'])
  const put = await registry.call('PUT', putUrl, { body: Buffer.from('other bytes') })
  expect([put.status, kept(put)]).toEqual([200, 'no-store'])
  const past = await registry.call('GET', location, { headers: { range: 'bytes=5000-' } })
  expect([past.status, kept(past)]).toEqual([416, 'no-store'])
  const head = await registry.call('HEAD', location)
  expect([head.status, kept(head)]).toEqual([200, 'no-store, no-transform'])
})

it('bytes may be kept under their URL for as long as it is valid, whole and in ranges', async () => {
  const made = await createTestRegistry({ library: { limits: { presignSeconds: 600 } } })
  await push(made, path, bytes)
  const url = (await made.call('GET', `/v1/imagefile/${path}:latest`)).headers.location ?? ''
  const etag = `"sha256:${sha256(bytes)}"`
  made.advance(100_000)
  for (const [status, headers] of [
    [200, {}],
    [206, { range: 'bytes=0-99' }],
    [304, { 'if-none-match': etag }],
  ] as const) {
    const answer = await made.call('GET', url, { headers })
    expect([answer.status, answer.headers.etag]).toEqual([status, etag])
    const [, seconds] = /^max-age=(\d+), immutable, no-transform$/.exec(kept(answer) ?? '') ?? []
    expect(Number(seconds)).toBeGreaterThan(495)
    expect(Number(seconds)).toBeLessThanOrEqual(500)
    // Varnish would cut what is larger than its memory
    expect(answer.headers['surrogate-control']).toBe('no-store')
  }
  made.advance(500_000)
  const expired = await made.call('GET', url)
  expect([expired.status, kept(expired)]).toEqual([403, 'no-store'])
  await made.close()
})

it('a fault, a deleted image and a registry that closes are kept by nobody', async () => {
  const made = await createTestRegistry({
    library: {
      hooks: {
        beforeCreate: () => {
          throw new Error('of the host')
        },
      },
    },
  })
  const fault = await made.call('POST', '/v1/entities', { token: 'alice', body: { name: 'alice' } })
  expect([fault.status, kept(fault)]).toEqual([500, 'no-store'])
  await made.close()
  const closed = await made.call('GET', '/version')
  expect([closed.status, kept(closed)]).toEqual([503, 'no-store'])
})

it('our own 404 for paths that are not the registry’s is kept by nobody', async () => {
  const library = { handle: async () => undefined }
  const fetched = await libraryFetch(library, { fallback: true })(new Request('http://reg.example/else'))
  expect([fetched.status, fetched.headers.get('cache-control')]).toEqual([404, 'no-store'])
  for (const listener of [libraryListener(library), createApp(library, undefined)]) {
    const server = await listen(createServer(listener))
    const answer = await fetch(`${server.origin}/else`)
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([404, 'no-store'])
    await server.close()
  }
})
