/** Opening, closing, and the one `catch` of the pipeline. */
import { describe, expect, it } from 'vitest'
import { createLibrary, LibraryError, type LibraryRequest, type LibraryResponse } from '../../src/core/index.js'
import { StorageError } from '../../src/storage/blob/errors.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { pull, push } from '../support/push.js'
import { bodyOf, createTestRegistry, readAnswer } from '../support/registry.js'

const get = (path: string, more: Partial<LibraryRequest> = {}): LibraryRequest => ({
  method: 'GET',
  path,
  query: '',
  headers: {},
  body: { kind: 'none' },
  ...more,
})

describe('ready', () => {
  it('may be called again after a failure, and requests are 503 until then', async () => {
    let broken = true
    const storage = {
      ...memoryStorage(),
      ready: async () => {
        if (broken) throw new StorageError('unavailable', 'no bucket', { backend: 'test' })
      },
    }
    const library = createLibrary({
      publicUrl: 'https://x.example',
      storage,
      metadata: sqliteMetadata({ file: ':memory:' }),
    })
    await expect(library.ready()).rejects.toThrow('no bucket')
    expect(await library.handle(get('/v1/entities/alice'))).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
    })
    expect(await library.handle(get('/version'))).toMatchObject({ status: 200 })
    await expect(library.accounts.listUsers()).rejects.toThrow('no bucket')
    broken = false
    expect(await library.handle(get('/v1/entities/alice'))).toMatchObject({ status: 404 })
    expect(await library.accounts.listUsers()).toEqual([])
    await library.close()
  })

  it('makes a secret once and keeps it', async () => {
    const metadata = sqliteMetadata({ file: ':memory:' })
    const storage = memoryStorage()
    const one = createLibrary({ publicUrl: 'https://x.example', storage, metadata })
    const two = createLibrary({ publicUrl: 'https://x.example', storage, metadata })
    await Promise.all([one.ready(), two.ready()])
    expect((await metadata.settings.get('transfer-secret'))?.length).toBeGreaterThanOrEqual(43)
    await one.close()
  })
})

describe('close', () => {
  it('answers 503 to what is ours, also to HEAD without a body, and passes on what is not', async () => {
    const registry = await createTestRegistry()
    await registry.close()
    expect(await registry.library.handle(get('/version'))).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
    })
    expect(await registry.library.handle(get('/version', { method: 'HEAD' }))).toMatchObject({
      status: 503,
      body: null,
    })
    expect(await registry.library.handle(get('/index.html'))).toBeUndefined()
  })

  it('waits for a body that was handed out, until it is read or given up', async () => {
    for (const leave of ['read', 'return', 'unstarted'] as const) {
      const registry = await createTestRegistry()
      await push(registry, 'alice/tools/bwa', Buffer.alloc(200_000, 'x'))
      const url = (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest')).headers.location ?? ''
      const response = await registry.library.handle(get(url.slice(registry.publicUrl.length)))
      let closed = false
      const closing = registry.close().then(() => {
        closed = true
      })
      await new Promise((resolve) => setTimeout(resolve, 30))
      expect(closed).toBe(false)
      if (leave === 'read' && response) await readAnswer(response)
      else {
        const iterator = ((response as LibraryResponse).body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
        if (leave === 'return') await iterator.next()
        await iterator.return?.()
      }
      await closing
      expect(closed).toBe(true)
    }
  })

  it('stops a verification after the image that it reads', async () => {
    const registry = await createTestRegistry()
    for (const name of ['a', 'b', 'c']) await push(registry, `alice/tools/${name}`, Buffer.from(name))
    const verifying = registry.library.verify({ all: true, bytesPerSecond: 10 })
    await registry.close()
    expect((await verifying).proven).toBeLessThan(3)
  })

  it('waits for a sweep, a verification and a look at visibility under way', async () => {
    for (const work of ['sweep', 'verify', 'visibility'] as const) {
      const metadata = sqliteMetadata({ file: ':memory:' })
      const registry = await createTestRegistry({ metadata })
      await push(registry, 'alice/tools/bwa', Buffer.from('x'))
      const done = work === 'visibility' ? registry.library.visibility('alice', 'private') : registry.library[work]()
      await registry.close()
      await expect(done).resolves.toBeDefined()
    }
  })

  it('closes the metadata store also when the storage will not', async () => {
    const metadata = sqliteMetadata({ file: ':memory:' })
    let closed = 0
    const close = metadata.close.bind(metadata)
    Object.assign(metadata, {
      close: () => {
        closed += 1
        return close()
      },
    })
    const storage = { ...memoryStorage(), close: () => Promise.reject(new Error('stuck')) }
    const registry = await createTestRegistry({ storage, metadata })
    await expect(registry.close()).rejects.toThrow('stuck')
    expect(closed).toBe(1)
  })
})

