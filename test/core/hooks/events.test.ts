/** Events say what happened, when, and who did it from where. */
import { afterEach, describe, expect, it } from 'vitest'
import { createLibrary, type LibraryEventName, type LibraryEvents } from '../../../src/core/index.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const path = 'alice/tools/bwa'
const remote = '192.0.2.7'
let registry: TestRegistry
let now = 1_800_000_000_000
const clock = (): number => now
afterEach(() => registry.close())

const eventsOf = <Name extends LibraryEventName>(name: Name): readonly LibraryEvents[Name][] =>
  registry.events.filter((each) => each.name === name).map(({ event }) => event as LibraryEvents[Name])

describe('who did it', () => {
  it('by a request: id and name of the principal, and the address that it came from', async () => {
    registry = await createTestRegistry({ library: { clock } })
    const { hash } = await push(registry, path, Buffer.from('some bytes'))
    const alice = await registry.library.accounts.findUser('alice')
    const digest = hash.slice('sha256.'.length)
    const by = { at: now, principal: alice?.id, principalName: 'alice' }
    expect(eventsOf('image.published')).toEqual([expect.objectContaining({ path, digest, ...by })])
    expect(eventsOf('upload.started')).toEqual([expect.objectContaining(by)])
    expect(eventsOf('upload.completed')).toEqual([expect.objectContaining(by)])
    expect(eventsOf('tag.moved')).toEqual([expect.objectContaining({ path, tag: 'latest', ...by })])

    now += 5000
    const asked = { request: { remote } }
    await registry.call('GET', `/v1/imagefile/${path}:latest?arch=amd64`, asked)
    await registry.call('DELETE', `/v1/images/${path}:latest?arch=amd64`, { token: 'admin', ...asked })
    const admin = await registry.library.accounts.findUser('admin')
    const later = { at: now, remote }
    expect(eventsOf('image.pulled')).toEqual([
      expect.objectContaining({ path, digest, principal: null, principalName: null, ...later }),
    ])
    const byAdmin = { path, digest, principal: admin?.id, principalName: 'admin', ...later }
    expect(eventsOf('tag.removed')).toEqual([expect.objectContaining(byAdmin)])
    expect(eventsOf('image.deleted')).toEqual([expect.objectContaining(byAdmin)])

    await registry.call('GET', '/v1/entities/nobody', { token: 'bob', ...asked })
    expect(eventsOf('request.failed')).toEqual([
      expect.objectContaining({ status: 404, principalName: 'bob', ...later }),
    ])
  })

  it('without a request: an upload that expired still says whose it was', async () => {
    registry = await createTestRegistry({ library: { clock } })
    const { imageId } = await push(registry, path, Buffer.from('some bytes'))
    const container = (await registry.metadata.images.find(imageId))?.container.id
    const image = await registry.call('POST', '/v1/images', {
      token: 'alice',
      body: { hash: `sha256.${'a'.repeat(64)}`, container },
    })
    await registry.call('POST', `/v2/imagefile/${image.json.data.id}`, { token: 'alice', body: { filesize: 10 } })
    now += 8 * 86_400_000
    await registry.library.sweep()
    const alice = await registry.library.accounts.findUser('alice')
    expect(eventsOf('upload.aborted')).toEqual([
      expect.objectContaining({ reason: 'expired', principal: alice?.id, principalName: null, remote: null }),
    ])
  })

  it('changes of users, tokens and visibility are told, and what changes nothing is not', async () => {
    registry = await createTestRegistry({ library: { clock } })
    const { accounts } = registry.library
    await push(registry, path, Buffer.from('some bytes'))
    registry.events.splice(0)
    const user = await accounts.addUser({ name: 'carol', groups: ['lab'] })
    await accounts.updateUser('carol', { admin: true })
    const { info, token } = await accounts.createToken({ user: 'carol', label: 'laptop', scopes: ['pull'] })
    await accounts.createToken({ user: 'carol' })
    expect(await accounts.revokeToken(info.id)).toBe(true)
    expect(await accounts.revokeToken(info.id)).toBe(false)
    expect(await accounts.revokeTokens('carol')).toHaveLength(1)
    expect(await accounts.revokeTokens('carol')).toHaveLength(0)
    await expect(accounts.revokeTokens('nobody')).rejects.toMatchObject({ code: 'not-found' })
    await accounts.removeUser('carol')
    expect(await accounts.removeUser('carol')).toBe(false)
    await registry.library.visibility(path, 'private')
    await registry.library.visibility(path, 'private')
    await registry.library.visibility(path)
    await expect(registry.library.visibility('nobody', 'private')).rejects.toMatchObject({ code: 'not-found' })

    const nobody = { at: now, principal: null, principalName: null, remote: null }
    const carol = { userId: user.id, user: 'carol', ...nobody }
    const ofToken = { tokenId: info.id, user: 'carol', label: 'laptop', ...nobody }
    const unlabelled = { tokenId: expect.any(String), user: 'carol', label: '', ...nobody }
    expect(registry.events).toEqual([
      { name: 'user.added', event: { ...carol, admin: false, groups: ['lab'] } },
      { name: 'user.changed', event: { ...carol, admin: true, groups: ['lab'] } },
      { name: 'token.created', event: { ...ofToken, scopes: ['pull'], expiresAt: null } },
      { name: 'token.created', event: { ...unlabelled, scopes: [], expiresAt: null } },
      { name: 'token.revoked', event: ofToken },
      { name: 'token.revoked', event: unlabelled },
      { name: 'user.removed', event: carol },
      { name: 'visibility.changed', event: { kind: 'container', path, private: true, ...nobody } },
    ])
    expect(JSON.stringify(registry.events)).not.toContain(token)
  })
})

