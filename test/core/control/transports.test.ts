/** `Control` keeps one contract in this process (`library.as`) and over HTTP (`createClient`): the same calls, the same answers. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { libraryFetch } from '../../../src/adapters/fetch.js'
import { createClient } from '../../../src/client/index.js'
import type { Control } from '../../../src/core/control/control.js'
import { controlRecords } from '../../../src/core/control/schemas.js'
import { sha256 } from '../../support/push.js'
import type { TestUser } from '../../support/registry.js'
import { bytesOf, type ControlWorld, createControlWorld } from './support.js'

let world: ControlWorld
beforeAll(async () => {
  world = await createControlWorld({ storage: 'filesystem', library: { limits: { partBytes: 1024 * 1024 } } })
})
afterAll(() => world.close())

/** A fetch that ends in the registry of this process. */
const fetchOf = (change: (request: Request) => Response | undefined = () => undefined): typeof fetch => {
  const answer = libraryFetch(world.library, { prefix: '/library', fallback: true })
  return async (input, init) => {
    const request = new Request(input, init)
    return change(request) ?? ((await answer(request)) as Response)
  }
}

const transports: Readonly<Record<string, (user: TestUser) => Promise<Control>>> = {
  direct: async (user) => {
    const found = await world.library.accounts.findUser(user)
    const principal = await world.library.accounts.authenticate({
      method: 'GET',
      path: '/',
      query: '',
      headers: { authorization: `Bearer ${world.tokens[user]}` },
      body: { kind: 'none' },
    })
    expect(principal?.id).toBe(found?.id)
    return world.library.as(principal)
  },
  HTTP: async (user) => createClient({ url: world.publicUrl, token: world.tokens[user], fetch: fetchOf() }),
}

/** The reason of a refusal, on either transport. */
async function reasonOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    const { reason, code } = error as { readonly reason?: string; readonly code?: string }
    return reason ?? code
  }
  return 'nothing was refused'
}