describe('what is thrown', () => {
  const failing = async (error: unknown, method = 'GET') => {
    const registry = await createTestRegistry({ library: { hooks: { beforePull: () => Promise.reject(error) } } })
    await push(registry, 'alice/tools/bwa', Buffer.from('x'))
    registry.logs.length = 0
    const answer = await registry.call(method, '/v1/imagefile/alice/tools/bwa:latest', {
      token: 'alice',
      headers: { 'x-request-id': 'host-77' },
    })
    await registry.close()
    return { answer, logs: registry.logs, events: registry.events }
  }

  it('by a hook with a code is told to the client', async () => {
    const { answer, events } = await failing(new LibraryError('refused', 'scan this image first'))
    expect(answer).toMatchObject({ status: 403, json: { error: { code: 403, message: 'scan this image first' } } })
    expect(events.at(-1)).toMatchObject({
      name: 'request.failed',
      event: { code: 'refused', status: 403, route: 'images.pull', requestId: 'host-77' },
    })
  })

  it('without a code is a 500 whose text stays in the log, with the request id in both', async () => {
    const { answer, logs } = await failing(new Error('password=hunter2'))
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('hunter2')
    expect(answer.json.error.message).toContain('host-77')
    expect(answer.headers['x-request-id']).toBe('host-77')
    expect(logs.find(({ level }) => level === 'error')).toMatchObject({
      facts: { requestId: 'host-77', err: { message: 'password=hunter2' } },
    })
  })

  it.each([undefined, null, 'text', 5, { code: 'not-found' }])(
    'and is no error at all (%j) is a 500',
    async (thrown) => {
      expect((await failing(thrown)).answer.status).toBe(500)
    },
  )

  it('for HEAD has no body', async () => {
    expect((await failing(new Error('x'), 'HEAD')).answer).toMatchObject({ status: 500, text: '' })
  })

  it('by a LibraryError of another copy of the package is known by its brand', async () => {
    const foreign = Object.assign(new Error('from the other copy'), {
      name: 'LibraryError',
      code: 'quota-exceeded',
      status: 403,
      headers: {},
    })
    expect((await failing(foreign)).answer).toMatchObject({
      status: 403,
      json: { error: { message: 'from the other copy' } },
    })
  })

  it.each([
    ['size-mismatch', 422],
    ['digest-mismatch', 422],
    ['upload-not-found', 410],
    ['invalid-range', 416],
    ['no-space', 507],
    ['unavailable', 503],
    ['access-denied', 500],
    ['internal', 500],
    ['aborted', 499],
  ] as const)('by the storage as %s is %i', async (code, status) => {
    const { answer } = await failing(new StorageError(code, 'in /var/lib/secret', { backend: 'test' }))
    expect(answer.status).toBe(status)
    expect(answer.text).not.toContain('/var/lib')
  })
})

describe('the log', () => {
  it('has a line per request, with who asked, also where it was denied', async () => {
    const registry = await createTestRegistry()
    const { id } = (await registry.library.accounts.findUser('mallory')) ?? {}
    await registry.call('POST', '/v1/entities', { token: 'mallory', body: { name: 'alice' } })
    expect(registry.logs.at(-1)).toMatchObject({
      level: 'info',
      facts: { route: 'entities.create', method: 'POST', status: 403, principal: id },
    })
    await registry.close()
  })

  it('never holds a token, a capability or a query', async () => {
    const registry = await createTestRegistry()
    const bytes = Buffer.from('some bytes')
    await push(registry, 'alice/tools/bwa', bytes, { via: 'multipart' })
    await pull(registry, 'alice/tools/bwa:latest', { token: 'alice' })
    const url = (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest')).headers.location ?? ''
    const capability = url.split('/transfers/')[1] ?? ''
    registry.advance(90_000_000)
    await registry.call('GET', url)
    await registry.call('GET', `${url}x`)
    await registry.call('GET', '/v1/search?value=query-text', { token: 'wrong-token-of-somebody' })
    const text = JSON.stringify([registry.logs, registry.events])
    for (const secret of [
      ...Object.values(registry.tokens),
      capability,
      capability.split('.')[1] ?? '',
      'wrong-token-of-somebody',
      'query-text',
      'tests, forty',
    ])
      expect(text).not.toContain(secret)
    expect(registry.logs.length).toBeGreaterThan(10)
    await registry.close()
  })

  it('takes over a harmless request id only', async () => {
    const registry = await createTestRegistry()
    for (const [given, kept] of [
      ['abc-1.2_3', true],
      ['x'.repeat(65), false],
      ['a b', false],
      ['a\r\nb', false],
      ['', false],
    ] as const) {
      const answer = await registry.call('GET', '/version', { headers: { 'x-request-id': given } })
      expect(answer.headers['x-request-id'] === given).toBe(kept)
      expect(answer.headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]+$/)
    }
    await registry.close()
  })
})

it('listeners that fail break nothing and are logged', async () => {
  const logs: unknown[] = []
  const log = (facts: object): void => void logs.push(facts)
  const library = createLibrary({
    publicUrl: 'https://x.example',
    storage: memoryStorage(),
    metadata: sqliteMetadata({ file: ':memory:' }),
    logger: { debug: log, info: log, warn: log, error: log },
    on: {
      'request.failed': (event) => {
        if (event.status === 404) throw new Error('at once')
        return Promise.reject(new Error('later'))
      },
    },
  })
  expect(await library.handle(get('/v1/entities/nobody'))).toMatchObject({ status: 404 })
  expect(await library.handle(get('/v1/entities', { method: 'POST', body: bodyOf('{') }))).toMatchObject({
    status: 401,
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(logs).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ err: new Error('at once') }),
      expect.objectContaining({ err: new Error('later') }),
    ]),
  )
  await library.close()
})
