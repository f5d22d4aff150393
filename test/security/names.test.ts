/** Nobody comes into what others left or have by getting their name. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createAccounts } from '../../src/core/auth/accounts.js'
import { createWorld, expectStatus, someBytes, type World } from './support.js'

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(() => world.close())

const accounts = () => world.library.accounts
const conflict = (reason: string) =>
  expect.objectContaining({ code: 'conflict', message: expect.stringMatching(`${reason}.*--take-over`) })

async function pushPrivate(): Promise<void> {
  await world.push(world.tokens.alice as string, 'alice/secret/app', someBytes(), 'v1')
  await world.library.visibility('alice/secret', 'private')
}

const sees = async (token: string): Promise<boolean> =>
  (await world.call('GET', '/v1/images/alice/secret/app:v1', { token })).status === 200

test('a user who is removed and added again does not come into what was left there, unless it is given to them', async () => {
  await pushPrivate()
  await accounts().removeUser('alice')
  await expect(accounts().addUser({ name: 'alice' })).rejects.toThrow(conflict('a user who was removed'))
  // not as a group either
  await expect(accounts().addUser({ name: 'eve', groups: ['alice'] })).rejects.toThrow(conflict('and no group'))
  await expect(accounts().updateUser('mallory', { groups: ['alice'] })).rejects.toThrow(conflict('and no group'))
  expect(await sees(world.tokens.mallory as string)).toBe(false)
  await accounts().addUser({ name: 'alice', takeOver: true })
  expect(await sees((await accounts().createToken({ user: 'alice' })).token)).toBe(true)
})

test('nor does a user who never pushed lose the name to the next one', async () => {
  await accounts().removeUser('bob')
  await expect(accounts().addUser({ name: 'bob' })).rejects.toThrow(conflict('removed'))
})

test('a new user does not come into an entity that an admin made, or that a group has', async () => {
  await world.place(world.tokens.root as string, 'genomics/tools/bwa')
  await expect(accounts().addUser({ name: 'genomics' })).rejects.toThrow(conflict('there is an entity genomics'))
  // naming a group is the act that gives its entity
  await accounts().updateUser('bob', { groups: ['genomics', 'imaging'] })
  expectStatus(
    await world.call('POST', '/v1/entities', { token: world.tokens.bob, json: { name: 'imaging' } }),
    200,
    201,
  )
  await accounts().updateUser('bob', { groups: ['physics'] })
  for (const name of ['imaging', 'physics']) await expect(accounts().addUser({ name })).rejects.toThrow(conflict(name))
})

test('a group does not open the entity of a user', async () => {
  await pushPrivate()
  for (const change of [{ groups: ['alice'] }, { groups: ['lab', 'alice'] }])
    await expect(accounts().updateUser('mallory', change)).rejects.toThrow(conflict('alice is a user'))
  expect(await sees(world.tokens.mallory as string)).toBe(false)
  await accounts().updateUser('bob', { groups: ['alice'], takeOver: true })
  expect(await sees(world.tokens.bob as string)).toBe(true)
  // what somebody has is no new gift: other changes of theirs pass
  await accounts().updateUser('bob', { groups: ['alice', 'lab'] })
})

test('the entity of references without one is nobody’s by its name', async () => {
  await expect(accounts().addUser({ name: 'library' })).rejects.toThrow(conflict('references without one'))
  const other = createAccounts({ metadata: world.metadata, defaultEntity: 'house' })
  await expect(other.addUser({ name: 'house' })).rejects.toThrow(conflict('references without one'))
  await other.addUser({ name: 'library' })
})
