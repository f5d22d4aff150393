/**
 * A store that takes connections and never answers (a gateway that is stopped, an OSD that is gone): the start of an upload, and /readyz, waited for three times
 * sixty seconds.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLibrary } from '../../../src/core/index.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { type FakeS3, refuse, startFakeS3 } from '../../support/fake-s3.js'
import { createTestRegistry, readAnswer, TEST_SECRET } from '../../support/registry.js'

let store: FakeS3
let silent: boolean
beforeEach(async () => {
  silent = false
  const objects = new Map<string, string>()
  store = await startFakeS3(({ method, object, body }) => {
    if (silent) return 'silent'
    if (object === '') return { status: 200, xml: '<ListBucketResult/>' }
    if (method === 'PUT') objects.set(object, body)
    if (method === 'PUT' || method === 'DELETE') return { status: 200 }
    const found = objects.get(object)
    if (found === undefined) return refuse(404, 'NoSuchKey')
    return { status: 200, xml: found, headers: { 'content-length': String(found.length) } }
  })
})
afterEach(() => store.close())

async function secondsOf<T>(work: Promise<T>): Promise<{ readonly seconds: number; readonly found: T }> {
  const started = performance.now()
  const found = await work
  return { seconds: (performance.now() - started) / 1000, found }
}

describe('a store that falls silent', () => {
  test('is not ready within two seconds, and ready again when it speaks', async () => {
    const registry = await createTestRegistry({ storage: store.open() })
    silent = true
    const { seconds, found } = await secondsOf(registry.call('GET', '/readyz'))
    expect(found).toMatchObject({ status: 503, json: { metadata: true, storage: false } })
    expect(seconds).toBeLessThan(2)
    const calls = store.calls.length
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(store.calls.length, 'the question is given up, not tried again').toBe(calls)
    silent = false
    registry.advance(6000)
    expect((await registry.call('GET', '/readyz')).status).toBe(200)
    await registry.close()
  })

  test('refuses the start of an upload within ten seconds', { timeout: 60_000 }, async () => {
    const storage = store.open()
    await storage.ready?.()
    silent = true
    const start = storage.multipart.create('a/b', { size: 100, partSize: 100 }).catch((error: unknown) => error)
    const { seconds, found } = await secondsOf(start)
    expect(found).toMatchObject({ code: 'unavailable', retryable: true })
    expect(String(found)).toContain('no answer within 8 s')
    expect(seconds).toBeLessThan(10)
  })

  test('from the beginning: nobody waits for its start', { timeout: 60_000 }, async () => {
    silent = true
    const library = createLibrary({
      publicUrl: 'https://reg.example',
      secret: TEST_SECRET,
      storage: store.open(),
      metadata: sqliteMetadata({ file: ':memory:' }),
    })
    const ask = async (path: string) => {
      const response = await library.handle({ method: 'GET', path, query: '', headers: {}, body: { kind: 'none' } })
      return response === undefined ? undefined : (await readAnswer(response)).status
    }
    const ready = await secondsOf(ask('/readyz'))
    expect(ready.found).toBe(503)
    expect(ready.seconds).toBeLessThan(2)
    const pull = await secondsOf(ask('/v1/images/alice/default/x:latest'))
    expect(pull.found).toBe(503)
    expect(pull.seconds).toBeLessThan(10)
  })
})

test('a storage that never says whether it answers is asked once', async () => {
  let asked = 0
  const storage = {
    ...memoryStorage(),
    check: () => {
      asked += 1
      return new Promise<never>(() => {})
    },
  }
  const registry = await createTestRegistry({ storage })
  for (let times = 0; times < 3; times += 1) {
    const { seconds, found } = await secondsOf(registry.call('GET', '/readyz'))
    expect([found.status, found.json.storage, seconds < 2]).toEqual([503, false, true])
    registry.advance(6000)
  }
  expect(asked).toBe(1)
  await registry.close()
})
