/** `library.visibility` with `create`: a place that is private before its first push. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
beforeEach(async () => {
  registry = await createTestRegistry()
})
afterEach(() => registry.close())

const idOf = async (name: string): Promise<string> => (await registry.library.accounts.findUser(name))?.id ?? ''
const ownersOf = async (path: string) => {
  const [entity = '', collection = '', container = ''] = path.split('/')
  const { entities, collections, containers } = registry.metadata
  return [
    (await entities.findByName(entity))?.owner,
    (await collections.findByPath(entity, collection))?.owner,
    (await containers.findByPath({ entity, collection, container }))?.owner,
  ]
}

it('makes a private container, which nobody else sees at any moment of the first push', async () => {
  const path = 'alice/tools/secret'
  expect(await registry.library.visibility(path, 'private', { create: true })).toEqual({
    kind: 'container',
    path,
    private: true,
    privateByCollection: false,
  })
  expect((await registry.library.visibility('alice')).private).toBe(false)
  expect((await registry.library.visibility('alice/tools')).private).toBe(false)
  await push(registry, path, Buffer.from('bytes'))
  expect((await registry.call('GET', `/v1/images/${path}:latest`)).status).toBe(404)
  expect((await registry.call('GET', `/v1/images/${path}:latest`, { token: 'mallory' })).status).toBe(404)
  expect((await registry.call('GET', `/v1/images/${path}:latest`, { token: 'alice' })).status).toBe(200)
  const alice = await idOf('alice')
  expect(await ownersOf(path)).toEqual([alice, alice, alice])
})

it('makes a private collection and a private entity, and what is made in them is private', async () => {
  await registry.library.visibility('alice/hidden', 'private', { create: true })
  await registry.library.visibility('bob', 'private', { create: true })
  await push(registry, 'alice/hidden/a', Buffer.from('a'))
  await push(registry, 'bob/new/b', Buffer.from('b'), { token: 'bob' })
  for (const path of ['alice/hidden/a', 'bob/new/b'])
    expect((await registry.call('GET', `/v1/images/${path}:latest`)).status).toBe(404)
})

it('changes what is there, twice if asked twice', async () => {
  await push(registry, 'alice/tools/bwa', Buffer.from('bytes'))
  const before = await ownersOf('alice/tools/bwa')
  for (const change of ['private', 'private', 'public'] as const)
    expect((await registry.library.visibility('alice/tools/bwa', change, { create: true })).private).toBe(
      change === 'private',
    )
  expect(await ownersOf('alice/tools/bwa')).toEqual(before)
})

it('writes the owner that is named; otherwise that of the parent, the user of that name, or nobody', async () => {
  const [alice, bob] = [await idOf('alice'), await idOf('bob')]
  await registry.library.visibility('lab/tools/a', 'private', { create: true })
  expect(await ownersOf('lab/tools/a')).toEqual([null, null, null])
  await registry.library.visibility('lab/tools/b', 'private', { create: true, owner: bob })
  expect(await ownersOf('lab/tools/b')).toEqual([null, null, bob])
  await push(registry, 'alice/tools/bwa', Buffer.from('bytes'))
  await registry.library.visibility('alice/tools/c', 'private', { create: true })
  expect(await ownersOf('alice/tools/c')).toEqual([alice, alice, alice])
})

it('an entity that is made on the way starts private where the registry says so', async () => {
  const made = await createTestRegistry({ library: { defaultPrivate: true } })
  await made.library.visibility('alice/open/c', 'public', { create: true })
  expect((await made.library.visibility('alice')).private).toBe(true)
  expect(await made.library.visibility('alice/open/c')).toMatchObject({ private: false, privateByCollection: true })
  await made.close()
})

it('refuses names that are none, and a creation without a word', async () => {
  const create = { create: true }
  await expect(registry.library.visibility('Alice', 'private', create)).rejects.toMatchObject({ code: 'invalid-name' })
  await expect(registry.library.visibility('a/b/c/d', 'private', create)).rejects.toMatchObject({
    code: 'invalid-name',
  })
  await expect(registry.library.visibility('alice', undefined, create)).rejects.toMatchObject({
    code: 'invalid-request',
  })
  await expect(registry.library.visibility('alice', 'private')).rejects.toMatchObject({ code: 'not-found' })
})
