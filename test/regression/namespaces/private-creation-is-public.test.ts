/** `POST v1/collections` with `private: true` answered 201 and made a public collection: what a body asks for was not read. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuthorizeQuestion } from '../../../src/core/auth/policy.js'
import { push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
beforeEach(async () => {
  registry = await createTestRegistry()
})
afterEach(() => registry.close())

const create = (kind: 'entities' | 'collections' | 'containers' | 'images', body: object, token = 'alice') =>
  registry.call('POST', `/v1/${kind}`, { token, body })

async function places(): Promise<{ readonly entity: string; readonly collection: string; readonly container: string }> {
  const entity = (await create('entities', { name: 'alice' })).json.data.id as string
  const collection = (await create('collections', { name: 'tools', entity })).json.data.id as string
  const container = (await create('containers', { name: 'bwa', collection })).json.data.id as string
  return { entity, collection, container }
}

it('a collection, a container and an entity that are asked to be private are', async () => {
  const entity = await create('entities', { name: 'alice', defaultPrivate: true })
  expect([entity.status, entity.json.data.defaultPrivate]).toEqual([201, true])
  const inside = await create('collections', { name: 'inside', entity: entity.json.data.id, private: false })
  expect([inside.status, inside.json.data.private]).toEqual([201, true])

  const bobs = (await create('entities', { name: 'bob' }, 'bob')).json.data.id
  const collection = await create('collections', { name: 'secret', entity: bobs, PRIVATE: true }, 'bob')
  expect([collection.status, collection.json.data.private]).toEqual([201, true])
  const tools = (await create('collections', { name: 'tools', entity: bobs }, 'bob')).json.data.id
  const container = await create('containers', { name: 'hidden', collection: tools, private: true }, 'bob')
  expect([container.status, container.json.data.private]).toEqual([201, true])

  for (const path of ['bob/secret/a', 'bob/tools/hidden']) {
    await push(registry, path, Buffer.from(path), { token: 'bob' })
    expect((await registry.call('GET', `/v1/images/${path}:latest`)).status).toBe(404)
    expect((await registry.call('GET', `/v1/images/${path}:latest`, { token: 'bob' })).status).toBe(200)
  }
  expect((await registry.call('GET', '/v1/collections/bob/secret')).status).toBe(404)
})

it('what is there and public is no answer to who asks for private', async () => {
  const { entity, collection } = await places()
  for (const [kind, body] of [
    ['entities', { name: 'alice', defaultPrivate: true }],
    ['collections', { name: 'tools', entity, private: true }],
    ['containers', { name: 'bwa', collection, private: true }],
  ] as const) {
    const refused = await create(kind, body)
    expect([kind, refused.status]).toEqual([kind, 409])
    expect(refused.json.error.message).toContain('not private')
  }
  await registry.library.visibility('alice/tools', 'private')
  expect((await create('collections', { name: 'tools', entity, private: true })).status).toBe(200)
  expect((await create('containers', { name: 'bwa', collection, private: true })).status).toBe(200)
})

it('of two creations at once, the one that asked for private is not told that it got it when it did not', async () => {
  const { entity } = await places()
  const [open, hidden] = await Promise.all([
    create('collections', { name: 'race', entity, private: false }),
    create('collections', { name: 'race', entity, private: true }),
  ])
  const isPrivate = (await registry.call('GET', '/v1/collections/alice/race', { token: 'alice' })).json.data.private
  expect(hidden.status >= 400).toBe(!isPrivate)
  expect(open.status).toBeLessThan(300)
})

it('a host is asked about the place as it would become', async () => {
  const questions: AuthorizeQuestion[] = []
  const made = await createTestRegistry({
    library: {
      auth: {
        authenticate: () => ({ id: 'u', name: 'u' }),
        authorize: (question) => {
          questions.push(question)
          return true
        },
      },
    },
  })
  const body = { name: 'u', defaultPrivate: true }
  const entity = (await made.call('POST', '/v1/entities', { body })).json.data.id
  const hidden = { name: 'c', entity, private: true }
  const collection = (await made.call('POST', '/v1/collections', { body: hidden })).json.data.id
  await made.call('POST', '/v1/containers', { body: { name: 'n', collection, private: true } })
  expect(questions.map(({ resource }) => [resource.path, resource.private])).toEqual([
    ['u', true],
    ['u/c', true],
    ['u/c/n', true],
  ])
  await made.close()
})

describe('what cannot be done is refused, not ignored', () => {
  it.each([
    ['entities', { name: 'alice', quota: 1000 }, 'quota'],
    ['entities', { name: 'alice', private: true }, 'private'],
    ['entities', { name: 'alice', customData: 'x' }, 'customData'],
    ['entities', { name: 'alice', defaultPrivate: 'yes' }, 'defaultPrivate'],
    ['entities', { name: 'alice', defaultPrivate: 1 }, 'defaultPrivate'],
    ['collections', { name: 'c', private: 'true' }, 'private'],
    ['collections', { name: 'c', defaultPrivate: true }, 'defaultPrivate'],
    ['collections', { name: 'c', customData: 'x' }, 'customData'],
    ['containers', { name: 'n', readOnly: true }, 'readOnly'],
    ['containers', { name: 'n', fullDescription: 'text' }, 'fullDescription'],
    ['containers', { name: 'n', customData: 'x' }, 'customData'],
    ['images', { private: true }, 'private'],
    ['images', { customData: 'x' }, 'customData'],
  ] as const)('%s %o', async (kind, body, field) => {
    const { entity, collection, container } = await places()
    const parents = { entities: {}, collections: { entity }, containers: { collection }, images: { container, hash } }
    const refused = await create(kind, { ...parents[kind], ...body })
    expect([refused.status, refused.json.error.message.startsWith(`${field}: `)]).toEqual([400, true])
  })
})

const hash = `sha256.${'ab'.repeat(32)}`

it('the zero values of real clients, and null, are no wish', async () => {
  const zeroes = { id: '', private: false, defaultPrivate: false, readOnly: false, quota: 0, customData: '' }
  const entity = await create('entities', { ...zeroes, name: 'alice', customData: null })
  expect(entity.status).toBe(201)
  const collection = await create('collections', { ...zeroes, name: 'c', entity: entity.json.data.id, private: null })
  expect([collection.status, collection.json.data.private]).toEqual([201, false])
  const container = { ...zeroes, name: 'n', collection: collection.json.data.id, fullDescription: '' }
  expect((await create('containers', container)).status).toBe(201)
})
