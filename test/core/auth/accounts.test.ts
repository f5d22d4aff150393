import { describe, expect, it } from 'vitest'
import { createAccounts } from '../../../src/core/auth/accounts.js'
import { endedSessionCookie, sessionCookie } from '../../../src/core/auth/session-cookie.js'
import type { LibraryRequest } from '../../../src/core/http/messages.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'

const clock = { now: 1_800_000_000_000 }
const requestOf = (authorization?: string): LibraryRequest => ({
  method: 'GET',
  path: '/',
  query: '',
  headers: { authorization },
  body: { kind: 'none' },
})
const invalid = expect.objectContaining({ code: 'unauthorized', status: 401 })

function makeAccounts() {
  const metadata = sqliteMetadata({ file: ':memory:' })
  return { metadata, accounts: createAccounts({ metadata, clock: () => clock.now }) }
}

async function withAlice() {
  const made = makeAccounts()
  await made.accounts.addUser({ name: 'alice', groups: ['lab'] })
  return made
}

describe('users', () => {
  it('are made, found, listed, changed and removed', async () => {
    const { accounts } = makeAccounts()
    const made = await accounts.addUser({ name: 'alice', admin: true, groups: ['lab'] })
    expect(made).toMatchObject({ name: 'alice', admin: true, groups: ['lab'], createdAt: clock.now })
    expect(made.id).toMatch(/^[0-9a-f]{24}$/)
    expect(await accounts.findUser('alice')).toEqual(made)
    expect(await accounts.listUsers()).toEqual([made])
    expect(await accounts.updateUser('alice', { admin: false })).toMatchObject({ admin: false, groups: ['lab'] })
    expect(await accounts.removeUser('alice')).toBe(true)
    expect(await accounts.removeUser('alice')).toBe(false)
    expect(await accounts.findUser('alice')).toBeUndefined()
  })

  it('refuses a taken name, names and groups outside the grammar, and unknown users', async () => {
    const { accounts } = await withAlice()
    await expect(accounts.addUser({ name: 'alice' })).rejects.toThrow(expect.objectContaining({ code: 'conflict' }))
    for (const name of ['', 'Alice', 'a/b', '../x', '__proto__'])
      await expect(accounts.addUser({ name })).rejects.toThrow(expect.objectContaining({ code: 'invalid-name' }))
    await expect(accounts.addUser({ name: 'bob', groups: ['A'] })).rejects.toThrow(
      expect.objectContaining({ code: 'invalid-name' }),
    )
    await expect(accounts.updateUser('alice', { groups: ['A'] })).rejects.toThrow(
      expect.objectContaining({ code: 'invalid-name' }),
    )
    await expect(accounts.updateUser('nobody', {})).rejects.toThrow(expect.objectContaining({ code: 'not-found' }))
    await expect(accounts.createToken({ user: 'nobody' })).rejects.toThrow(
      expect.objectContaining({ code: 'not-found' }),
    )
    await expect(accounts.listTokens('nobody')).rejects.toThrow(expect.objectContaining({ code: 'not-found' }))
  })
})

