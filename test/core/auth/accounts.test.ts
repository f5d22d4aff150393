import { describe, expect, it } from 'vitest'
import { createAccounts } from '../../../src/core/auth/accounts.js'
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
