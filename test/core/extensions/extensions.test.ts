import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  dataResponse,
  defineRoute,
  type ExtensionHost,
  type ExtensionParts,
  LibraryError,
  type LibraryExtension,
  textResponse,
} from '../../../src/core/extension.js'
import { createLibrary, type LibraryEvents } from '../../../src/core/index.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { push, sha256 } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry?.close())

const extension = (
  name: string,
  parts: ExtensionParts | ((host: ExtensionHost) => ExtensionParts),
): LibraryExtension => ({
  name,
  setup: (host) => (typeof parts === 'function' ? parts(host) : parts),
})
const start = async (...extensions: readonly LibraryExtension[]): Promise<TestRegistry> => {
  registry = await createTestRegistry({ library: { extensions } })
  return registry
}
const row = (name: string, path: string, handler: () => ReturnType<typeof dataResponse> = () => dataResponse(name)) =>
  defineRoute({
    ...{ name, method: 'GET', path, summary: name, access: 'filtered', body: 'none' },
    ...{ success: { status: 200, schema: 'text' }, handler },
  })

describe('at start', () => {
  const make = (...extensions: readonly LibraryExtension[]) =>
    createLibrary({
      ...{ publicUrl: 'https://reg.example', secret: 'x'.repeat(32), extensions },
      ...{ storage: memoryStorage(), metadata: sqliteMetadata({ file: ':memory:' }) },
    })
  it.each([
    [[extension('Feed', {})], 'extensions: "Feed" is no name for an extension'],
    [[extension('sif-library', {})], 'is no name for an extension'],
    [[extension('feed', {}), extension('feed', {})], 'extensions: there are two called feed'],
    [
      [extension('feed', { routes: [row('other.atom', '/feed')] })],
      'the route other.atom of the extension feed must be',
    ],
    [
      [extension('feed', { routes: [row('feed.version', '/version')] })],
      'the routes version and feed.version are both GET /version',
    ],
    [
      [extension('one', { routes: [row('one.a', '/x/{a}')] }), extension('two', { routes: [row('two.b', '/x/{b}')] })],
      'the routes one.a (/x/{a}) and two.b (/x/{b}) call one segment {a} and {b}',
    ],
    [[extension('feed', { jobs: [{ name: 'trim', everySeconds: 0, run: async () => {} }] })], 'runs every 0 seconds'],
    [[extension('feed', { rotues: [] } as ExtensionParts)], 'the extension feed has an unknown part rotues'],
  ])('%# is refused', (extensions, message) => {
    expect(() => make(...extensions)).toThrow(message)
  })
})

describe('routes', () => {
  it('are answered, authorized and documented beside those of the library', async () => {
    await start(
      extension('feed', ({ may }) => ({
        routes: [
          row('feed.open', '/feed'),
          defineRoute({
            ...{ name: 'feed.secret', method: 'PATCH', path: '/feed/{entity}', summary: 'Only for who may push' },
            access: {
              action: 'push',
              locate: async ({ params: { entity = '' } }) => ({
                resource: { kind: 'entity', path: entity, entity, private: false, owner: null },
                record: entity,
              }),
            },
            body: { schema: z.strictObject({ Title: z.string(), extra: z.record(z.string(), z.unknown()) }) },
            success: { status: 200, schema: z.object({}) },
            handler: async ({ body, record, principal, request }) => {
              const resource = { kind: 'entity', path: 'bob', entity: 'bob', private: false, owner: null } as const
              return dataResponse({
                ...{ body, record, may: await may({ principal, request, action: 'push', resource }) },
              })
            },
          }),
        ],
      })),
    )
    expect((await registry.call('GET', '/feed')).json).toEqual({ data: 'feed.open' })
    const body = { Title: 'kept as it is', extra: { Unknown: null, nested: { KEY: 1 } } }
    const answer = await registry.call('PATCH', '/feed/alice', { token: 'alice', body })
    expect(answer.json).toEqual({ data: { body, record: 'alice', may: false } })
    expect((await registry.call('PATCH', '/feed/alice', { token: 'bob', body })).status).toBe(403)
    expect((await registry.call('PATCH', '/feed/alice', { body })).status).toBe(401)
    expect((await registry.call('PATCH', '/feed/alice', { token: 'alice', body: { title: 'x' } })).status).toBe(400)
    const { paths } = registry.library.openapi() as { paths: Record<string, object> }
    expect(Object.keys(paths['/feed/{entity}'] ?? {})).toEqual(['patch'])
  })

  it('ask the extension who asks, and let it say what an error looks like', async () => {
    await start(
      extension('page', {
        authenticate: (request) => {
          if (request.headers.cookie === 'bad') throw new LibraryError('unauthorized', 'the session is over')
          return request.headers.cookie === 'session=1' ? { id: 'x', name: 'xenia' } : undefined
        },
        renderError: (error) => textResponse(`<p>${error.status}`, 'text/html', error.status),
        routes: [
          defineRoute({
            ...{ name: 'page.who', method: 'GET', path: '/who', summary: 'Who', access: 'filtered', body: 'none' },
            success: { status: 200, schema: 'text' },
            handler: ({ principal }) => dataResponse(principal?.name ?? null),
          }),
          row('page.broken', '/broken', () => {
            throw new Error('a secret of the inside')
          }),
        ],
      }),
    )
    const who = async (headers: Record<string, string>, token?: 'alice') =>
      (await registry.call('GET', '/who', { headers, ...(token && { token }) })).text
    expect(await who({ cookie: 'session=1' })).toBe('{"data":"xenia"}')
    expect(await who({}, 'alice')).toBe('{"data":"alice"}')
    expect(await who({})).toBe('{"data":null}')
    expect(await who({ cookie: 'bad' })).toBe('<p>401')
    const broken = await registry.call('GET', '/broken')
    expect([broken.status, broken.text]).toEqual([500, '<p>500'])
    const posted = await registry.call('POST', '/who')
    expect([posted.status, posted.text, posted.headers.allow]).toEqual([405, '<p>405', 'GET, HEAD'])
    // rows of the library are answered as ever
    expect((await registry.call('POST', '/version')).json).toMatchObject({ error: { code: 405 } })
    expect((await registry.call('GET', '/v1/entities/nobody', { headers: { cookie: 'bad' } })).json).toMatchObject({
      error: { code: 404 },
    })
  })
})

