/** Signing in and out over HTTP, by the cookie alone. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sessionRoutes } from '../../../src/extensions/api/session-routes.js'
import { push } from '../../support/push.js'
import { type Answer, createTestRegistry, type TestRegistry } from '../../support/registry.js'

const path = '/api/v1/session'
const own = { origin: 'https://reg.example', 'sec-fetch-site': 'same-origin' }
let registry: TestRegistry

beforeAll(async () => {
  registry = await createTestRegistry({
    library: { extensions: [{ name: 'api', setup: (host) => ({ routes: sessionRoutes(host) }) }] },
  })
  await push(registry, 'alice/secret/n', Buffer.from('bytes'))
  await registry.library.visibility('alice/secret', 'private')
})
afterAll(() => registry.close())
beforeEach(() => {
  registry.logs.splice(0)
  registry.events.splice(0)
})

const signIn = (body: object, headers: Readonly<Record<string, string>> = own): Promise<Answer> =>
  registry.call('POST', path, { body, headers })
/** What a browser sends back. */
const cookieOf = (answer: Answer): string => (answer.headers['set-cookie'] ?? '').split(';')[0] ?? ''
const withCookie = (cookie: string, method: string, at: string, more: object = {}): Promise<Answer> =>
  registry.call(method, at, { headers: { ...own, cookie }, ...more })

describe('signing in', () => {
  it('by a token sets a cookie, with which the browser reads and writes as the user', async () => {
    const answer = await signIn({ token: registry.tokens.alice })
    expect(answer).toMatchObject({ status: 200, json: { data: { user: 'alice' } } })
    expect(Date.parse(answer.json.data.expiresAt)).toBeGreaterThan(registry.now() + 11.9 * 3_600_000)
    expect(answer.headers['set-cookie']).toMatch(
      /^sif_library_session=[\w-]{43}; Path=\/library; HttpOnly; SameSite=Strict; Secure$/,
    )
    const cookie = cookieOf(answer)
    expect((await withCookie(cookie, 'GET', '/v1/containers/alice/secret/n')).status).toBe(200)
    const made = await withCookie(cookie, 'POST', '/v1/entities', { body: { name: 'alice' } })
    expect(made.status).toBe(200)
    expect((await withCookie('sif_library_session=x', 'GET', '/v1/containers/alice/secret/n')).status).toBe(404)
    const foreign = await registry.call('POST', '/v1/entities', {
      body: { name: 'alice' },
      headers: { cookie, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    })
    expect(foreign.status).toBe(403)
  })

  it('by a code works once', async () => {
    const { code } = await registry.library.accounts.createSignInCode('alice')
    const answer = await signIn({ code })
    expect(answer.json.data.user).toBe('alice')
    expect((await withCookie(cookieOf(answer), 'GET', '/v1/containers/alice/secret/n')).status).toBe(200)
    const again = await signIn({ code })
    expect([again.status, again.headers['set-cookie']]).toEqual([401, undefined])
  })

  it('is refused for what is no good, without a cookie', async () => {
    const { alice: token } = registry.tokens
    for (const [body, status] of [
      [{ token: 'wrong' }, 401],
      [{ code: 'wrong' }, 401],
      [{ code: token }, 401],
      [{}, 400],
      [{ token, code: 'x' }, 400],
      [{ token: '' }, 400],
      [{ token: ['x'] }, 400],
      [{ token: 'x'.repeat(5000) }, 400],
      [{ token, user: 'admin' }, 400],
    ] as const) {
      const answer = await signIn(body)
      expect([body, answer.status]).toEqual([body, status])
      expect(answer.headers['set-cookie']).toBeUndefined()
      expect(answer.text).not.toContain(token)
    }
  })

  it('as somebody else, by the page of another site, is refused', async () => {
    const body = { token: registry.tokens.mallory }
    const foreign: readonly Readonly<Record<string, string>>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'https://evil.example' },
    ]
    for (const headers of foreign) {
      const answer = await signIn(body, headers)
      expect([answer.status, answer.headers['set-cookie']]).toEqual([403, undefined])
    }
  })

  it('leaves neither token, code nor session in the log and in events', async () => {
    const { code } = await registry.library.accounts.createSignInCode('alice')
    const sessions = [await signIn({ token: registry.tokens.alice }), await signIn({ code })].map(
      (answer) => cookieOf(answer).split('=')[1] ?? '',
    )
    expect(registry.events).toMatchObject([
      { name: 'token.created', event: { user: 'alice', label: 'sign-in link' } },
      { name: 'session.created', event: { user: 'alice', by: 'token' } },
      { name: 'session.created', event: { user: 'alice', by: 'code', parentId: null } },
    ])
    const told = JSON.stringify([registry.logs, registry.events])
    for (const secret of [registry.tokens.alice, code, ...sessions]) {
      expect(secret.length).toBeGreaterThan(20)
      expect(told).not.toContain(secret)
    }
  })
})

describe('signing out', () => {
  it('ends the session and takes the cookie back, and a second time nothing', async () => {
    const cookie = cookieOf(await signIn({ token: registry.tokens.alice }))
    for (let time = 0; time < 2; time += 1) {
      const answer = await withCookie(cookie, 'DELETE', path)
      expect([answer.status, answer.text]).toEqual([204, ''])
      expect(answer.headers['set-cookie']).toBe(
        'sif_library_session=; Path=/library; HttpOnly; SameSite=Strict; Secure; Max-Age=0',
      )
      expect((await withCookie(cookie, 'GET', '/v1/containers/alice/secret/n')).status).toBe(404)
    }
    expect(registry.events.map(({ name }) => name)).toEqual([
      'session.created',
      'session.ended',
      'request.failed',
      'request.failed',
    ])
  })

  it('leaves the other sessions and the token alone', async () => {
    const [one, two] = [await signIn({ token: registry.tokens.alice }), await signIn({ token: registry.tokens.alice })]
    await withCookie(cookieOf(one), 'DELETE', path)
    expect((await withCookie(cookieOf(two), 'GET', '/v1/containers/alice/secret/n')).status).toBe(200)
    expect((await registry.call('GET', '/v1/containers/alice/secret/n', { token: 'alice' })).status).toBe(200)
  })

  it('by the page of another site is refused', async () => {
    const cookie = cookieOf(await signIn({ token: registry.tokens.alice }))
    const headers = { cookie, 'sec-fetch-site': 'same-site' }
    expect((await registry.call('DELETE', path, { headers })).status).toBe(403)
    expect((await withCookie(cookie, 'GET', '/v1/containers/alice/secret/n')).status).toBe(200)
  })
})
