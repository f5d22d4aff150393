import { describe, expect, it } from 'vitest'
import packageJson from '../../../package.json' with { type: 'json' }
import type { AuthHooks } from '../../../src/core/auth/policy.js'
import { LibraryError } from '../../../src/core/http/errors.js'
import { packageVersion } from '../../../src/core/version.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { createTestRegistry } from '../../support/registry.js'

it('the version is that of the package', () => {
  expect(packageVersion).toBe(packageJson.version)
})

describe('token-status', () => {
  const denied = new LibraryError('unauthorized', 'no')
  const hooks: readonly (readonly [string, AuthHooks, number])[] = [
    [
      'throws at once',
      {
        authenticate: () => {
          throw denied
        },
      },
      404,
    ],
    ['rejects', { authenticate: () => Promise.reject(denied) }, 404],
    ['says nobody', { authenticate: () => null }, 404],
    ['is not there', {}, 404],
    ['knows', { authenticate: () => ({ id: '1', name: 'alice' }) }, 200],
    [
      'breaks',
      {
        authenticate: () => {
          throw new Error('database gone')
        },
      },
      500,
    ],
  ]
  it.each(hooks)('of a hook that %s', async (_, auth, status) => {
    const registry = await createTestRegistry({ library: { auth } })
    expect((await registry.call('GET', '/v1/token-status', { headers: { authorization: 'Bearer x' } })).status).toBe(
      status,
    )
    await registry.close()
  })
})

describe('the token page', () => {
  it('is a short text, or the page of the host', async () => {
    const registry = await createTestRegistry()
    expect(await registry.call('GET', '/auth/tokens')).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    })
    await registry.close()
    const hosted = await createTestRegistry({ library: { tokenPage: 'https://portal.example/tokens' } })
    expect(await hosted.call('GET', '/auth/tokens')).toMatchObject({
      status: 302,
      headers: { location: 'https://portal.example/tokens' },
    })
    await hosted.close()
  })
})

describe('readiness', () => {
  it('is 503 while the storage does not answer, and tells nobody why', async () => {
    const storage = {
      ...memoryStorage(),
      check: async () => ({ ok: false, message: 'connect ECONNREFUSED 10.0.0.5:9000' }),
    }
    const registry = await createTestRegistry({ storage })
    const answer = await registry.call('GET', '/readyz')
    expect(answer).toMatchObject({ status: 503, json: { status: 'not ready', metadata: true, storage: false } })
    expect(answer.text).not.toContain('10.0.0.5')
    expect(JSON.stringify(registry.logs)).toContain('10.0.0.5')
    expect((await registry.call('GET', '/healthz')).status).toBe(200)
    await registry.close()
  })

  it('asks the storage once in five seconds, however many ask, and finds out when that changes', async () => {
    let ok = true
    let checks = 0
    const storage = {
      ...memoryStorage(),
      check: async () => {
        checks += 1
        return { ok, message: 'full' }
      },
    }
    const registry = await createTestRegistry({ storage })
    const ask = async () => (await registry.call('GET', '/readyz')).status
    expect(new Set(await Promise.all(Array.from({ length: 50 }, ask)))).toEqual(new Set([200]))
    ok = false
    registry.advance(4000)
    expect([await ask(), checks]).toEqual([200, 1])
    registry.advance(1500)
    expect([await ask(), await ask(), checks]).toEqual([503, 503, 2])
    expect(registry.logs.filter(({ message }) => message === 'not ready')).toHaveLength(1)
    ok = true
    registry.advance(5000)
    expect([await ask(), checks]).toEqual([200, 3])
    // the clock of the machine was set back
    registry.advance(-100_000)
    await ask()
    expect(checks).toBe(4)
    await registry.close()
  })
})

describe('discovery', () => {
  it('names the keyserver of the options, and never a trailing slash', async () => {
    const registry = await createTestRegistry({
      library: {
        publicUrl: (request) => `https://${request.headers['x-name']}/lib///`,
        keyserver: 'https://keys.example/',
      },
    })
    const answer = await registry.call('GET', '/assets/config/config.prod.json', {
      headers: { 'x-name': 'two.example' },
    })
    expect(answer.json).toEqual({
      libraryAPI: { uri: 'https://two.example/lib' },
      keystoreAPI: { uri: 'https://keys.example' },
      tokenAPI: { uri: 'https://two.example/lib' },
    })
    await registry.close()
  })
})