describe.each(Object.keys(transports))('%s', (name) => {
  let alice: Control
  let bob: Control
  let admin: Control
  const place = `alice/${name.toLowerCase()}`
  const path = `${place}/bwa`
  const one = sha256(bytesOf(`${name} one`))
  const two = sha256(bytesOf(`${name} two`))

  beforeAll(async () => {
    const as = transports[name] as (user: TestUser) => Promise<Control>
    alice = await as('alice')
    bob = await as('bob')
    admin = await as('admin')
    await world.push(path, `${name} one`, ['1.0', 'latest'])
    await world.push(path, `${name} two`, ['2.0'])
  })

  test('says who asks', async () => {
    const session = await alice.session.get()
    controlRecords.session.parse(session)
    expect(session).toMatchObject({ principal: { name: 'alice', admin: false }, registry: { url: world.publicUrl } })
    expect((await alice.spaces.list()).map(({ name: each }) => each)).toContain('alice')
  })

  test('lists in pages, and one after the other', async () => {
    const page = await alice.containers.list({ q: place, limit: 1, sort: 'name', with: 'can' })
    controlRecords.container.parse(page.items[0])
    expect(page).toMatchObject({ items: [{ path, latest: { tag: '2.0' }, images: 2, changedBy: 'alice' }], next: null })
    for (let n = 0; n < 3; n += 1) await alice.containers.create({ path: `${place}/more${n}` })
    const paths: string[] = []
    for await (const container of alice.containers.all({ q: place, sort: 'name' })) paths.push(container.path)
    expect(paths).toEqual([path, `${place}/more0`, `${place}/more1`, `${place}/more2`])
    const first = await alice.containers.list({ q: place, limit: 3, sort: 'name' })
    const rest = await alice.containers.list({ q: place, limit: 3, sort: 'name', cursor: first.next ?? '' })
    expect([...first.items, ...rest.items].map((each) => each.path)).toEqual(paths)
    expect(rest.next).toBeNull()
    expect((await alice.collections.list({ entity: 'alice', q: name.toLowerCase() })).items).toMatchObject([
      { path: place },
    ])
    expect((await admin.entities.list({ q: 'ali', sort: '-usedBytes' })).items).toMatchObject([{ name: 'alice' }])
  })

  test('makes, changes and deletes places, only as they were seen', async () => {
    const made = await alice.containers.create({ path: `${place}-x/tool`, description: 'first' })
    expect(made).toMatchObject({ created: true, private: false, description: 'first' })
    expect((await alice.containers.create({ path: `${place}-x/tool` })).created).toBe(false)
    const changed = await alice.containers.update(made.path, { private: true, ifMatch: made.version })
    expect(changed.private).toBe(true)
    expect(await reasonOf(alice.containers.update(made.path, { private: false, ifMatch: made.version }))).toBe(
      'precondition-failed',
    )
    expect(await reasonOf(bob.containers.get(made.path))).toBe('not-found')
    expect(await reasonOf(alice.collections.delete(`${place}-x`))).toBe('conflict')
    expect(await alice.collections.preview(`${place}-x`)).toMatchObject({ containers: 1, images: 0 })
    await alice.collections.delete(`${place}-x`, { recursive: true })
    expect(await reasonOf(alice.collections.get(`${place}-x`))).toBe('not-found')
    expect(await reasonOf(alice.entities.update('alice', { quotaBytes: 5 }))).toBe('forbidden')
    expect((await admin.entities.update('alice', { quotaBytes: 10 ** 9 })).quotaBytes).toBe(10 ** 9)
  })

  test('tags: found, moved with the digest that was seen, rolled back, removed', async () => {
    const tag = await alice.tags.get(path, 'latest')
    controlRecords.tag.parse(tag)
    expect(tag).toMatchObject({ digest: one, version: one, arch: 'amd64', changedBy: 'alice' })
    expect((await alice.tags.set(path, 'latest', { digest: two, ifMatch: one, reason: 'newer' })).digest).toBe(two)
    expect(await reasonOf(alice.tags.set(path, 'latest', { digest: two, ifMatch: one }))).toBe('precondition-failed')
    expect(await reasonOf(alice.tags.set(path, 'latest', { digest: two, ifNoneMatch: '*' }))).toBe(
      'precondition-failed',
    )
    expect(await reasonOf(bob.tags.set(path, 'latest', { digest: one }))).toBe('forbidden')
    await alice.tags.set(path, 'latest', { digest: one })
    const { items } = await alice.history.list(path, { tag: 'latest' })
    for (const change of items) controlRecords.tagChange.parse(change)
    expect(items.map(({ digest, via, by }) => [digest, via, by])).toEqual([
      [one, 'rollback', 'alice'],
      [two, 'api', 'alice'],
      [one, 'push', 'alice'],
    ])
    await alice.tags.delete(path, '2.0', { ifMatch: two })
    const untagged = await alice.images.list(path, { untagged: true })
    expect(untagged.items.map(({ digest }) => digest)).toEqual([two])
    await alice.tags.set(path, '2.0', { digest: two, ifNoneMatch: '*' })
    expect((await alice.tags.list(path, { q: '2' })).items.map(({ tag: each }) => each)).toEqual(['2.0'])
  })

  test('images: looked at, described, handed out', async () => {
    const image = await alice.images.get(path, one, { with: 'can' })
    controlRecords.image.parse(image)
    expect(image).toMatchObject({ digest: one, state: 'published', pushedBy: 'alice', can: expect.any(Array) })
    expect((await alice.images.update(path, one, { description: 'the first' })).description).toBe('the first')
    const url = await alice.images.pullUrl(path, one)
    const answer = await world.call('GET', url)
    expect(answer.bytes).toEqual(bytesOf(`${name} one`))
    expect(await alice.images.details(path, one)).toMatchObject({ state: 'not-a-sif', objects: [] })
    expect(await reasonOf(alice.images.details(path, 'f'.repeat(64)))).toBe('not-found')
    expect(await reasonOf(alice.images.get(path, 'f'.repeat(64)))).toBe('not-found')
    expect(await reasonOf(alice.images.get(path, 'no digest'))).toBe('invalid-name')
  })

  test('what names another row, or nothing, is refused', async () => {
    for (const bad of ['alice', 'alice/../bob', 'alice/x/..', `${path}/tags`, '', 'alice//x'])
      expect([bad, await reasonOf(alice.containers.delete(bad))]).toEqual([bad, 'invalid-name'])
    for (const bad of ['.', '..', 'a/b', '%2e%2e', ''])
      expect([bad, await reasonOf(alice.tags.delete(path, bad))]).toEqual([bad, 'invalid-name'])
    expect(await reasonOf(alice.containers.list({ limit: 0 }))).toBe('invalid-request')
    expect(await reasonOf(alice.containers.list({ entty: 'alice' } as never))).toBe('invalid-request')
  })

  test('search, usage, pulls, totals, activity', async () => {
    const found = await alice.search(`${name.toLowerCase()}/bwa`)
    controlRecords.found.parse(found)
    expect(found.containers).toMatchObject([{ path }])
    const usage = await alice.usage.get({ under: 'alice' })
    controlRecords.usage.parse(usage)
    expect(usage.children.find((child) => child.path === place)?.images).toBe(2)
    expect(await alice.usage.history('alice', { step: 'month' })).not.toEqual([])
    expect((await alice.pulls({ under: path })).length).toBe(30)
    controlRecords.stats.parse(await alice.stats())
    const events = await alice.events.list({ container: path })
    for (const event of events.items) controlRecords.event.parse(event)
    expect(events.items.map(({ action }) => action)).toContain('tag.moved')
    expect(await reasonOf(bob.events.list({ container: path }))).toBe('forbidden')
  })

  test('tokens', async () => {
    const made = await alice.tokens.create({ label: name, scopes: ['pull'] })
    controlRecords.newAccessToken.parse(made)
    expect((await alice.tokens.list()).find(({ id }) => id === made.id)).toMatchObject({ label: name })
    expect(await reasonOf(bob.tokens.revoke(made.id))).toBe('not-found')
    await alice.tokens.revoke(made.id)
    expect(await reasonOf(alice.tokens.revoke(made.id))).toBe('not-found')
  })
})

