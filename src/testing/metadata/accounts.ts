import type { MemberRecord, Role, TokenRecord, UserRecord } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup } from './context.js'

function newUser(context: MetadataContext, name: string, groups: readonly string[] = []): UserRecord {
  return { id: context.id(), name, admin: false, groups, createdAt: context.now() }
}

function newToken(context: MetadataContext, userId: string): TokenRecord {
  const hash = context.digest()
  return {
    id: context.id(),
    kind: 'token',
    parentId: null,
    userId,
    label: 'laptop',
    hash,
    scopes: ['pull', 'push:alice/tools'],
    createdAt: context.now(),
    expiresAt: null,
    lastUsedAt: null,
  }
}

export const accountTests: MetadataGroup = {
  name: 'accounts',
  tests: {
    'users are created, found, listed, changed and removed': async (context) => {
      const { accounts } = context.store
      const bob = { ...newUser(context, 'bob', ['lab', 'ops']), admin: true }
      const alice = newUser(context, 'alice')
      assert.deepEqual(await accounts.createUser(bob), bob)
      await accounts.createUser(alice)
      assert.deepEqual(await accounts.findUser('bob'), bob)
      assert.equal(await accounts.findUser('Bob'), undefined)
      assert.deepEqual(await accounts.listUsers(), [alice, bob])
      assert.deepEqual(await accounts.updateUser(bob.id, { admin: false }), { ...bob, admin: false })
      assert.deepEqual(await accounts.updateUser(bob.id, { groups: [] }), { ...bob, admin: false, groups: [] })
      assert.equal(await accounts.updateUser(context.id(), { admin: true }), undefined)
      assert.equal(await accounts.removeUser('bob'), true)
      assert.equal(await accounts.removeUser('bob'), false)
      assert.deepEqual(await accounts.listUsers(), [alice])
    },
    'createUser throws exists for a name or an id that is taken': async (context) => {
      const { accounts } = context.store
      const user = await accounts.createUser(newUser(context, 'alice'))
      await assert.rejects(accounts.createUser(newUser(context, 'alice')), { name: 'MetadataError', code: 'exists' })
      await assert.rejects(accounts.createUser({ ...user, name: 'other' }), { name: 'MetadataError', code: 'exists' })
    },
    'createUser throws name-held for what others have or left, unless it is taken over': async (context) => {
      const { accounts, entities } = context.store
      const held = { name: 'MetadataError', code: 'name-held' }
      const common = { description: '', defaultPrivate: false, owner: null, now: 1 }
      await entities.createIfAbsent({ ...common, id: context.id(), name: 'shared' })
      await accounts.createUser(newUser(context, 'bob', ['a_b', 'ops']))
      await accounts.createUser(newUser(context, 'gone'))
      await accounts.removeUser('gone')
      for (const name of ['shared', 'ops', 'a_b', 'gone'])
        await assert.rejects(accounts.createUser(newUser(context, name)), held)
      for (const group of ['bob', 'gone'])
        await assert.rejects(accounts.createUser(newUser(context, 'eve', [group])), held)
      // an entity is a group for whoever is put into it by name; others are as near as they may be
      await accounts.createUser(newUser(context, 'eve', ['shared', 'ops', 'eve']))
      for (const name of ['share', 'op', 'a-b', 'axb', 'go']) await accounts.createUser(newUser(context, name))
      for (const name of ['shared', 'ops', 'gone']) {
        const user = newUser(context, name, ['bob'])
        assert.deepEqual(await accounts.createUser(user, { takeOver: true }), user)
      }
      await assert.rejects(accounts.createUser(newUser(context, 'shared')), { name: 'MetadataError', code: 'exists' })
    },
    'the name of a removed user stays so until it is taken over, and again after that': async (context) => {
      const { accounts } = context.store
      const held = { name: 'MetadataError', code: 'name-held' }
      for (const options of [{}, { takeOver: true }]) {
        await accounts.createUser(newUser(context, 'alice'), options)
        await accounts.removeUser('alice')
        await assert.rejects(accounts.createUser(newUser(context, 'alice')), held)
      }
      await accounts.createUser(newUser(context, 'bob', ['alice']), { takeOver: true })
      await assert.rejects(accounts.createUser(newUser(context, 'alice')), held)
    },
    'updateUser throws name-held for a new group that is the name of a user, and keeps those there are': async (
      context,
    ) => {
      const { accounts } = context.store
      const bob = await accounts.createUser(newUser(context, 'bob', ['lab']))
      await accounts.createUser(newUser(context, 'alice'))
      const change = { groups: ['lab', 'bob', 'alice'] }
      await assert.rejects(accounts.updateUser(bob.id, change), { name: 'MetadataError', code: 'name-held' })
      assert.deepEqual(await accounts.findUser('bob'), bob)
      assert.deepEqual(await accounts.updateUser(bob.id, { ...change, takeOver: true }), { ...bob, ...change })
      assert.deepEqual(await accounts.updateUser(bob.id, change), { ...bob, ...change })
    },
    'of a user and a group of one name that come at the same moment one is refused': async (context) => {
      const { accounts } = context.store
      for (let round = 0; round < 10; round += 1) {
        const bob = await accounts.createUser(newUser(context, `bob${round}`))
        const results = await Promise.allSettled([
          accounts.createUser(newUser(context, `new${round}`)),
          accounts.updateUser(bob.id, { groups: [`new${round}`] }),
        ])
        assert.equal(results.filter(({ status }) => status === 'rejected').length, 1)
      }
    },
    'tokens are found by their hash, with their user': async (context) => {
      const { accounts } = context.store
      const user = await accounts.createUser(newUser(context, 'alice', ['lab']))
      const token = { ...newToken(context, user.id), expiresAt: 99, lastUsedAt: 9 }
      assert.deepEqual(await accounts.createToken(token), token)
      assert.deepEqual(await accounts.findToken(token.hash), { token, user, roles: {} })
      assert.equal(await accounts.findToken(context.digest()), undefined)
      assert.deepEqual(await accounts.findTokenById(token.id), { token, user, roles: {} })
      assert.equal(await accounts.findTokenById(context.id()), undefined)
      await accounts.touchToken(token.id, 1000)
      assert.equal((await accounts.findToken(token.hash))?.token.lastUsedAt, 1000)
      await accounts.touchToken(context.id(), 1000)
      assert.equal(await accounts.removeToken(token.id), true)
      assert.equal(await accounts.removeToken(token.id), false)
      assert.equal(await accounts.findToken(token.hash), undefined)
      assert.equal(await accounts.findTokenById(token.id), undefined)
    },
    'createToken throws exists for a hash that is taken, parent-missing without the user': async (context) => {
      const { accounts } = context.store
      const user = await accounts.createUser(newUser(context, 'alice'))
      const token = await accounts.createToken(newToken(context, user.id))
      await assert.rejects(accounts.createToken({ ...newToken(context, user.id), hash: token.hash }), {
        name: 'MetadataError',
        code: 'exists',
      })
      await assert.rejects(accounts.createToken(newToken(context, context.id())), {
        name: 'MetadataError',
        code: 'parent-missing',
      })
    },
    'listTokens lists the tokens of one user or of all, newest first': async (context) => {
      const { accounts } = context.store
      const alice = await accounts.createUser(newUser(context, 'alice'))
      const bob = await accounts.createUser(newUser(context, 'bob'))
      const tokens = []
      for (const user of [alice, bob, alice])
        tokens.unshift({ ...(await accounts.createToken(newToken(context, user.id))), userName: user.name })
      assert.deepEqual(await accounts.listTokens(), tokens)
      assert.deepEqual(await accounts.listTokens(alice.id), [tokens[0], tokens[2]])
      assert.deepEqual(await accounts.listTokens(context.id()), [])
    },
    'a session ends with the token that it was made of, and none is made of one that is gone': async (context) => {
      const { accounts } = context.store
      const user = await accounts.createUser(newUser(context, 'alice'))
      const parent = await accounts.createToken(newToken(context, user.id))
      const other = await accounts.createToken(newToken(context, user.id))
      const session = { ...newToken(context, user.id), kind: 'session', parentId: parent.id } as const
      assert.deepEqual(await accounts.createToken(session), session)
      assert.deepEqual(await accounts.findToken(session.hash), { token: session, user, roles: {} })
      assert.equal(await accounts.removeToken(other.id), true)
      assert.deepEqual(await accounts.findTokenById(session.id), { token: session, user, roles: {} })
      assert.equal(await accounts.removeToken(parent.id), true)
      assert.equal(await accounts.findToken(session.hash), undefined)
      await assert.rejects(accounts.createToken({ ...session, id: context.id(), hash: context.digest() }), {
        name: 'MetadataError',
        code: 'parent-missing',
      })
      assert.deepEqual(await accounts.listTokens(), [])
    },
    'a session that is made while its parent is removed is gone or was never made': async (context) => {
      const { accounts } = context.store
      const user = await accounts.createUser(newUser(context, 'alice'))
      for (let round = 0; round < 10; round += 1) {
        const parent = await accounts.createToken(newToken(context, user.id))
        const session = { ...newToken(context, user.id), kind: 'session', parentId: parent.id } as const
        await Promise.allSettled([accounts.createToken(session), accounts.removeToken(parent.id)])
        assert.equal(await accounts.findToken(session.hash), undefined)
      }
    },
    'takeCode gives a code to one of two callers, and takes nothing else': async (context) => {
      const { accounts } = context.store
      const user = await accounts.createUser(newUser(context, 'alice'))
      const token = await accounts.createToken(newToken(context, user.id))
      assert.equal(await accounts.takeCode(token.hash), undefined)
      assert.deepEqual(await accounts.findToken(token.hash), { token, user, roles: {} })
      for (let round = 0; round < 5; round += 1) {
        const code = await accounts.createToken({ ...newToken(context, user.id), kind: 'code', expiresAt: 50 })
        const taken = await Promise.all([accounts.takeCode(code.hash), accounts.takeCode(code.hash)])
        assert.deepEqual(
          taken.filter((each) => each !== undefined),
          [{ token: code, user }],
        )
        assert.equal(await accounts.takeCode(code.hash), undefined)
        assert.equal(await accounts.findToken(code.hash), undefined)
      }
    },
    'touchToken moves the expiry where it is told to, to that of the parent at the latest': async (context) => {
      const { accounts } = context.store
      const user = await accounts.createUser(newUser(context, 'alice'))
      const expiryOf = async (id: string) => (await accounts.findTokenById(id))?.token.expiresAt
      for (const [end, moved] of [
        [null, 500],
        [900, 500],
        [300, 300],
      ] as const) {
        const parent = await accounts.createToken({ ...newToken(context, user.id), expiresAt: end })
        const made = { ...newToken(context, user.id), kind: 'session', parentId: parent.id, expiresAt: 200 } as const
        const session = await accounts.createToken(made)
        await accounts.touchToken(session.id, 100)
        assert.equal(await expiryOf(session.id), 200)
        await accounts.touchToken(session.id, 101, 500)
        assert.equal(await expiryOf(session.id), moved)
        assert.equal((await accounts.findTokenById(session.id))?.token.lastUsedAt, 101)
        assert.equal(await expiryOf(parent.id), end)
      }
      const alone = await accounts.createToken({ ...newToken(context, user.id), kind: 'session', expiresAt: 200 })
      await accounts.touchToken(alone.id, 100, 700)
      assert.equal(await expiryOf(alone.id), 700)
    },
    'trimSessions removes what is over, and all sessions of the user but the newest': async (context) => {
      const { accounts } = context.store
      const alice = await accounts.createUser(newUser(context, 'alice'))
      const bob = await accounts.createUser(newUser(context, 'bob'))
      const make = (user: UserRecord, kind: TokenRecord['kind'], expiresAt: number | null, createdAt: number) =>
        accounts.createToken({ ...newToken(context, user.id), kind, expiresAt, createdAt })
      const kept = [
        await make(alice, 'token', 10, 1),
        await make(alice, 'token', null, 1),
        await make(alice, 'code', 101, 1),
        await make(alice, 'session', 500, 30),
        await make(alice, 'session', 500, 20),
        await make(bob, 'session', 500, 1),
        await make(bob, 'session', 500, 2),
        await make(bob, 'session', 500, 3),
      ]
      await make(alice, 'session', 500, 10)
      for (const user of [alice, bob]) {
        await make(user, 'session', 100, 40)
        await make(user, 'code', 99, 40)
      }
      await accounts.trimSessions({ userId: alice.id, keep: 2, now: 100 })
      const ids = (await accounts.listTokens()).map(({ id }) => id).sort()
      assert.deepEqual(ids, kept.map(({ id }) => id).sort())
    },
    'removeUser takes all tokens along': async (context) => {
      const { accounts } = context.store
      const alice = await accounts.createUser(newUser(context, 'alice'))
      const bob = await accounts.createUser(newUser(context, 'bob'))
      const tokens: TokenRecord[] = [
        newToken(context, alice.id),
        newToken(context, alice.id),
        newToken(context, bob.id),
      ]
      const session = { ...newToken(context, alice.id), kind: 'session', parentId: tokens[0]?.id ?? null } as const
      tokens.splice(2, 0, session)
      for (const token of tokens) await accounts.createToken(token)
      await accounts.removeUser('alice')
      assert.deepEqual(
        (await accounts.listTokens()).map(({ id }) => id),
        [tokens[3]?.id],
      )
      assert.equal(await accounts.findToken(tokens[0]?.hash ?? ''), undefined)
    },
  },
}

