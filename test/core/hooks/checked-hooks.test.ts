/** What a host in plain JavaScript returns or names by mistake refuses, and says so, instead of allowing. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  type AuthHooks,
  createLibrary,
  type LibraryHooks,
  type LibraryOptions,
  ownerPolicy,
} from '../../../src/core/index.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry | undefined
afterEach(async () => {
  await registry?.close()
  registry = undefined
})

const alice = { id: '1', name: 'alice' }
const errorOf = (): string =>
  (registry?.logs ?? [])
    .filter(({ level }) => level === 'error')
    .map(({ facts }) => String('err' in facts ? facts.err : ''))
    .join('\n')

async function create(library: object): Promise<number> {
  registry = await createTestRegistry({ library })
  return (await registry.call('POST', '/v1/entities', { token: 'alice', body: { name: 'alice' } })).status
}

describe('auth hooks', () => {
  const wrong: readonly (readonly [string, object, string])[] = [
    [
      'authorize says a word',
      { authenticate: () => alice, authorize: () => 'no' },
      'auth.authorize returned string: expected true or false',
    ],
    [
      'authorize says an object, later',
      { authenticate: () => alice, authorize: async () => ({ allowed: false }) },
      'auth.authorize returned an object',
    ],
    [
      'authorize says nothing',
      { authenticate: () => alice, authorize: () => undefined },
      'auth.authorize returned undefined',
    ],
    [
      'an id that is a number',
      ownerPolicy({ authenticate: () => ({ ...alice, id: 7 }) as never }),
      'auth.authenticate returned an object of another shape',
    ],
    ['no id', ownerPolicy({ authenticate: () => ({ name: 'alice' }) as never }), 'auth.authenticate returned'],
    [
      'true for a principal',
      ownerPolicy({ authenticate: async () => true as never }),
      'auth.authenticate returned boolean',
    ],
    [
      'groups as one string',
      ownerPolicy({ authenticate: () => ({ id: '2', name: 'bob', groups: 'alice-lab' }) as never }),
      'auth.authenticate returned',
    ],
  ]
  it.each(wrong)('%s: 500, and the log names the hook', async (_what, auth, message) => {
    expect(await create({ auth: auth as AuthHooks })).toBe(500)
    expect(errorOf()).toContain(message)
  })

  it('visible says another word: 500', async () => {
    registry = await createTestRegistry({ library: { auth: { visible: () => 'private' as never } } })
    expect((await registry.call('GET', '/v1/search?value=abc')).status).toBe(500)
    expect(errorOf()).toContain('auth.visible returned string')
  })

  it('methods of an object of a class keep their this, and their own fields', async () => {
    class Directory implements AuthHooks {
      readonly users = new Map([['alice', alice]])
      authenticate() {
        return this.users.get('alice') ?? null
      }
      authorize() {
        return this.users.size === 1
      }
    }
    expect(await create({ auth: new Directory() })).toBe(201)
  })
})

it('a hook that returns false refuses', async () => {
  const hooks = { beforeCreate: () => false } as unknown as LibraryHooks
  expect(await create({ hooks })).toBe(500)
  expect(errorOf()).toContain(
    "hooks.beforeCreate returned false: throw new LibraryError('refused', 'the reason') to refuse",
  )
})

describe('options', () => {
  const stores = () => ({
    publicUrl: 'https://reg.example',
    storage: memoryStorage(),
    metadata: sqliteMetadata({ file: ':memory:' }),
  })
  const wrong: readonly (readonly [object, string])[] = [
    [{ publicUrl: undefined }, 'publicUrl: is missing'],
    [{ storage: undefined }, 'storage: is missing'],
    [{ metadata: null }, 'metadata: is missing'],
    [{ publicURL: 'x' }, 'unknown option publicURL'],
    [
      { auth: { authenticat: () => null } },
      'unknown option auth.authenticat: there are authenticate, authorize, anonymousWrites, recall, visible',
    ],
    [{ hooks: { beforeUpload: () => {} } }, 'unknown option hooks.beforeUpload'],
    [{ on: { 'image.publish': () => {} } }, 'unknown option on.image.publish'],
    [{ limits: { maxImageSize: 5 } }, 'unknown option limits.maxImageSize'],
    [{ transfer: 'presign' }, `transfer: must be 'auto' or 'proxy'`],
    [{ multipart: 'no' }, 'multipart: must be true or false'],
    [{ defaultEntity: 'Foo Bar' }, 'defaultEntity: "Foo Bar" is no valid name'],
  ]
  it.each(wrong)('%j is refused at once', (options, message) => {
    expect(() => createLibrary({ ...stores(), ...options } as LibraryOptions)).toThrow(message)
  })
})
