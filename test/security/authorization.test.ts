/**
 * Who may do what: every row of the route table × every kind of principal × public, private and absent. What is expected comes from the table and the rule in this file, which
 * were written from the protocol and not from the code; a new row without an entry fails.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownerPolicy } from '../../src/core/auth/policy.js'
import { routes } from '../../src/core/routes.js'
import { expectStatus, hashOf, makeContainer, makeImage, push, sha256 } from '../support/push.js'
import { type Answer, type CallOptions, createTestRegistry, type TestRegistry } from '../support/registry.js'

const principals = [
  'anonymous',
  'bad token',
  'revoked token',
  'expired token',
  'stranger',
  'reader',
  'writer',
  'group member',
  'admin',
  'token scoped to pull',
  'token scoped to another path',
  'token scoped to push on this path',
  'member who reads',
  'member who writes',
  'member who maintains',
  'session',
  'session that is over',
  'session that the page of another site uses',
] as const
const visibilities = ['public', 'private', 'absent'] as const
type Who = (typeof principals)[number]
type Seen = (typeof visibilities)[number]
type Level = 'entity' | 'collection' | 'container'

/** Their cookie, and what their browser says of where the request comes from. */
const sameOrigin = { 'sec-fetch-site': 'same-origin', origin: 'https://reg.example' }
const crossSite = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
const nobody: readonly Who[] = ['anonymous', 'session that is over']
const badCredentials: readonly Who[] = ['bad token', 'revoked token', 'expired token']
const entityOf: Readonly<Record<Seen, string>> = { public: 'pub', private: 'priv', absent: 'none' }
const noId = 'f'.repeat(24)

// ---------------------------------------------------------------- the rule

function may(
  who: Who,
  action: 'pull' | 'push' | 'delete',
  at: { readonly seen: Seen; readonly level: Level },
): boolean {
  switch (who) {
    case 'writer':
    case 'group member':
    case 'admin':
    case 'session':
    case 'session that the page of another site uses':
      return true
    case 'member who reads':
      return at.seen !== 'absent' && action === 'pull'
    case 'member who writes':
      return at.seen !== 'absent' && action !== 'delete'
    case 'member who maintains':
      return at.seen !== 'absent'
    case 'reader':
    case 'token scoped to pull':
      return action === 'pull'
    case 'token scoped to push on this path':
      // looks at what lies on the way, pushes only below its path
      return action === 'pull' || (action === 'push' && at.level === 'container')
    default:
      // nobody, a stranger, and credentials that are not good for here
      return action === 'pull' && at.seen === 'public'
  }
}

function expected(
  entry: Entry,
  { who, seen, method }: Pick<Cell, 'who' | 'seen'> & { readonly method: string },
): readonly number[] {
  if (who === 'session that the page of another site uses' && method !== 'GET') return [403]
  if (entry.kind === 'public') return [entry.status(who, seen)]
  if (badCredentials.includes(who)) return [401]
  if (entry.kind === 'filtered') return [200]
  const { action, level, parent } = entry
  const absent = seen === 'absent' && parent !== 'none'
  if (nobody.includes(who) && action !== 'pull') return [401]
  if (absent) return [404]
  if (may(who, action, { seen, level })) return entry.ok
  if (action === 'pull') return [404]
  // no is said plainly where it reveals nothing: the name was the caller's, or the thing (its parent, where it is made) can be seen
  if (parent === 'none' || may(who, 'pull', { seen, level: parent ?? level })) return [403]
  return [404]
}

// ---------------------------------------------------------------- the table

type Request = readonly [method: string, path: string, options?: CallOptions]

interface Cell {
  readonly registry: TestRegistry
  readonly who: Who
  readonly seen: Seen
  /** A number of its own. */
  readonly number: number
  /** Of an admin, for what must be there before. */
  readonly admin: string
  /** Of the principal; undefined for the anonymous. */
  readonly token: string | undefined
  readonly entity: string
  readonly path: string
  readonly ids: { readonly entityId: string; readonly collectionId: string; readonly containerId: string }
  readonly bytes: Buffer
  /** Whether the rule lets this principal push here. */
  readonly pushes: boolean
}