describe('the uploader', () => {
  const file = (size: number): File => new File([randomBytes(size)], 'image.sif', { lastModified: 1 })
  const clientOf = (change?: (request: Request) => Response | undefined) =>
    createClient({ url: world.publicUrl, token: world.tokens.alice, fetch: fetchOf(change) })
  const digestOf = async (each: File) =>
    createHash('sha256')
      .update(Buffer.from(await each.arrayBuffer()))
      .digest('hex')

  test('sends parts in parallel, and ends with an image and its tags', async () => {
    const client = clientOf()
    const sent = file(3_500_000)
    const phases = new Set<string>()
    const image = await client.upload(sent, {
      path: 'alice/up/load',
      tags: ['1', '2'],
      onProgress: ({ phase }) => phases.add(phase),
    })
    expect(image).toMatchObject({ digest: await digestOf(sent), size: sent.size })
    expect(image.tags.map(({ tag }) => tag)).toEqual(['1', '2'])
    expect([...phases]).toEqual(['reading', 'sending', 'proving'])
    // the bytes are there already
    expect((await client.upload(sent, { path: 'alice/up/load', tags: ['3'] })).tags).toHaveLength(3)
  })

  test('goes on after it was stopped, with what has not arrived', async () => {
    const sent = file(3_500_000)
    const memory = new Map<string, unknown>()
    const store = {
      get: (key: string) => memory.get(key),
      set: (key: string, value: unknown) => void memory.set(key, value),
      delete: (key: string) => void memory.delete(key),
    }
    const stop = new AbortController()
    let puts = 0
    const first = clientOf((request) => {
      if (request.method === 'PUT' && new URL(request.url).pathname.includes('/transfers/')) {
        puts += 1
        if (puts === 3) stop.abort(new Error('the lid was closed'))
      }
      return undefined
    })
    const options = { path: 'alice/up/again', tags: ['1'], store, parallel: 1 }
    await expect(first.upload(sent, { ...options, signal: stop.signal })).rejects.toThrow('the lid was closed')
    expect(memory.size).toBe(1)
    puts = 0
    let starts = 0
    const second = clientOf((request) => {
      const { pathname } = new URL(request.url)
      if (request.method === 'PUT' && pathname.includes('/transfers/')) puts += 1
      if (request.method === 'POST' && pathname.endsWith('/uploads')) starts += 1
      return undefined
    })
    const image = await second.upload(sent, options)
    expect(image.digest).toBe(await digestOf(sent))
    expect({ starts, isLess: puts <= 2 }).toEqual({ starts: 0, isLess: true })
    expect(memory.size).toBe(0)
  })

  test('tries a part again that failed, and takes the way through the registry where the store is out of reach', async () => {
    let failed = 0
    const transfers: unknown[] = []
    const client = clientOf((request) => {
      const { pathname } = new URL(request.url)
      if (request.method === 'POST' && pathname.endsWith('/parts'))
        void request
          .clone()
          .json()
          .then((body) => transfers.push((body as { transfer?: string }).transfer))
      if (request.method === 'PUT' && failed < 2) {
        failed += 1
        throw new TypeError('fetch failed')
      }
      return undefined
    })
    const sent = file(1_000)
    expect((await client.upload(sent, { path: 'alice/up/retry' })).digest).toBe(await digestOf(sent))
    expect(transfers).toEqual([undefined, undefined, 'proxy'])
  })

  test('stands still while it is paused', async () => {
    const sent = file(2_500_000)
    const uploading = clientOf().upload(sent, { path: 'alice/up/pause', parallel: 1 })
    uploading.pause()
    const early = await Promise.race([
      uploading.then(() => 'done'),
      new Promise((resolve) => setTimeout(resolve, 300, 'still')),
    ])
    expect(early).toBe('still')
    uploading.resume()
    expect((await uploading).size).toBe(sent.size)
  })

  test('a refusal is thrown as it was said', async () => {
    const upload = clientOf().upload(file(10), { path: 'bob/up/load' })
    await expect(upload).rejects.toMatchObject({ name: 'RegistryError', reason: 'forbidden', status: 403 })
  })
})