describe('tokens', () => {
  it('have 200 to 4096 header-safe characters, and are stored as a hash only', async () => {
    const { accounts, metadata } = await withAlice()
    const { token, info } = await accounts.createToken({ user: 'alice', label: 'laptop' })
    expect(token).toMatch(/^[A-Za-z0-9_-]{200,4096}$/)
    expect(JSON.stringify([info, await accounts.listTokens()])).not.toContain(token)
    expect(info).not.toHaveProperty('hash')
    expect(info).toMatchObject({ label: 'laptop', userName: 'alice', scopes: [], expiresAt: null, lastUsedAt: null })
    const stored = await metadata.accounts.listTokens()
    expect(stored).toHaveLength(1)
    expect(stored[0]?.hash).toMatch(/^[0-9a-f]{64}$/)
    expect((await accounts.createToken({ user: 'alice' })).token).not.toBe(token)
  })

  it.each(['Bearer', 'BEARER', 'bearer', 'bEaReR'])('are known under the scheme %s', async (scheme) => {
    const { accounts } = await withAlice()
    const { token } = await accounts.createToken({ user: 'alice', scopes: ['pull:alice'] })
    expect(await accounts.authenticate(requestOf(`${scheme} ${token}`))).toMatchObject({
      name: 'alice',
      admin: false,
      groups: ['lab'],
      scopes: ['pull:alice'],
    })
    expect(await accounts.authenticate(requestOf(`  ${scheme}  ${token}  `))).toMatchObject({ name: 'alice' })
  })

  it.each([undefined, '', 'Bearer', 'Bearer ', 'BEARER   ', 'Basic YWxpY2U6eA==', 'Bearerx'])(
    '%j is anonymous',
    async (authorization) => {
      const { accounts } = await withAlice()
      expect(await accounts.authenticate(requestOf(authorization))).toBeNull()
    },
  )

  it('throw when they are unknown, altered, revoked or of a removed user', async () => {
    const { accounts } = await withAlice()
    const { token, info } = await accounts.createToken({ user: 'alice' })
    const other = await accounts.createToken({ user: 'alice' })
    for (const bad of ['x', `${token}x`, token.slice(0, -1), token.toUpperCase(), `${token} ${token}`])
      await expect(accounts.authenticate(requestOf(`Bearer ${bad}`))).rejects.toThrow(invalid)
    expect(await accounts.revokeToken(info.id)).toBe(true)
    expect(await accounts.revokeToken(info.id)).toBe(false)
    await expect(accounts.authenticate(requestOf(`Bearer ${token}`))).rejects.toThrow(invalid)
    await accounts.removeUser('alice')
    await expect(accounts.authenticate(requestOf(`Bearer ${other.token}`))).rejects.toThrow(invalid)
  })

  it('expire at their millisecond', async () => {
    const { accounts } = await withAlice()
    const { token } = await accounts.createToken({ user: 'alice', expiresAt: new Date(clock.now + 1000) })
    clock.now += 999
    expect(await accounts.authenticate(requestOf(`Bearer ${token}`))).not.toBeNull()
    clock.now += 1
    await expect(accounts.authenticate(requestOf(`Bearer ${token}`))).rejects.toThrow(invalid)
  })

  it('with an expiry that is no date are refused: they would never expire', async () => {
    const { accounts } = await withAlice()
    await expect(accounts.createToken({ user: 'alice', expiresAt: new Date('next summer') })).rejects.toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    )
    expect(await accounts.listTokens()).toEqual([])
  })

  it.each(['', 'write', 'pull:', 'push:Alice', 'push:a/b/c/d', 'push:../x', ':alice', 'pull alice'])(
    'with the scope %j are refused',
    async (scope) => {
      const { accounts } = await withAlice()
      await expect(accounts.createToken({ user: 'alice', scopes: [scope] })).rejects.toThrow(
        expect.objectContaining({ name: 'LibraryError', status: 400 }),
      )
    },
  )

  it('show their last use, written once a minute at the most', async () => {
    const { accounts, metadata } = await withAlice()
    let writes = 0
    const touch = metadata.accounts.touchToken.bind(metadata.accounts)
    Object.assign(metadata.accounts, {
      touchToken: (id: string, now: number) => {
        writes += 1
        return touch(id, now)
      },
    })
    const { token } = await accounts.createToken({ user: 'alice' })
    const first = clock.now
    for (let use = 0; use < 10; use += 1) await accounts.authenticate(requestOf(`Bearer ${token}`))
    expect((await accounts.listTokens('alice'))[0]?.lastUsedAt).toBe(first)
    clock.now += 61_000
    await accounts.authenticate(requestOf(`Bearer ${token}`))
    expect([writes, (await accounts.listTokens('alice'))[0]?.lastUsedAt]).toEqual([2, clock.now])
  })

  it('work on when the last use cannot be written', async () => {
    const { accounts, metadata } = await withAlice()
    const { token } = await accounts.createToken({ user: 'alice' })
    Object.assign(metadata.accounts, { touchToken: () => Promise.reject(new Error('read-only')) })
    expect(await accounts.authenticate(requestOf(`Bearer ${token}`))).not.toBeNull()
  })
})