type Entry =
  | {
      readonly kind: 'public'
      readonly status: (who: Who, seen: Seen) => number
      readonly request: (cell: Cell) => Request | Promise<Request>
    }
  | {
      readonly kind: 'filtered'
      readonly request: (cell: Cell) => Promise<Request>
      readonly check: (cell: Cell, answer: Answer) => void
    }
  | {
      readonly kind: 'asked'
      readonly action: 'pull' | 'push' | 'delete'
      readonly level: Level
      /** What a new thing is made in; `none`: the request holds its whole name. */
      readonly parent?: Level | 'none'
      readonly ok: readonly number[]
      readonly request: (cell: Cell) => Request | Promise<Request>
    }

const always = (status: number, path: string): Entry => ({
  kind: 'public',
  status: () => status,
  request: () => ['GET', path],
})

/** The id of a published image with a tag of its own. */
async function published(cell: Cell): Promise<{ readonly id: string; readonly tag: string; readonly hash: string }> {
  const tag = `tag${cell.number}`
  const hash = hashOf(cell.bytes)
  if (cell.seen === 'absent') return { id: noId, tag, hash }
  const { imageId } = await push(cell.registry, cell.path, cell.bytes, { token: cell.admin, tags: [tag] })
  return { id: imageId, tag, hash }
}

/** The id of an image without bytes. */
async function pending(cell: Cell): Promise<string> {
  if (cell.seen === 'absent') return noId
  return (await makeImage(cell.registry, { path: cell.path, hash: hashOf(cell.bytes), token: cell.admin })).imageId
}

/** An upload of the principal where it may have one; otherwise one of the admin's: who is refused is refused before it is looked at. */
async function upload(
  cell: Cell,
): Promise<{ readonly id: string; readonly uploadID: string; readonly part: (token: string) => Promise<string> }> {
  const id = await pending(cell)
  if (cell.seen === 'absent') return { id, uploadID: noId, part: async () => '' }
  const token = (cell.pushes ? cell.token : undefined) ?? cell.admin
  const start = await cell.registry.call('POST', `/v2/imagefile/${id}/_multipart`, {
    token,
    body: { filesize: cell.bytes.length },
  })
  const { uploadID } = expectStatus(start, 200).json.data
  const part = async (): Promise<string> => {
    const body = { uploadID, partNumber: 1, partSize: cell.bytes.length, sha256sum: sha256(cell.bytes) }
    const url = expectStatus(await cell.registry.call('PUT', `/v2/imagefile/${id}/_multipart`, { token, body }), 200)
      .json.data.presignedURL
    return expectStatus(await cell.registry.call('PUT', url, { body: cell.bytes }), 200).headers.etag ?? ''
  }
  return { id, uploadID, part }
}

const pulls = (level: Level, request: (cell: Cell) => Request | Promise<Request>, ok = 200): Entry => ({
  kind: 'asked',
  action: 'pull',
  level,
  ok: [ok],
  request,
})
const pushes = (request: (cell: Cell) => Request | Promise<Request>, ok: readonly number[] = [200]): Entry => ({
  kind: 'asked',
  action: 'push',
  level: 'container',
  ok,
  request,
})

