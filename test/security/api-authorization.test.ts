/**
 * Who may do what by the API: every row × every kind of principal × public, private and absent. What is expected comes
 * from the table in this file, which was written from the rules and not from the code; a new row without an entry fails.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { libraryApi } from '../../src/extensions/api/index.js'
import { bytesOf, type ControlWorld, createControlWorld } from '../core/control/support.js'
import { sha256 } from '../support/push.js'

const principals = [
  'anonymous',
  'bad token',
  'stranger',
  'scoped to pull',
  'scoped elsewhere',
  'owner',
  'admin',
] as const
const places = ['public', 'private', 'absent'] as const
type Who = (typeof principals)[number]
type Seen = (typeof places)[number]
type Action = 'pull' | 'push' | 'delete' | 'manage' | 'admin'

function may(who: Who, action: Action, seen: Seen): boolean {
  if (who === 'admin') return true
  if (action === 'admin') return false
  if (who === 'owner') return true
  if (who === 'scoped to pull') return action === 'pull'
  return action === 'pull' && seen === 'public'
}

interface Entry {
  readonly method: string
  /** Below api/v1; `P` is the container, `E` its entity, `C` its collection, `D` the digest of an image in it, `T` a tag. */
  readonly path: string
  readonly action: Action | 'filtered' | 'public'
  readonly body?: (cell: Cell) => object
  /** Status for who may, where the place is there. Default 200. */
  readonly ok?: readonly number[]
  /** What is made: who may, may also where nothing is there yet. */
  readonly makes?: true
}

interface Cell {
  readonly place: string
  readonly digest: string
}

const container = '/containers/P'
const image = '/images/P/D'

/** Every row that names a place, by the name of the row. */
const table: Readonly<Record<string, Entry>> = {
  'entities.get': { method: 'GET', path: '/entities/E', action: 'pull' },
  'entities.update': { method: 'PATCH', path: '/entities/E', action: 'manage', body: () => ({ description: 'x' }) },
  'entities.delete': { method: 'DELETE', path: '/entities/E', action: 'manage', ok: [409] },
  'entities.create': {
    method: 'POST',
    path: '/entities',
    action: 'push',
    makes: true,
    ok: [200, 201],
    body: ({ place }) => ({ name: place.split('/')[0] }),
  },
  'collections.get': { method: 'GET', path: '/collections/C', action: 'pull' },
  'collections.update': {
    method: 'PATCH',
    path: '/collections/C',
    action: 'manage',
    body: () => ({ description: 'x' }),
  },
  'collections.delete': { method: 'DELETE', path: '/collections/C', action: 'manage', ok: [409] },
  'collections.create': {
    method: 'POST',
    path: '/collections',
    action: 'push',
    makes: true,
    ok: [200, 201],
    body: ({ place }) => ({ path: place.split('/').slice(0, 2).join('/') }),
  },
  'containers.get': { method: 'GET', path: container, action: 'pull' },
  'containers.update': { method: 'PATCH', path: container, action: 'manage', body: () => ({ description: 'x' }) },
  'containers.delete': { method: 'DELETE', path: `${container}?preview`, action: 'delete' },
  'containers.create': {
    method: 'POST',
    path: '/containers',
    action: 'push',
    makes: true,
    ok: [200, 201],
    body: ({ place }) => ({ path: place }),
  },
  'tags.list': { method: 'GET', path: `${container}/tags`, action: 'pull' },
  'tags.get': { method: 'GET', path: `${container}/tags/latest`, action: 'pull' },
  'tags.set': { method: 'PUT', path: `${container}/tags/latest`, action: 'push', body: ({ digest }) => ({ digest }) },
  'tags.delete': { method: 'DELETE', path: `${container}/tags/none`, action: 'delete', ok: [404] },
  'history.list': { method: 'GET', path: `${container}/history`, action: 'pull' },
  'images.list': { method: 'GET', path: `${container}/images`, action: 'pull' },
  'images.get': { method: 'GET', path: image, action: 'pull' },
  'images.details': { method: 'GET', path: `${image}/details`, action: 'pull' },
  'images.update': { method: 'PATCH', path: image, action: 'push', body: () => ({ description: 'x' }) },
  'images.delete': { method: 'DELETE', path: `${image}?preview`, action: 'delete' },
  'images.download': { method: 'GET', path: `${image}/download`, action: 'pull', ok: [303] },
  'uploads.start': {
    method: 'POST',
    path: '/uploads',
    action: 'push',
    makes: true,
    ok: [200, 201],
    body: ({ place, digest }) => ({ path: place, digest, size: 5 }),
  },
  'usage.history': { method: 'GET', path: '/usage/history?under=E', action: 'push' },
  'usage.get': { method: 'GET', path: '/usage?under=C', action: 'push' },
  'pulls.list': { method: 'GET', path: '/pulls?under=P', action: 'pull' },
  'events.list': { method: 'GET', path: '/events?container=P', action: 'manage' },
}

/** Rows that name no place: tried one by one below, and in the tests of the rows. */
const elsewhere = [
  ...['session.get', 'session.create', 'session.delete', 'spaces.list', 'stats.get', 'search'],
  ...['tokens.list', 'tokens.create', 'tokens.revoke'],
  ...['entities.list', 'collections.list', 'containers.list'],
  ...['uploads.list', 'uploads.get', 'uploads.parts', 'uploads.complete', 'uploads.abort'],
]

let world: ControlWorld
const tokens: Partial<Record<Who, string>> = {}
const cells: Record<Seen, Cell> = {
  public: { place: 'alice/pub/one', digest: sha256(bytesOf('public')) },
  private: { place: 'bob/priv/one', digest: sha256(bytesOf('private')) },
  absent: { place: 'alice/none/one', digest: sha256(bytesOf('absent')) },
}
const ownerOf: Readonly<Record<Seen, 'alice' | 'bob'>> = { public: 'alice', private: 'bob', absent: 'alice' }