describe('hooks and listeners', () => {
  it('run behind those of the host, in order; a hook that refuses ends the list', async () => {
    const calls: string[] = []
    let completed: LibraryEvents['request.completed'] | undefined
    const named = (name: string): LibraryExtension =>
      extension(name, {
        hooks: {
          beforePush: () => {
            calls.push(`${name} push`)
            if (name === 'two') throw new LibraryError('refused', 'not on a Friday')
          },
        },
        on: {
          'request.completed': (event) => {
            completed = event
            calls.push(`${name} ${event.route} ${event.status}`)
          },
        },
      })
    registry = await createTestRegistry({
      library: {
        extensions: [named('one'), named('two'), named('three')],
        hooks: { beforePush: () => void calls.push('host push') },
      },
    })
    await registry.call('GET', '/version')
    expect(calls.splice(0)).toEqual(['one version 200', 'two version 200', 'three version 200'])
    await expect(push(registry, 'alice/tools/bwa', Buffer.from('bytes'))).rejects.toThrow()
    expect(calls.filter((call) => call.endsWith('push'))).toEqual(['host push', 'one push', 'two push'])
    expect(completed).toMatchObject({ route: 'images.create', method: 'POST', status: 403, principalName: 'alice' })
    expect(completed?.bytes).toBeGreaterThan(10)
  })
})

describe('storage and documents', () => {
  it('are its own', async () => {
    const hosts: Record<string, ExtensionHost> = {}
    const keep = (name: string): LibraryExtension =>
      extension(name, (host) => {
        hosts[name] = host
        return {}
      })
    await start(keep('one'), keep('two'))
    const { one, two } = hosts as { one: ExtensionHost; two: ExtensionHost }
    const bytes = Buffer.from('some bytes')
    const options = { size: bytes.length, sha256: sha256(bytes) }
    await one.storage.put(
      'a/b',
      (async function* () {
        yield bytes
      })(),
      options,
    )
    expect((await registry.storage.stat('extensions/one/a/b'))?.size).toBe(bytes.length)
    expect(await two.storage.stat('a/b')).toBeUndefined()
    const listed = []
    for await (const { key } of one.storage.list('a')) listed.push(key)
    expect(listed).toEqual(['a/b'])
    for (const key of ['../two/x', 'a/../../x', '', '/a', 'a//b', './a'])
      await expect(one.storage.stat(key)).rejects.toMatchObject({ code: 'invalid-key' })
    // a sweep without a grace leaves it alone
    await registry.library.sweep({ graceSeconds: 0, stuckSeconds: 0 })
    expect(await one.storage.stat('a/b')).toBeDefined()

    expect(await one.documents.put('entry', 'a', { value: { x: 1 }, index: 'i' })).toBeDefined()
    expect(await two.documents.get('entry', 'a')).toBeUndefined()
    expect((await one.documents.list('entry', { limit: 5, index: 'i' })).map(({ value }) => value)).toEqual([{ x: 1 }])
    await expect(one.documents.put('entry', 'b', { value: 'x'.repeat(5 * 1024 ** 2) })).rejects.toThrow(TypeError)
    await expect(one.documents.put('entry', 'b'.repeat(513), { value: 1 })).rejects.toThrow(TypeError)
    await expect(one.documents.put('entry', 'b', { value: undefined })).rejects.toThrow(TypeError)
  })
})

describe('keeps', () => {
  it('saves a blob from the sweep, and the explanation says why', async () => {
    let needed = true
    await start(extension('oci', { keeps: async () => (needed ? 'a manifest names it' : undefined) }))
    await push(registry, 'alice/tools/bwa', Buffer.from('bytes of an image'), { tags: ['1'] })
    await registry.call('DELETE', '/v1/images/alice/tools/bwa:1?arch=amd64', { token: 'alice' })
    const sweep = () => registry.library.sweep({ graceSeconds: 0 })
    registry.advance(10_000)
    expect(await sweep()).toMatchObject({ blobs: 0, kept: 1 })
    const [explained] = await registry.library.explain(sha256(Buffer.from('bytes of an image')))
    expect(explained).toMatchObject({ fate: 'kept', why: 'kept because a manifest names it' })
    needed = false
    expect(await sweep()).toMatchObject({ blobs: 1, kept: 0 })
  })
})

describe('ready and close', () => {
  it('are called once, and a ready that failed is called again', async () => {
    const calls: string[] = []
    let fails = true
    const one = extension('one', {
      ready: async () => {
        calls.push('ready')
        if (fails) throw new Error('not yet')
      },
      close: async () => {
        calls.push('close')
        throw new Error('a close that fails keeps nothing else open')
      },
    })
    const library = createLibrary({
      ...{ publicUrl: 'https://reg.example', secret: 'x'.repeat(32), extensions: [one] },
      ...{ storage: memoryStorage(), metadata: sqliteMetadata({ file: ':memory:' }) },
    })
    await expect(library.ready()).rejects.toThrow('not yet')
    fails = false
    await library.ready()
    await library.ready()
    await Promise.all([library.close(), library.close()])
    expect(calls).toEqual(['ready', 'ready', 'close'])
  })
})