const table: Readonly<Record<string, Entry>> = {
  version: always(200, '/version'),
  discovery: always(200, '/assets/config/config.prod.json'),
  'token.page': always(200, '/auth/tokens'),
  'oci.redirect': always(404, '/v1/oci-redirect?namespace=pub/c/n'),
  'rbac.user': always(404, '/v1/rbac/users/current'),
  health: always(200, '/healthz'),
  readiness: always(200, '/readyz'),
  openapi: always(200, '/openapi.json'),
  'token.status': {
    kind: 'public',
    status: (who) => (nobody.includes(who) || badCredentials.includes(who) ? 404 : 200),
    request: () => ['GET', '/v1/token-status'],
  },
  'transfers.get': {
    kind: 'public',
    status: (_, seen) => (seen === 'absent' ? 403 : 200),
    request: async (cell) => {
      const { hash } = await published(cell)
      if (cell.seen === 'absent') return ['GET', '/transfers/abc.def']
      return [
        'GET',
        (await cell.registry.call('GET', `/v1/imagefile/${cell.path}:${hash}`, { token: cell.admin })).headers
          .location ?? '',
      ]
    },
  },
  'transfers.put': {
    kind: 'public',
    status: (_, seen) => (seen === 'absent' ? 403 : 200),
    request: async (cell) => {
      if (cell.seen === 'absent') return ['PUT', '/transfers/abc.def', { body: cell.bytes }]
      const start = await cell.registry.call('POST', `/v2/imagefile/${await pending(cell)}`, {
        token: cell.admin,
        body: { filesize: cell.bytes.length },
      })
      return ['PUT', start.json.data.uploadURL, { body: cell.bytes }]
    },
  },
  search: {
    kind: 'filtered',
    request: async (cell) => ['GET', `/v1/search?value=${(await published(cell)).tag}`],
    check: (cell, answer) => {
      const shown = answer.json.data.image.length > 0
      const wanted = cell.seen !== 'absent' && may(cell.who, 'pull', { seen: cell.seen, level: 'container' })
      if (shown !== wanted) throw new Error(`search ${shown ? 'shows' : 'hides'} the image`)
    },
  },
  'entities.get': pulls('entity', ({ entity }) => ['GET', `/v1/entities/${entity}`]),
  'collections.get': pulls('collection', ({ entity }) => ['GET', `/v1/collections/${entity}/c`]),
  'containers.get': pulls('container', ({ entity }) => ['GET', `/v1/containers/${entity}/c/n`]),
  'entities.create': {
    kind: 'asked',
    action: 'push',
    level: 'entity',
    parent: 'none',
    ok: [200, 201],
    request: ({ entity, seen }) => ['POST', '/v1/entities', { body: { name: seen === 'absent' ? 'fresh' : entity } }],
  },
  'collections.create': {
    kind: 'asked',
    action: 'push',
    level: 'collection',
    parent: 'entity',
    ok: [201],
    request: ({ ids, number }) => ['POST', '/v1/collections', { body: { name: `new${number}`, entity: ids.entityId } }],
  },
  'containers.create': {
    kind: 'asked',
    action: 'push',
    level: 'container',
    parent: 'collection',
    ok: [200],
    // the one that is there: the scoped token is good for its path only
    request: ({ ids }) => ['POST', '/v1/containers', { body: { name: 'n', collection: ids.collectionId } }],
  },
  'images.get': pulls('container', async (cell) => [
    'GET',
    `/v1/images/${cell.path}:${(await published(cell)).tag}?arch=amd64`,
  ]),
  'images.pull': pulls(
    'container',
    async (cell) => ['GET', `/v1/imagefile/${cell.path}:${(await published(cell)).hash}`],
    303,
  ),
  'images.create': pushes(
    ({ ids, bytes }) => ['POST', '/v1/images', { body: { hash: hashOf(bytes), container: ids.containerId } }],
    [201],
  ),
  'images.delete': {
    kind: 'asked',
    action: 'delete',
    level: 'container',
    ok: [200],
    request: async (cell) => ['DELETE', `/v1/images/${cell.path}:${(await published(cell)).tag}?arch=amd64`],
  },
  'uploads.direct': pushes(async (cell) => ['POST', `/v1/imagefile/${await pending(cell)}`, { body: cell.bytes }]),
  'uploads.startSingle': pushes(async (cell) => [
    'POST',
    `/v2/imagefile/${await pending(cell)}`,
    { body: { filesize: cell.bytes.length } },
  ]),
  'uploads.completeSingle': pushes(async (cell) => {
    const id = await pending(cell)
    if (cell.seen !== 'absent') {
      const token = (cell.pushes ? cell.token : undefined) ?? cell.admin
      const start = await cell.registry.call('POST', `/v2/imagefile/${id}`, {
        token,
        body: { filesize: cell.bytes.length },
      })
      expectStatus(await cell.registry.call('PUT', start.json.data.uploadURL, { body: cell.bytes }), 200)
    }
    return ['PUT', `/v2/imagefile/${id}/_complete`, { body: {} }]
  }),
  'uploads.startMultipart': pushes(async (cell) => [
    'POST',
    `/v2/imagefile/${await pending(cell)}/_multipart`,
    { body: { filesize: cell.bytes.length } },
  ]),
  'uploads.presignPart': pushes(async (cell) => {
    const { id, uploadID } = await upload(cell)
    return [
      'PUT',
      `/v2/imagefile/${id}/_multipart`,
      { body: { uploadID, partNumber: 1, partSize: cell.bytes.length, sha256sum: '' } },
    ]
  }),
  'uploads.completeMultipart': pushes(async (cell) => {
    const { id, uploadID, part } = await upload(cell)
    const token = await part(cell.token ?? '')
    return [
      'PUT',
      `/v2/imagefile/${id}/_multipart_complete`,
      { body: { uploadID, completedParts: [{ partNumber: 1, token }] } },
    ]
  }),
  'uploads.abort': pushes(async (cell) => {
    const { id, uploadID } = await upload(cell)
    return ['PUT', `/v2/imagefile/${id}/_multipart_abort`, { body: { uploadID } }]
  }),
  'tags.getV1': pulls('container', ({ ids }) => ['GET', `/v1/tags/${ids.containerId}`]),
  'tags.getV2': pulls('container', ({ ids }) => ['GET', `/v2/tags/${ids.containerId}`]),
  'tags.setV1': pushes(async (cell) => [
    'POST',
    `/v1/tags/${cell.ids.containerId}`,
    { body: { Tag: 'v1', ImageID: (await published(cell)).id } },
  ]),
  'tags.setV2': pushes(async (cell) => [
    'POST',
    `/v2/tags/${cell.ids.containerId}`,
    { body: { Tag: 'v1', Arch: 'amd64', ImageID: (await published(cell)).id } },
  ]),
}