describe('library.on', () => {
  it('adds listeners behind those of the options, and removes each by its own function', async () => {
    registry = await createTestRegistry({ library: { clock } })
    const calls: string[] = []
    const listener = (): void => void calls.push('twice')
    const offs = [
      registry.library.on('user.added', () => {
        throw new Error('of a listener')
      }),
      registry.library.on('user.added', async () => Promise.reject(new Error('later'))),
      registry.library.on('user.added', listener),
      registry.library.on('user.added', listener),
    ]
    const offLast = registry.library.on('user.added', ({ user }) => {
      calls.push(user)
      offLast()
    })
    const before = registry.events.length
    await registry.library.accounts.addUser({ name: 'carol' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(calls).toEqual(['twice', 'twice', 'carol'])
    expect(registry.events.slice(before).map(({ name }) => name)).toEqual(['user.added'])
    const failures = registry.logs.filter(({ message }) => message === 'an event listener failed')
    expect(failures.map(({ facts }) => (facts as { event: string }).event)).toEqual(['user.added', 'user.added'])

    offs[2]?.()
    offs[2]?.()
    await registry.library.accounts.addUser({ name: 'dave' })
    expect(calls).toEqual(['twice', 'twice', 'carol', 'twice'])
  })

  it('refuses a name that is none, and what is no function', async () => {
    registry = await createTestRegistry({ library: { clock } })
    expect(() => registry.library.on('image.publish' as never, () => {})).toThrow(
      /no such event: image.publish; there are image.published, /,
    )
    expect(() => registry.library.on('image.published', undefined as never)).toThrow(/is no function/)
  })
})

describe('the line of a request', () => {
  const lines = () =>
    registry.logs.filter(({ message }) => message === 'request').map(({ facts }) => facts as Record<string, unknown>)

  it('has the path, who asked and what was found; a query and a transfer URL never', async () => {
    registry = await createTestRegistry({ storage: 'filesystem' })
    const { imageId } = await push(registry, path, Buffer.from('some bytes'))
    const answer = await registry.call('GET', `/v1/imagefile/${path}:latest?arch=amd64&X-Amz-Signature=secret`, {
      token: 'alice',
      request: { remote },
    })
    expect(lines().at(-1)).toMatchObject({
      route: 'images.pull',
      path: `/v1/imagefile/${path}:latest`,
      resource: path,
      status: 303,
      principalName: 'alice',
      remote,
    })
    const location = answer.headers.location ?? ''
    expect(location).toContain('/transfers/')
    for (const [method, url] of [
      ['GET', location],
      ['PUT', location],
      ['POST', location],
      ['GET', location.replace('/transfers/', '//transfers//')],
      ['GET', `${location}%zz`],
    ] as const)
      await registry.call(method, url, { body: method === 'GET' ? undefined : 'x' }).catch(() => {})
    const written = JSON.stringify(lines())
    expect(written).toContain('"/transfers/{capability}"')
    expect(written).not.toContain(location.split('/').at(-1))
    expect(written).not.toContain('secret')

    // by an id only the log can say what it was
    await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'mallory', body: {} })
    expect(lines().at(-1)).toMatchObject({ resource: path, status: 403, principalName: 'mallory' })
    await registry.call('GET', `/v1/images/${'x'.repeat(5000)}`)
    expect(String(lines().at(-1)?.path).length).toBeLessThan(1100)
  })

  it('is not built where the level says that nobody reads it', async () => {
    const metadata = sqliteMetadata({ file: ':memory:' })
    const infos: object[] = []
    const nothing = (): void => {}
    registry = await createTestRegistry({ library: { clock } })
    for (const isLevelEnabled of [() => false, () => true, undefined]) {
      const library = createLibrary({
        publicUrl: 'http://127.0.0.1',
        storage: memoryStorage(),
        metadata,
        logger: {
          debug: nothing,
          warn: nothing,
          error: nothing,
          info: (facts) => void infos.push(facts),
          ...(isLevelEnabled && { isLevelEnabled }),
        },
      })
      await library.handle({ method: 'GET', path: '/version', query: '', headers: {}, body: { kind: 'none' } })
    }
    expect(infos).toHaveLength(2)
    await metadata.close()
  })
})
