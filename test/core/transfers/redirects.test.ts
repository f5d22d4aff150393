/** Which pulls are redirected to the object store: each generation of clients against each place that a store can have. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { placeOfStore } from '../../../src/core/transfers/redirects.js'
import { presignRegistry } from '../../support/presigned.js'
import { push } from '../../support/push.js'
import type { TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
let target: string
let publicUrl: string

beforeAll(async () => {
  const made = await presignRegistry({
    pullTarget: () => `${target}/images/key?X-Amz-Signature=s`,
    library: { publicUrl: () => publicUrl },
  })
  publicUrl = made.registry.publicUrl
  made.allowPut()
  registry = made.registry
  await push(registry, 'alice/tools/bwa', Buffer.from('bytes of an image'))
})
afterAll(() => registry.close())

interface Pull {
  readonly store: string
  readonly agent?: string
  /** Scheme of the Authorization header; absent = none is sent. */
  readonly scheme?: string
  readonly headers?: Record<string, string>
}

/** Where the redirect of a pull leads. */
async function whereTo({ store, agent, scheme, headers = {} }: Pull): Promise<'store' | 'registry'> {
  target = store
  const { status, headers: answered } = await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest', {
    headers: {
      ...(agent === undefined ? {} : { 'user-agent': agent }),
      ...(scheme === undefined ? {} : { authorization: `${scheme} ${registry.tokens.alice}` }),
      ...headers,
    },
  })
  expect(status).toBe(303)
  const location = answered.location ?? ''
  if (location.startsWith(`${store}/images/`)) return 'store'
  expect(location).toContain('/transfers/')
  return 'registry'
}

const places = {
  authority: 'https://reg.example',
  port: 'https://reg.example:9000',
  below: 'https://s3.reg.example',
  other: 'https://s3.example',
} as const

/** What each generation may be redirected to, when it is signed in. */
const clients: readonly (readonly [string, string | undefined, string, readonly (keyof typeof places)[]])[] = [
  ['3.0-3.2', 'Singularity/3.2.1 (Linux amd64) Go/1.11', 'Bearer', ['other']],
  ['3.3-3.6 (user agent of Go)', 'Go-http-client/1.1', 'BEARER', []],
  ['3.7', 'Singularity/3.7.1 (Linux amd64) Go/1.15', 'BEARER', ['other']],
  ['3.8', 'Singularity/3.8.4 (Linux amd64) Go/1.16', 'BEARER', ['other']],
  ['CE 3.9.0', 'Singularity-Ce/3.9.0 (Linux amd64) Go/1.17', 'BEARER', ['port', 'below', 'other']],
  ['CE 3.9.9', 'Singularity-Ce/3.9.9 (Linux amd64) Go/1.17', 'BEARER', ['port', 'below', 'other']],
  ['CE 3.10.0', 'Singularity-Ce/3.10.0 (Linux amd64) Go/1.18', 'BEARER', []],
  ['CE 3.10.4', 'Singularity-Ce/3.10.4 (Linux amd64) Go/1.19', 'BEARER', []],
  ['CE 3.10.5', 'Singularity-Ce/3.10.5 (Linux amd64) Go/1.19', 'Bearer', ['port', 'below', 'other']],
  ['CE 3.11', 'Singularity-Ce/3.11.5 (Linux amd64) Go/1.20', 'Bearer', ['port', 'below', 'other']],
  ['CE 4', 'Singularity-Ce/4.5.1 (Linux amd64) Go/1.26.8', 'Bearer', ['port', 'below', 'other']],
  ['Apptainer 1.0', 'Apptainer/1.0.3 (Linux amd64) Go/1.17', 'BEARER', ['port', 'below', 'other']],
  ['Apptainer 1.1.0', 'Apptainer/1.1.0 (Linux amd64) Go/1.18', 'BEARER', []],
  ['Apptainer 1.1.5', 'Apptainer/1.1.5 (Linux amd64) Go/1.18', 'BEARER', []],
  ['Apptainer 1.1.6', 'Apptainer/1.1.6 (Linux amd64) Go/1.19', 'BEARER', ['port', 'below', 'other']],
  ['Apptainer 1.2', 'Apptainer/1.2.0 (Linux amd64) Go/1.20', 'Bearer', ['port', 'below', 'other']],
  ['Apptainer 1.5', 'Apptainer/1.5.3 (Linux amd64) Go/1.24', 'Bearer', ['port', 'below', 'other']],
  // what the User-Agent does not say, the spelling of the scheme does
  ['up to 1.3, changed User-Agent', 'PortalDownloader/2.0', 'BEARER', []],
  ['up to 1.3, no User-Agent', undefined, 'BEARER', []],
  ['from 1.4, changed User-Agent', 'PortalDownloader/2.0', 'Bearer', ['other']],
  ['from 1.4, no User-Agent', undefined, 'Bearer', ['other']],
  ['a version of its own', 'Singularitypro/3.9-8 (Linux amd64)', 'BEARER', []],
  ['another one in front', 'Mozilla/5.0 Singularity-Ce/4.5.1', 'Bearer', ['other']],
  // a library that is not the one of its version
  ['CE 4 that spells as 1.3 did', 'Singularity-Ce/4.5.1', 'BEARER', []],
  ['CE 3.9 that spells as 1.4 does', 'Singularity-Ce/3.9.2', 'Bearer', ['other']],
  ['CE 3.10.4, spelling changed by a proxy', 'Singularity-Ce/3.10.4', 'Bearer', []],
  ['Basic, as a proxy wants it', 'curl/8.0', 'Basic', ['other']],
]