// ---------------------------------------------------------------- the cells

let registry: TestRegistry
let tokens: Readonly<Record<Who, string | undefined>>
/** Headers of those who ask by a cookie. */
let cookies: Partial<Record<Who, Readonly<Record<string, string>>>>
const ids = new Map<Seen, Cell['ids']>([['absent', { entityId: noId, collectionId: noId, containerId: noId }]])
let cells = 0

beforeAll(async () => {
  const policy = ownerPolicy({ authenticate: (request) => registry.library.accounts.authenticate(request) })
  registry = await createTestRegistry({
    library: {
      auth: {
        ...policy,
        // a host's own rule on top: one person reads everything, another one works everywhere
        authorize: (question) =>
          (question.principal?.name === 'rita' && question.action === 'pull') ||
          question.principal?.name === 'will' ||
          policy.authorize(question),
        visible: (question) =>
          ['rita', 'will'].includes(question.principal?.name ?? '') ? 'all' : policy.visible(question),
      },
    },
  })
  const { accounts, visibility } = registry.library
  for (const name of ['rita', 'will']) await accounts.addUser({ name })
  await accounts.addUser({ name: 'gina', groups: ['pub', 'priv', 'none', 'fresh'] })
  const issue = async (user: string, options: object = {}): Promise<string> =>
    (await accounts.createToken({ user, ...options })).token
  const revoked = await accounts.createToken({ user: 'will' })
  expect(await accounts.revokeToken(revoked.info.id)).toBe(true)
  const cookieOf = async (token: string): Promise<string> =>
    `sif_library_session=${(await accounts.createSession({ token })).session}`
  const members = ['reader', 'writer', 'maintainer'] as const
  for (const role of members) await accounts.addUser({ name: `member-${role}` })
  const session = await cookieOf(await issue('will'))
  cookies = {
    session: { cookie: session, ...sameOrigin },
    'session that is over': {
      cookie: await cookieOf(await issue('will', { expiresAt: new Date(registry.now() + 1000) })),
      ...sameOrigin,
    },
    'session that the page of another site uses': { cookie: session, ...crossSite },
  }
  registry.advance(2000)
  tokens = {
    'member who reads': await issue('member-reader'),
    'member who writes': await issue('member-writer'),
    'member who maintains': await issue('member-maintainer'),
    // for what must be there before: the request itself has their cookie
    session: await issue('will'),
    'session that is over': undefined,
    'session that the page of another site uses': await issue('will'),
    anonymous: undefined,
    'bad token': 'sif_nonsense',
    'revoked token': revoked.token,
    'expired token': await issue('will', { expiresAt: new Date(registry.now() - 1000) }),
    stranger: registry.tokens.mallory,
    reader: await issue('rita'),
    writer: await issue('will'),
    'group member': await issue('gina'),
    admin: registry.tokens.admin,
    'token scoped to pull': await issue('will', { scopes: ['pull'] }),
    'token scoped to another path': await issue('will', { scopes: ['push:other/c', 'delete:other/c', 'pull:other'] }),
    'token scoped to push on this path': await issue('will', {
      scopes: Object.values(entityOf).map((entity) => `push:${entity}/c/n`),
    }),
  }
  for (const seen of ['public', 'private'] as const)
    ids.set(seen, await makeContainer(registry, `${entityOf[seen]}/c/n`, 'admin'))
  for (const role of members)
    for (const entity of ['pub', 'priv']) await accounts.members.set({ entity, user: `member-${role}`, role })
  await visibility('priv', 'private')
  await visibility('priv/c', 'private')
})
afterAll(() => registry.close())

