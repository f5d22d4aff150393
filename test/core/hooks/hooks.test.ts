/** Hooks are awaited and may refuse; events are told after the fact. */
import { afterEach, describe, expect, it } from 'vitest'
import { LibraryError, type LibraryHooks } from '../../../src/core/index.js'
import { hashOf, makeContainer, pull, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from('some bytes')
const path = 'alice/tools/bwa'
let registry: TestRegistry
afterEach(() => registry.close())

const names = [
  'beforeCreate',
  'beforePush',
  'beforePublish',
  'beforeTag',
  'beforePull',
  'beforeDelete',
] as const satisfies readonly (keyof LibraryHooks)[]

it('are called in order, with who asks and the path', async () => {
  const calls: [string, string, string | undefined][] = []
  const hooks = Object.fromEntries(
    names.map((name) => [
      name,
      async (context: Parameters<NonNullable<LibraryHooks['beforePull']>>[0]) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        calls.push([name, context.path, context.principal?.name])
      },
    ]),
  )
  registry = await createTestRegistry({ library: { hooks } })
  await push(registry, path, bytes)
  await pull(registry, `${path}:latest`)
  await registry.call('DELETE', `/v1/images/${path}:latest?arch=amd64`, { token: 'alice' })
  expect(calls).toEqual([
    ['beforeCreate', 'alice', 'alice'],
    ['beforeCreate', 'alice/tools', 'alice'],
    ['beforeCreate', 'alice/tools/bwa', 'alice'],
    ['beforePush', path, 'alice'],
    ['beforePush', path, 'alice'],
    ['beforePublish', path, 'alice'],
    ['beforeTag', path, 'alice'],
    ['beforePull', path, undefined],
    ['beforeDelete', path, 'alice'],
  ])
})

describe.each(names)('%s refuses', (name) => {
  it('with its words, and nothing has happened', async () => {
    let refuse = false
    const hooks = {
      [name]: () => {
        if (refuse) throw new LibraryError('refused', 'the scan is not done')
      },
    }
    registry = await createTestRegistry({ library: { hooks } })
    const before = name === 'beforePull' || name === 'beforeDelete' ? await push(registry, path, bytes) : undefined
    refuse = true
    const message = /403.*the scan is not done/
    if (name === 'beforePull') await expect(pull(registry, `${path}:latest`)).rejects.toThrow(message)
    else if (name === 'beforeDelete') {
      expect((await registry.call('DELETE', `/v1/images/${path}:latest?arch=amd64`, { token: 'alice' })).status).toBe(
        403,
      )
      expect((await registry.call('GET', `/v1/images/${path}:${before?.hash}`)).status).toBe(200)
    } else {
      await expect(push(registry, path, bytes)).rejects.toThrow(message)
      expect((await registry.call('GET', `/v1/imagefile/${path}:latest?arch=amd64`)).status).toBe(404)
      if (name !== 'beforeTag')
        expect((await registry.call('GET', `/v1/imagefile/${path}:${hashOf(bytes)}`)).status).toBe(404)
      refuse = false
      await push(registry, path, bytes)
      expect((await pull(registry, `${path}:latest`)).equals(bytes)).toBe(true)
      expect(await registry.metadata.entities.findByName('alice')).toMatchObject({
        usedBytes: bytes.length,
        reservedBytes: 0,
      })
    }
  })
})

describe('events', () => {
  it('tell what happened, in order', async () => {
    registry = await createTestRegistry()
    await push(registry, path, bytes)
    await push(registry, path, bytes)
    await pull(registry, `${path}:latest`, { token: 'bob' })
    await push(registry, path, Buffer.from('other bytes'))
    await registry.call('DELETE', `/v1/images/${path}:${hashOf(bytes)}`, { token: 'alice' })
    const [alice, bob] = [
      await registry.library.accounts.findUser('alice'),
      await registry.library.accounts.findUser('bob'),
    ]
    const told = registry.events.filter(({ name }) => name !== 'request.failed')
    const pushed = ['upload.started', 'upload.completed', 'image.published', 'tag.moved']
    expect(told.map(({ name }) => name)).toEqual([...pushed, 'image.pulled', ...pushed, 'image.deleted'])
    const { imageId } = told[0]!.event as { imageId: string }
    expect(told.find(({ name }) => name === 'tag.moved')).toMatchObject({
      event: { path, tag: 'latest', arch: 'amd64', previousImageId: undefined, principal: alice?.id },
    })
    expect(told.filter(({ name }) => name === 'tag.moved')[1]).toMatchObject({ event: { previousImageId: imageId } })
    expect(told.find(({ name }) => name === 'image.pulled')).toMatchObject({
      event: { path, imageId, size: bytes.length, principal: bob?.id },
    })
  })

  it('say nothing of bytes that are shared twice', async () => {
    registry = await createTestRegistry()
    await push(registry, path, bytes)
    registry.events.length = 0
    const { containerId } = await makeContainer(registry, 'bob/tools/bwa')
    const body = { hash: hashOf(bytes), container: containerId }
    expect((await registry.call('POST', '/v1/images', { token: 'bob', body })).json.data.uploaded).toBe(true)
    expect((await registry.call('POST', '/v1/images', { token: 'bob', body })).json.data.uploaded).toBe(true)
    expect(registry.events.filter(({ name }) => name === 'image.published')).toMatchObject([
      { event: { path: 'bob/tools/bwa' } },
    ])
  })
})