/** Entities of these names. */
async function makeEntities(context: MetadataContext, ...names: readonly string[]): Promise<void> {
  for (const name of names)
    await context.store.entities.createIfAbsent({
      ...{ id: context.id(), name, description: '', defaultPrivate: false, owner: null, now: 1 },
    })
}

export const memberTests: MetadataGroup = {
  name: 'members',
  tests: {
    'are made, changed, listed and removed': async (context) => {
      const { accounts } = context.store
      for (const name of ['bob', 'alice']) await accounts.createUser(newUser(context, name))
      await makeEntities(context, 'genomics', 'other')
      const member = (kind: MemberRecord['kind'], name: string, role: Role, createdAt = 5): MemberRecord => ({
        ...{ entity: 'genomics', kind, name, role, createdAt },
      })
      for (const made of [
        member('user', 'bob', 'reader'),
        member('user', 'alice', 'writer'),
        member('group', 'lab', 'maintainer'),
      ])
        assert.deepEqual(await accounts.setMember(made), made)
      const changed = member('user', 'bob', 'maintainer')
      assert.deepEqual(await accounts.setMember({ ...changed, createdAt: 9 }), changed)
      assert.deepEqual(await accounts.listMembers('genomics'), [
        member('group', 'lab', 'maintainer'),
        member('user', 'alice', 'writer'),
        changed,
      ])
      assert.deepEqual(await accounts.listMembers('other'), [])
      assert.deepEqual(await accounts.listMembers('nothing'), [])
      for (const [entity, kind, name] of [
        ['other', 'user', 'bob'],
        ['genomics', 'group', 'bob'],
        ['genomics', 'user', 'lab'],
        ['nothing', 'user', 'bob'],
      ] as const)
        assert.equal(await accounts.removeMember(entity, { kind, name }), false)
      assert.equal(await accounts.removeMember('genomics', { kind: 'user', name: 'bob' }), true)
      assert.equal(await accounts.removeMember('genomics', { kind: 'user', name: 'bob' }), false)
      assert.equal(await accounts.removeMember('genomics', { kind: 'group', name: 'lab' }), true)
      assert.deepEqual(await accounts.listMembers('genomics'), [member('user', 'alice', 'writer')])
    },
    'setMember throws parent-missing without the entity or the user': async (context) => {
      const { accounts } = context.store
      await accounts.createUser(newUser(context, 'bob'))
      await makeEntities(context, 'genomics')
      const missing = { name: 'MetadataError', code: 'parent-missing' }
      const member = { entity: 'genomics', kind: 'user', name: 'bob', role: 'reader', createdAt: 1 } as const
      await assert.rejects(accounts.setMember({ ...member, entity: 'nothing' }), missing)
      await assert.rejects(accounts.setMember({ ...member, name: 'nobody' }), missing)
      assert.deepEqual(await accounts.listMembers('genomics'), [])
    },
    'a token comes with the highest role in each entity, by the user and their groups': async (context) => {
      const { accounts } = context.store
      const bob = await accounts.createUser(newUser(context, 'bob', ['lab', 'ops']))
      const eve = await accounts.createUser(newUser(context, 'eve', ['lab2']))
      // names that a careless object would have
      await makeEntities(context, 'one', 'two', 'three', 'constructor')
      const set = (entity: string, kind: MemberRecord['kind'], name: string, role: Role) =>
        accounts.setMember({ entity, kind, name, role, createdAt: 1 })
      await set('one', 'user', 'bob', 'reader')
      await set('one', 'group', 'lab', 'writer')
      await set('one', 'group', 'ops', 'reader')
      await set('two', 'user', 'bob', 'maintainer')
      await set('two', 'group', 'lab', 'writer')
      await set('three', 'group', 'nobody', 'maintainer')
      await set('constructor', 'group', 'ops', 'reader')
      // a group whose name is that of a user is another thing
      await set('three', 'group', 'bob', 'maintainer')
      const tokenOf = async (user: UserRecord) => (await accounts.createToken(newToken(context, user.id))).hash
      const [bobs, eves] = [await tokenOf(bob), await tokenOf(eve)]
      const expected = { one: 'writer', two: 'maintainer', constructor: 'reader' }
      assert.deepEqual((await accounts.findToken(bobs))?.roles, expected)
      const id = (await accounts.findToken(bobs))?.token.id ?? ''
      assert.deepEqual((await accounts.findTokenById(id))?.roles, expected)
      assert.deepEqual((await accounts.findToken(eves))?.roles, {})
      await accounts.removeMember('two', { kind: 'user', name: 'bob' })
      await accounts.updateUser(bob.id, { groups: [] })
      assert.deepEqual((await accounts.findToken(bobs))?.roles, { one: 'reader' })
    },
    'end with their entity: one of the same name has none of them': async (context) => {
      const { accounts, entities } = context.store
      const bob = await accounts.createUser(newUser(context, 'bob'))
      await makeEntities(context, 'genomics')
      await accounts.setMember({ entity: 'genomics', kind: 'user', name: 'bob', role: 'writer', createdAt: 1 })
      const { id } = (await entities.findByName('genomics')) ?? { id: '' }
      await entities.delete(id, { now: 2 })
      assert.deepEqual(await accounts.listMembers('genomics'), [])
      await makeEntities(context, 'genomics')
      assert.deepEqual(await accounts.listMembers('genomics'), [])
      const token = await accounts.createToken(newToken(context, bob.id))
      assert.deepEqual((await accounts.findToken(token.hash))?.roles, {})
    },
    'end with their user: who takes the name over is no member': async (context) => {
      const { accounts } = context.store
      await accounts.createUser(newUser(context, 'bob'))
      await makeEntities(context, 'genomics')
      await accounts.setMember({ entity: 'genomics', kind: 'user', name: 'bob', role: 'writer', createdAt: 1 })
      await accounts.removeUser('bob')
      assert.deepEqual(await accounts.listMembers('genomics'), [])
      const later = await accounts.createUser(newUser(context, 'bob'), { takeOver: true })
      const token = await accounts.createToken(newToken(context, later.id))
      assert.deepEqual((await accounts.findToken(token.hash))?.roles, {})
    },
  },
}

export const settingTests: MetadataGroup = {
  name: 'settings',
  tests: {
    'getOrSet keeps the first value': async ({ store }) => {
      assert.equal(await store.settings.get('a'), undefined)
      assert.equal(await store.settings.getOrSet('a', 'one'), 'one')
      assert.equal(await store.settings.getOrSet('a', 'two'), 'one')
      assert.equal(await store.settings.getOrSet('b', ''), '')
      assert.equal(await store.settings.get('a'), 'one')
    },
    'set replaces the value, or makes it': async ({ store }) => {
      await store.settings.set('a', 'one')
      await store.settings.set('b', 'other')
      await store.settings.set('a', 'two')
      assert.deepEqual(
        [await store.settings.get('a'), await store.settings.get('b'), await store.settings.getOrSet('a', 'three')],
        ['two', 'other', 'two'],
      )
    },
  },
}