describe.each(clients)('%s', (_name, agent, scheme, mayReach) => {
  it('is redirected only to where it sends no token', async () => {
    for (const [place, store] of Object.entries(places)) {
      const expected = (mayReach as readonly string[]).includes(place) ? 'store' : 'registry'
      // the built-in accounts know no Basic; without a principal the header alone counts
      expect([place, await whereTo({ store, scheme, ...(agent !== undefined && { agent }) })]).toEqual([
        place,
        expected,
      ])
    }
  })

  it('goes to the store when it is not signed in', async () => {
    for (const store of Object.values(places))
      expect(await whereTo({ store, ...(agent !== undefined && { agent }) })).toBe('store')
  })
})

describe('the authority of the store', () => {
  const modern = { agent: 'Singularity-Ce/4.5.1', scheme: 'Bearer' }

  it.each([
    ['https://reg.example/library', 'https://REG.Example:443'],
    ['https://REG.example', 'https://reg.example.'],
    ['https://reg.example.', 'https://reg.example'],
    ['http://reg.example', 'http://reg.example:80'],
    ['http://reg.example:8080/a/b', 'http://reg.example:08080'],
    ['https://[::1]:8443', 'https://[0:0:0:0:0:0:0:1]:8443'],
    ['http://127.0.0.1:9000', 'http://127.1:9000'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
  ])('%s is %s', async (registryUrl, store) => {
    publicUrl = registryUrl
    expect(await whereTo({ ...modern, store })).toBe('registry')
  })

  it.each([
    ['https://reg.example', 'https://reg.example:8443'],
    ['https://reg.example:8443', 'https://reg.example'],
    ['http://reg.example', 'https://reg.example'],
    ['https://reg.example', 'https://s3.reg.example'],
    ['https://reg.example', 'https://reg.example.org'],
    ['https://[::1]:8443', 'https://[::2]:8443'],
    ['http://localhost:9000', 'http://127.0.0.1:9000'],
  ])('%s is not %s', async (registryUrl, store) => {
    publicUrl = registryUrl
    expect(await whereTo({ ...modern, store })).toBe('store')
  })

  it.each([
    [{ host: 'alias.example' }, 'https://alias.example'],
    [{ host: 'alias.example' }, 'http://alias.example'],
    [{ host: 'ALIAS.example.:8443' }, 'https://alias.example:8443'],
    [{ host: '[::1]:8443' }, 'https://[::1]:8443'],
    [{ host: 'internal:8080', 'x-forwarded-host': 'alias.example' }, 'https://alias.example'],
    [{ host: 'internal:8080', 'x-forwarded-host': 'first.example, alias.example:8443' }, 'https://alias.example:8443'],
    [
      { host: 'internal:8080', forwarded: 'for=192.0.2.1;host="alias.example:8443";proto=https' },
      'https://alias.example:8443',
    ],
    [{ host: 'internal:8080', forwarded: 'host=alias.example' }, 'https://alias.example'],
  ])('the request names it: %o', async (headers, store) => {
    publicUrl = 'https://reg.example'
    expect(await whereTo({ ...modern, store, headers })).toBe('registry')
    expect(await whereTo({ ...modern, store })).toBe('store')
  })

  it.each([
    [{ host: 'alias.example:8443' }, 'https://alias.example'],
    [{ host: 'alias.example' }, 'https://alias.example:8443'],
    [{ host: '' }, 'https://s3.example'],
    [{ host: 'no host at all', 'x-forwarded-host': ' , :80,[', forwarded: 'host=' }, 'https://s3.example'],
  ])('the request names another: %o', async (headers, store) => {
    publicUrl = 'https://reg.example'
    expect(await whereTo({ ...modern, store, headers })).toBe('store')
  })

  it.each([
    ['https://reg.example', 'https://s3.REG.example.:9000', 'registry'],
    ['https://reg.example', 'https://a.b.reg.example', 'registry'],
    ['https://reg.example', 'https://notreg.example', 'store'],
    ['https://s3.reg.example', 'https://reg.example', 'store'],
  ] as const)('for a client that compares names: %s and %s', async (registryUrl, store, expected) => {
    publicUrl = registryUrl
    expect(await whereTo({ agent: 'Singularity/3.8.4', scheme: 'BEARER', store })).toBe(expected)
  })
})

it('a principal that came without a token is kept off the host that it shares with the store', async () => {
  const made = await presignRegistry({
    pullTarget: () => `${target}/images/key?X-Amz-Signature=s`,
    library: {
      // a proxy in front has checked the token, and says whose it was
      auth: {
        authenticate: ({ headers }) => (headers['x-user'] === undefined ? null : { id: 'alice', name: 'alice' }),
        authorize: () => true,
      },
    },
  })
  made.allowPut()
  await push(made.registry, 'alice/tools/bwa', Buffer.from('bytes of an image'))
  const locate = async (store: string, headers: Record<string, string>): Promise<string> => {
    target = store
    return (await made.registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest', { headers })).headers.location ?? ''
  }
  const user = { 'x-user': 'alice' }
  expect(await locate(places.authority, user)).toContain('/transfers/')
  expect(await locate(places.below, user)).toContain(places.below)
  expect(await locate(places.below, { ...user, 'user-agent': 'Singularity/3.8.0' })).toContain('/transfers/')
  expect(await locate(places.other, { ...user, 'user-agent': 'Singularity-Ce/3.10.4' })).toContain('/transfers/')
  expect(await locate(places.authority, {})).toContain(places.authority)
  await made.registry.close()
})

it('the log says once that pulls take the long way, without a signature', async () => {
  publicUrl = 'https://reg.example'
  for (let pulls = 0; pulls < 3; pulls += 1)
    await whereTo({ store: places.authority, agent: 'Singularity-Ce/4.5.1', scheme: 'Bearer' })
  const lines = registry.logs.filter(({ message }) => message?.includes('share a host and port'))
  expect(
    lines.map(({ level, facts }) => [level, 'store' in facts && new URL(String(facts.store)).hash === '']),
  ).toEqual([['warn', true]])
  expect(JSON.stringify(lines)).not.toContain('Signature')
})

it.each([
  ['https://reg.example/library', 'https://reg.example/images/key', 'authority'],
  ['https://reg.example', 'https://reg.example:9000', 'name'],
  ['https://reg.example', 'https://s3.reg.example', 'name'],
  ['https://reg.example', 'https://s3.example', 'elsewhere'],
  ['nonsense', 'https://s3.example', 'elsewhere'],
])('placeOfStore(%s, %s) is %s', (registryUrl, store, place) => {
  expect(placeOfStore(registryUrl, store)).toBe(place)
})