it('tries again after a metadata store that was not ready', async () => {
  const metadata = sqliteMetadata({ file: ':memory:' })
  let fails = 1
  const accounts = createAccounts({
    metadata,
    ready: async () => {
      if (fails-- > 0) throw new Error('not yet')
      await metadata.ready()
    },
  })
  await expect(accounts.listUsers()).rejects.toThrow('not yet')
  expect(await accounts.listUsers()).toEqual([])
})

describe('sessions', () => {
  const hour = 3_600_000
  const withCookie = (session: string, authorization?: string): LibraryRequest => ({
    ...requestOf(authorization),
    headers: { authorization, cookie: `theme=dark; sif_library_session=${session}; other=a=b` },
  })
  const signIn = async (token: { scopes?: readonly string[]; expiresAt?: Date } = {}) => {
    const made = await withAlice()
    const parent = await made.accounts.createToken({ user: 'alice', label: 'laptop', ...token })
    const { session, info } = await made.accounts.createSession({ token: parent.token })
    const who = () => made.accounts.authenticate(withCookie(session))
    return { ...made, parent, session, info, who }
  }
  const later = async (milliseconds: number, work: () => Promise<unknown>): Promise<void> => {
    clock.now += milliseconds
    try {
      await work()
    } finally {
      clock.now -= milliseconds
    }
  }
  /** Until what a request does not wait for is written. */
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  it('are rows beside tokens, stored as a hash, and may do what their token may', async () => {
    const { accounts, metadata, parent, session, info, who } = await signIn({ scopes: ['pull:alice'] })
    expect(await who()).toMatchObject({ name: 'alice', scopes: ['pull:alice'], credential: info.id, via: 'session' })
    expect(info).toMatchObject({ kind: 'session', parentId: parent.info.id, expiresAt: clock.now + 12 * hour })
    expect(session).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(JSON.stringify(await metadata.accounts.listTokens())).not.toContain(session)
    expect(await accounts.listTokens('alice')).toEqual([parent.info])
    expect(await accounts.listSessions('alice')).toMatchObject([{ id: info.id, label: 'laptop' }])
    expect(await accounts.findToken(session)).toBeUndefined()
  })

  it('are no bearer tokens, and tokens no cookies; a bearer token comes before a cookie', async () => {
    const { accounts, parent, session } = await signIn()
    await accounts.addUser({ name: 'bob' })
    const bob = await accounts.createToken({ user: 'bob' })
    await expect(accounts.authenticate(requestOf(`Bearer ${session}`))).rejects.toThrow(invalid)
    expect(await accounts.authenticate(withCookie(parent.token))).toBeNull()
    expect(await accounts.authenticate(withCookie(session, `Bearer ${bob.token}`))).toMatchObject({ name: 'bob' })
    await expect(accounts.authenticate(withCookie(session, 'Bearer wrong'))).rejects.toThrow(invalid)
    expect(await accounts.authenticate(withCookie(session, 'Bearer'))).toMatchObject({ name: 'alice' })
    await expect(accounts.createSession({ token: session })).rejects.toThrow(invalid)
  })

  it('make nobody of a cookie that is empty, unknown or over', async () => {
    const { accounts, who } = await signIn()
    for (const session of ['', 'x', ' ', '%00', 'x'.repeat(9000)])
      expect(await accounts.authenticate(withCookie(session))).toBeNull()
    expect(await accounts.authenticate({ ...requestOf(), headers: { cookie: 'sif_library_sessions' } })).toBeNull()
    await later(12 * hour, async () => expect(await who()).toBeNull())
  })

  it.each([
    ['its token is revoked', (at: Awaited<ReturnType<typeof signIn>>) => at.accounts.revokeToken(at.parent.info.id)],
    ['all tokens are', (at: Awaited<ReturnType<typeof signIn>>) => at.accounts.revokeTokens('alice')],
    ['it is revoked itself', (at: Awaited<ReturnType<typeof signIn>>) => at.accounts.revokeToken(at.info.id)],
    ['the user is removed', (at: Awaited<ReturnType<typeof signIn>>) => at.accounts.removeUser('alice')],
    ['the user signs out', (at: Awaited<ReturnType<typeof signIn>>) => at.accounts.endSession(withCookie(at.session))],
  ])('end when %s, and what was handed out with them', async (_, end) => {
    const at = await signIn()
    const grant = { id: (await at.accounts.findUser('alice'))?.id ?? '', credential: at.info.id }
    expect(await at.accounts.recall(grant)).toMatchObject({ name: 'alice', via: 'session' })
    await end(at)
    expect(await at.who()).toBeNull()
    expect(await at.accounts.recall(grant)).toBeNull()
    expect(await at.accounts.endSession(withCookie(at.session))).toBe(false)
  })

  it('end when their token expires, however often they are used', async () => {
    const { accounts, info, who } = await signIn({ expiresAt: new Date(clock.now + 8 * hour) })
    expect(info.expiresAt).toBe(clock.now + 8 * hour)
    await later(7 * hour, async () => {
      expect(await who()).not.toBeNull()
      await settled()
      expect((await accounts.listSessions())[0]?.expiresAt).toBe(clock.now + hour)
      await later(hour, async () => expect(await who()).toBeNull())
    })
  })

  it('live on when they are used in the second half of their time', async () => {
    const { accounts, info, who } = await signIn()
    const expiry = async () => (await accounts.listSessions())[0]?.expiresAt
    await later(5 * hour, async () => {
      await who()
      await settled()
      expect(await expiry()).toBe(info.expiresAt)
      await later(2 * hour, async () => {
        await who()
        await settled()
        expect(await expiry()).toBe(clock.now + 12 * hour)
        await later(11 * hour, async () => expect(await who()).toMatchObject({ name: 'alice' }))
      })
    })
  })

  it('are not made of a token that is unknown, revoked or expired', async () => {
    const { accounts, parent } = await signIn({ expiresAt: new Date(clock.now + hour) })
    await expect(accounts.createSession({ token: 'x' })).rejects.toThrow(invalid)
    await later(hour, () => expect(accounts.createSession({ token: parent.token })).rejects.toThrow(invalid))
    await accounts.revokeToken(parent.info.id)
    await expect(accounts.createSession({ token: parent.token })).rejects.toThrow(invalid)
  })

  it('begin with a code, which is good once, for ten minutes, and for nothing else', async () => {
    const { accounts, metadata } = await withAlice()
    const { code, expiresAt } = await accounts.createSignInCode('alice')
    expect(expiresAt.getTime()).toBe(clock.now + 600_000)
    expect(JSON.stringify(await metadata.accounts.listTokens())).not.toContain(code)
    await expect(accounts.authenticate(requestOf(`Bearer ${code}`))).rejects.toThrow(invalid)
    expect(await accounts.authenticate(withCookie(code))).toBeNull()
    expect(await accounts.findToken(code)).toBeUndefined()
    const [stored] = await metadata.accounts.listTokens()
    expect(await accounts.recall({ id: stored?.userId ?? '', credential: stored?.id ?? '' })).toBeNull()
    // who shows a code as a token has not used it up
    await expect(accounts.createSession({ token: code })).rejects.toThrow(invalid)
    const tries = await Promise.allSettled([accounts.createSession({ code }), accounts.createSession({ code })])
    const good = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(good).toHaveLength(1)
    expect(await accounts.authenticate(withCookie(good[0]?.session ?? ''))).toMatchObject({ name: 'alice' })
    await expect(accounts.createSession({ code })).rejects.toThrow(invalid)
    const late = await accounts.createSignInCode('alice')
    await later(600_000, () => expect(accounts.createSession({ code: late.code })).rejects.toThrow(invalid))
    await expect(accounts.createSignInCode('nobody')).rejects.toThrow(expect.objectContaining({ code: 'not-found' }))
  })

  it('of a code end with all tokens of the user, and an unused code too', async () => {
    const { accounts } = await withAlice()
    const used = await accounts.createSignInCode('alice')
    const { session } = await accounts.createSession({ code: used.code })
    const unused = await accounts.createSignInCode('alice')
    expect(await accounts.revokeTokens('alice')).toEqual([])
    expect(await accounts.authenticate(withCookie(session))).toBeNull()
    await expect(accounts.createSession({ code: unused.code })).rejects.toThrow(invalid)
  })

  it('leave no more than fifty rows of a user, and none that are over', async () => {
    const { accounts, metadata, parent } = await signIn()
    const sessions: string[] = []
    for (let index = 0; index < 51; index += 1) {
      clock.now += 1
      sessions.push((await accounts.createSession({ token: parent.token })).session)
    }
    expect(await accounts.listSessions('alice')).toHaveLength(50)
    expect(await accounts.authenticate(withCookie(sessions[0] ?? ''))).toBeNull()
    expect(await accounts.authenticate(withCookie(sessions[1] ?? ''))).not.toBeNull()
    await accounts.createSignInCode('alice')
    await later(13 * hour, async () => {
      await accounts.addUser({ name: 'bob' })
      await accounts.createSignInCode('bob')
      expect((await metadata.accounts.listTokens()).map(({ kind }) => kind)).toEqual(['code', 'token'])
    })
  })
})