beforeAll(async () => {
  world = await createControlWorld()
  const { library } = world
  await library.visibility('bob', 'private', { create: true })
  await world.push('alice/pub/one', 'public')
  await world.push('bob/priv/one', 'private')
  const scoped = async (user: string, scopes: readonly string[]) =>
    (await library.accounts.createToken({ user, scopes })).token
  for (const user of ['alice', 'bob'] as const) {
    tokens[`scoped to pull ${user}` as Who] = await scoped(user, ['pull'])
    tokens[`scoped elsewhere ${user}` as Who] = await scoped(user, ['push:lab/other'])
  }
})
afterAll(() => world.close())

function tokenOf(who: Who, seen: Seen): string | undefined {
  if (who === 'anonymous') return undefined
  if (who === 'bad token') return 'sif_made_up'
  if (who === 'stranger') return 'mallory'
  if (who === 'owner') return ownerOf[seen]
  if (who === 'admin') return 'admin'
  return tokens[`${who} ${ownerOf[seen]}` as Who]
}

function expected(
  { action, ok = [200], makes }: Entry,
  who: Who,
  seen: Seen,
  level: 'entity' | 'below',
): readonly number[] {
  if (who === 'bad token') return [401]
  if (action === 'filtered' || action === 'public') return ok
  if (who === 'anonymous' && action !== 'pull') return [401]
  // the entity of what is absent is there
  const isThere = seen !== 'absent' || level === 'entity'
  const as = seen === 'absent' ? 'public' : seen
  if (!isThere && makes === undefined) return [404]
  if (may(who, action, as)) return ok
  if (action === 'pull') return [404]
  return may(who, 'pull', as) || makes !== undefined ? [403, 404] : [404]
}

test('every row has an entry here, or is named as one that names no place', () => {
  const { routes = [] } = libraryApi().setup({} as never)
  const names = routes.map(({ name }) => name.replace(/^api\./, ''))
  expect([...Object.keys(table), ...elsewhere].sort()).toEqual([...names].sort())
})

describe.each(Object.keys(table))('%s', (name) => {
  const entry = table[name] as Entry
  test.each(principals)('%s', async (who) => {
    for (const seen of places) {
      // what an allowed one makes is there for the next
      if (seen === 'absent' && entry.makes !== undefined) continue
      const cell = cells[seen]
      const [entity = '', collection = ''] = cell.place.split('/')
      const path = entry.path
        .replace('/P', `/${cell.place}`)
        .replace('=P', `=${cell.place}`)
        .replace('/D', `/${cell.digest}`)
        .replace(/([/=])E/, `$1${entity}`)
        .replace(/([/=])C/, `$1${entity}/${collection}`)
      const token = tokenOf(who, seen)
      const answer = await world.call(entry.method, `/api/v1${path}`, {
        ...(token !== undefined && { token }),
        ...(entry.body !== undefined && { body: entry.body(cell) }),
      })
      const level = /[/=]E/.test(entry.path) ? 'entity' : 'below'
      const wanted = expected(entry, who, seen, level)
      expect([seen, answer.status, answer.text.slice(0, 200)]).toEqual([
        seen,
        wanted.includes(answer.status) ? answer.status : wanted,
        answer.text.slice(0, 200),
      ])
      if (answer.status === 404 && seen === 'private') expect(answer.text).not.toContain('description')
    }
  })
})

test('an upload is its own pusher’s: for others it is as good as none', async () => {
  const digest = sha256(bytesOf('mine'))
  const body = { path: 'alice/pub/up', digest, size: 100 }
  const { id } = (await world.call('POST', '/api/v1/uploads', { token: 'alice', body })).json.data
  const parts = { parts: [{ number: 1, sha256: digest }] }
  for (const token of ['bob', 'mallory', undefined])
    for (const [method, rest, sent] of [
      ['GET', '', undefined],
      ['POST', '/parts', parts],
      ['POST', '/complete', undefined],
      ['DELETE', '', undefined],
    ] as const) {
      const answer = await world.call(method, `/api/v1/uploads/${id}${rest}`, {
        ...(token !== undefined && { token }),
        ...(sent !== undefined && { body: sent }),
      })
      expect([method, rest, answer.status]).toEqual([method, rest, token === undefined ? 401 : 404])
    }
})

test('lists of a host without `visible` are asked row by row, and say nothing of what is hidden', async () => {
  const { library } = world
  const host = await createControlWorld({
    library: {
      auth: {
        authenticate: (request) => library.accounts.authenticate(request),
        authorize: ({ principal, resource }) => !resource.private || principal?.name === resource.entity,
      },
    },
  })
  try {
    for (let n = 0; n < 30; n += 1) {
      const path = `alice/mixed/c${String(n).padStart(2, '0')}`
      await host.library.operator.containers.create({ path, private: n % 3 !== 0 })
    }
    const seen: string[] = []
    for await (const each of host.library.as(null).containers.all({ sort: 'name' })) seen.push(each.path)
    expect(seen).toHaveLength(10)
    const pages: number[] = []
    let cursor: string | null | undefined
    const again: string[] = []
    do {
      const page = await host.library.as(null).containers.list({ sort: 'name', limit: 3, ...(cursor && { cursor }) })
      pages.push(page.items.length)
      again.push(...page.items.map((each) => each.path))
      cursor = page.next
    } while (cursor !== null)
    expect(again).toEqual(seen)
    expect(pages).toEqual([3, 3, 3, 1])
  } finally {
    await host.close()
  }
})
