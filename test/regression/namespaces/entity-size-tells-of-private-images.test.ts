/** The `size` of an entity counts its private images too, and was shown to everybody: a stranger saw each private push, and how large it was. */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry, type TestUser } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('it is 0 for those who may not push there, and in a search', async () => {
  registry = await createTestRegistry({ library: { limits: { maxEntityBytes: 100_000 } } })
  await push(registry, 'alice/pub/app', Buffer.alloc(10))
  await push(registry, 'alice/sec/one', Buffer.alloc(12_345, 7))
  await registry.library.visibility('alice/sec', 'private')
  const asked = async (path: string, token?: TestUser) =>
    expectStatus(await registry.call('GET', path, token && { token }), 200).json.data
  const sizes = async (token?: TestUser): Promise<unknown[]> => {
    const { size, quota } = await asked('/v1/entities/alice', token)
    const found = (await asked('/v1/search?value=alice', token)).entity
    expect(found).toHaveLength(1)
    return [size, quota, found[0].size]
  }
  for (const stranger of [undefined, 'bob', 'mallory'] as const) expect(await sizes(stranger)).toEqual([0, 100_000, 0])
  for (const pusher of ['alice', 'admin'] as const) expect(await sizes(pusher)).toEqual([12_355, 100_000, 0])
  const { token } = await registry.library.accounts.createToken({ user: 'alice', scopes: ['pull:alice'] })
  expect((await asked('/v1/entities/alice', token as TestUser)).size).toBe(0)
  // a repeated create by who may push answers with it, one by a stranger not at all
  expect(
    expectStatus(await registry.call('POST', '/v1/entities', { token: 'alice', body: { name: 'alice' } }), 200).json
      .data.size,
  ).toBe(12_355)
  const refused = expectStatus(
    await registry.call('POST', '/v1/entities', { token: 'mallory', body: { name: 'alice' } }),
    403,
  )
  expect(refused.text).not.toContain('12355')
})