describe('the cookie of a session', () => {
  it.each([
    ['https://reg.example/library', 'Path=/library; HttpOnly; SameSite=Strict; Secure'],
    ['https://reg.example', 'Path=/; HttpOnly; SameSite=Strict; Secure'],
    ['http://10.0.0.1:8080/a/b', 'Path=/a/b; HttpOnly; SameSite=Strict'],
  ])('of %s', (publicUrl, attributes) => {
    expect(sessionCookie('x', publicUrl)).toBe(`sif_library_session=x; ${attributes}`)
    expect(endedSessionCookie(publicUrl)).toBe(`sif_library_session=; ${attributes}; Max-Age=0`)
  })
})

describe('members', () => {
  const withEntity = async () => {
    const made = await withAlice()
    await made.metadata.entities.createIfAbsent({
      ...{ id: 'e'.repeat(24), name: 'genomics', description: '', defaultPrivate: true, owner: null, now: 1 },
    })
    const { token, info } = await made.accounts.createToken({ user: 'alice' })
    const roles = async () => (await made.accounts.authenticate(requestOf(`Bearer ${token}`)))?.roles
    return { ...made, info, roles }
  }

  it('have their role with the next request, by themselves and by their group, and recall knows it', async () => {
    const { accounts, info, roles } = await withEntity()
    expect(await roles()).toEqual({})
    expect(await accounts.members.set({ entity: 'genomics', user: 'alice', role: 'reader' })).toEqual({
      ...{ entity: 'genomics', kind: 'user', name: 'alice', role: 'reader', createdAt: clock.now },
    })
    expect(await roles()).toEqual({ genomics: 'reader' })
    await accounts.members.set({ entity: 'genomics', group: 'lab', role: 'maintainer' })
    expect(await roles()).toEqual({ genomics: 'maintainer' })
    expect(await accounts.recall({ id: info.userId, credential: info.id })).toMatchObject({
      roles: { genomics: 'maintainer' },
    })
    expect((await accounts.members.list('genomics')).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'group lab',
      'user alice',
    ])
    expect(await accounts.members.remove({ entity: 'genomics', group: 'lab' })).toBe(true)
    expect(await accounts.members.remove({ entity: 'genomics', group: 'lab' })).toBe(false)
    expect(await roles()).toEqual({ genomics: 'reader' })
  })

  it('are refused for an unknown entity, user or role, and for what names nobody or two', async () => {
    const { accounts } = await withEntity()
    const { members } = accounts
    const set = (member: object) => members.set({ entity: 'genomics', role: 'reader', ...member } as never)
    for (const [member, code] of [
      [{ entity: 'nothing', user: 'alice' }, 'not-found'],
      [{ user: 'nobody' }, 'not-found'],
      [{ user: 'alice', role: 'owner' }, 'invalid-request'],
      [{ user: 'alice', role: 'toString' }, 'invalid-request'],
      [{}, 'invalid-request'],
      [{ user: 'alice', group: 'lab' }, 'invalid-request'],
      [{ user: 'Alice' }, 'invalid-name'],
      [{ group: '../x' }, 'invalid-name'],
    ] as const)
      await expect(set(member)).rejects.toThrow(expect.objectContaining({ code }))
    await expect(members.list('nothing')).rejects.toThrow(expect.objectContaining({ code: 'not-found' }))
    expect(await members.list('genomics')).toEqual([])
  })
})
