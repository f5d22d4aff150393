/** A real registry in a host: push, pull, search, delete, refusals, faults, close. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLibrary, type Library, LibraryError } from '../../src/core/index.js'
import { routes } from '../../src/core/routes.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { makeSif } from '../fixtures/sif.js'
import { call } from './client.js'
import type { Host, RunningHost } from './host.js'
import { ask, pull, push, type Registry } from './push.js'

/** Of the kinds that a server holds open. */
const openHandles = (): number =>
  process.getActiveResourcesInfo().filter((kind) => /^TCP|Timeout|Immediate|FSReqPromise/.test(kind)).length

export function describeRegistry(host: Host, prefix: string, company: boolean): void {
  describe('with a real registry', () => {
    let library: Library
    let running: RunningHost
    let alice: Registry
    let anonymous: Registry
    let handlesBefore: number
    const path = 'alice/tools/bwa'
    const image = makeSif({ size: 300_000 })

    beforeAll(async () => {
      handlesBefore = openHandles()
      library = createLibrary({
        publicUrl: (request) => `http://${String(request.headers.host)}${prefix}`,
        storage: memoryStorage(),
        metadata: sqliteMetadata({ file: ':memory:' }),
        limits: { partBytes: 131_072 },
        hooks: {
          beforeCreate: ({ path }) => {
            if (path === 'alice/fault') throw new Error('secret text of the host')
            if (path === 'alice/refused') throw new LibraryError('refused', 'not in this house')
          },
        },
      })
      running = await host.start({ library, prefix, company })
      await library.accounts.addUser({ name: 'alice' })
      const url = `${running.origin}${prefix}`
      alice = { url, token: (await library.accounts.createToken({ user: 'alice' })).token }
      anonymous = { url }
    })
    afterAll(async () => {
      await running.close()
      await library.close()
    })

    test('an image is pushed in one piece, found and pulled', async () => {
      await push(alice, { path, bytes: image })
      expect((await pull(anonymous, `${path}:latest`)).equals(image)).toBe(true)
      const found = (await ask(anonymous, 'GET', '/v1/search?value=bwa')).json().data as {
        container: { name: string }[]
      }
      expect(found.container.map(({ name }) => name)).toEqual(['bwa'])
    })

    test('an image is pushed in parts, and pulled by hash', async () => {
      const bytes = makeSif({ size: 500_001, seed: 2 })
      await push(alice, { path, bytes, tag: 'parts', multipart: true })
      expect((await pull(alice, `${path}:parts`)).equals(bytes)).toBe(true)
    })

    test('no cache may keep an answer but the bytes of an image', async () => {
      const answers = {
        discovery: await ask(anonymous, 'GET', '/assets/config/config.prod.json'),
        health: await ask(anonymous, 'GET', '/healthz'),
        openapi: await ask(anonymous, 'GET', '/openapi.json'),
        image: await ask(anonymous, 'GET', `/v1/images/${path}:latest`),
        head: await ask(anonymous, 'HEAD', `/v1/images/${path}:latest`),
        missing: await ask(anonymous, 'GET', `/v1/images/${path}:none`),
        refused: await ask({ ...alice, token: 'wrong' }, 'GET', `/v1/images/${path}:latest`),
        pull: await ask(anonymous, 'GET', `/v1/imagefile/${path}:latest`),
      }
      for (const [what, answer] of Object.entries(answers))
        expect([what, answer.header('cache-control')]).toEqual([what, 'no-store'])
      const location = new URL(answers.pull.header('location') ?? '')
      for (const [status, headers] of [
        [200, {}],
        [206, { range: 'bytes=0-99' }],
      ] as const) {
        const bytes = await call(location.origin, location.pathname, { headers })
        expect([bytes.status, bytes.header('cache-control')]).toEqual([
          status,
          expect.stringMatching(/^max-age=3[56]\d{2}, immutable, no-transform$/),
        ])
        expect(bytes.header('surrogate-control')).toBe('no-store')
      }
      const head = await call(location.origin, location.pathname, { method: 'HEAD' })
      expect([head.status, head.header('cache-control')]).toEqual([200, 'no-store, no-transform'])
    })

    test('the odd spellings of clients are understood', async () => {
      expect((await ask(anonymous, 'GET', `/v1//images///${path}%3Alatest`)).status).toBe(200)
      expect((await ask(anonymous, 'HEAD', `/v1/images/${path}:latest?arch=amd64`)).status).toBe(200)
      const deleted = await ask(alice, 'DELETE', `/v1/images/${path}:parts?arch%3Damd64`)
      expect(deleted.status).toBe(200)
      expect((await ask(alice, 'GET', `/v1/images/${path}:parts`)).status).toBe(404)
    })

    test('a write that the page of another site sent is refused, by every row', async () => {
      const unsafe = routes.filter(({ method }) => method !== 'GET')
      expect(unsafe.length).toBeGreaterThan(10)
      const foreign: readonly Readonly<Record<string, string>>[] = [
        { origin: 'https://evil.example' },
        { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      ]
      for (const headers of foreign) {
        for (const { name, method, path: pattern } of unsafe) {
          const at = pattern.replaceAll(/\{\w+(\.\.\.)?\}/g, 'f'.repeat(24))
          const answer = await call(running.origin, `${prefix}${at}`, {
            ...{ method, headers },
            ...(method === 'DELETE' ? {} : { body: '{}' }),
          })
          expect([name, answer.status, answer.text]).toEqual([name, 403, expect.stringContaining('another site')])
        }
      }
      const own = { origin: running.origin, authorization: `Bearer ${alice.token}` }
      const answer = await call(running.origin, `${prefix}/v1/entities`, {
        ...{ method: 'POST', headers: own, body: '{"name":"alice"}' },
      })
      expect(answer.status).toBe(200)
    })

    test('refusals are the envelope of the registry', async () => {
      for (const [registry, status] of [
        [anonymous, 401],
        [{ ...alice, token: 'wrong' }, 401],
      ] as const) {
        const refused = await ask(registry, 'POST', '/v1/entities', { name: 'alice' })
        expect([
          refused.status,
          refused.header('content-type'),
          (refused.json().error as { code: number }).code,
        ]).toEqual([status, 'application/json', status])
      }
      const broken = await ask(alice, 'POST', '/v1/entities', 'no object')
      expect([broken.status, broken.header('content-type')]).toEqual([400, 'application/json'])
    })

    test('what a hook throws becomes the envelope with a request id, never the page of the host', async () => {
      const { id } = (await ask(alice, 'GET', '/v1/entities/alice')).json().data as { id: string }
      const refused = await ask(alice, 'POST', '/v1/collections', { name: 'refused', entity: id })
      expect([refused.status, refused.json()]).toEqual([403, { error: { code: 403, message: 'not in this house' } }])
      const failed = await ask(alice, 'POST', '/v1/collections', { name: 'fault', entity: id })
      expect(failed.status).toBe(500)
      const { message } = failed.json().error as { message: string }
      expect(message).toContain(failed.header('x-request-id'))
      expect(message).not.toContain('secret')
    })

    test('close leaves no handle and no timer', async () => {
      await running.close()
      await library.close()
      for (let turn = 0; turn < 100 && openHandles() > handlesBefore; turn += 1)
        await new Promise((resolve) => setTimeout(resolve, 20).unref())
      expect(openHandles()).toBeLessThanOrEqual(handlesBefore)
    })
  })
}