async function judge(name: string, who: Who, seen: Seen): Promise<string | undefined> {
  cells += 1
  const entry = table[name] as Entry
  const cell: Cell = {
    registry,
    who,
    seen,
    number: cells,
    admin: registry.tokens.admin,
    token: tokens[who],
    entity: entityOf[seen],
    path: `${entityOf[seen]}/c/n`,
    ids: ids.get(seen) as Cell['ids'],
    bytes: Buffer.from(`bytes of cell ${cells}`),
    pushes: !badCredentials.includes(who) && may(who, 'push', { seen, level: 'container' }),
  }
  const [method, path, options = {}] = await entry.request(cell)
  const answer = await registry.call(method, path, {
    ...options,
    ...(cookies[who] !== undefined && { headers: { ...options.headers, ...cookies[who] } }),
    ...(cell.token === undefined || cookies[who] !== undefined ? {} : { token: cell.token }),
  })
  const wanted = expected(entry, { who, seen, method })
  const label = `${who}, ${seen}: ${answer.status} instead of ${wanted.join(' or ')} ${answer.text.slice(0, 120)}`
  if (!wanted.includes(answer.status)) return label
  if (answer.status >= 400 && answer.json.error?.code !== answer.status) return `${label}: no envelope`
  if (answer.status === 401 && answer.headers['www-authenticate'] === undefined) return `${label}: no www-authenticate`
  if (entry.kind === 'filtered' && answer.status === 200) {
    try {
      entry.check(cell, answer)
    } catch (error) {
      return `${label}: ${error}`
    }
  }
  return undefined
}

test('every row has an entry, and every entry a row of the same method and kind of access', () => {
  expect(Object.keys(table).sort()).toEqual(routes.map(({ name }) => name).sort())
  for (const row of routes) {
    const entry = table[row.name] as Entry
    const asked =
      typeof row.access === 'string' ? row.access : 'asks' in row.access ? row.access.asks : row.access.action
    expect([row.name, asked]).toEqual([row.name, entry.kind === 'asked' ? entry.action : entry.kind])
  }
})

describe('each row, for each principal, on what is public, private and absent', () => {
  test.each(routes.map(({ name }) => name))('%s', async (name) => {
    const wrong: string[] = []
    for (const who of principals) {
      for (const seen of visibilities) {
        const fault = await judge(name, who, seen)
        if (fault !== undefined) wrong.push(fault)
      }
    }
    expect(wrong).toEqual([])
  })
})

test('no cell was left out', () => {
  expect(principals).toHaveLength(18)
  expect(cells).toBe(routes.length * principals.length * visibilities.length)
})
