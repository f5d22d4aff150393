/** The table of answers: 401, 403 or 404 (architecture: denied and invisible = 404, denied and visible = 403, anonymous and a token would help = 401). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { authorize } from '../../../src/core/auth/access.js'
import { type Action, actions, ownerPolicy } from '../../../src/core/auth/policy.js'
import { registryResource } from '../../../src/core/auth/resources.js'
import type { LibraryError } from '../../../src/core/http/errors.js'
import type { LibraryRequest } from '../../../src/core/http/messages.js'
import { hashOf, makeImage, type Pushed, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
let open: Pushed
let hidden: Pushed
let pending: string
const unknown = 'f'.repeat(24)
const bytes = Buffer.from('bytes of the image')

beforeAll(async () => {
  registry = await createTestRegistry()
  open = await push(registry, 'alice/open/n', bytes)
  hidden = await push(registry, 'alice/hidden/n', Buffer.from('secret bytes'))
  pending = (await makeImage(registry, { path: 'alice/open/n', hash: hashOf(Buffer.from('not sent')) })).imageId
  await registry.library.visibility('alice/hidden', 'private')
})
afterAll(() => registry.close())

type Who = 'anonymous' | 'alice' | 'mallory' | 'admin'
const callers: readonly Who[] = ['anonymous', 'alice', 'mallory', 'admin']

async function ask(who: Who, [method, path, body]: readonly [string, string, object?]): Promise<number> {
  const answer = await registry.call(method, path, {
    ...(who === 'anonymous' ? {} : { token: who }),
    ...(body && { body }),
  })
  return answer.status
}

/** anonymous, owner, stranger, admin. */
type Row = readonly [name: string, request: () => readonly [string, string, object?], statuses: readonly number[]]

const rows: readonly Row[] = [
  ['GET public entity', () => ['GET', '/v1/entities/alice'], [200, 200, 200, 200]],
  ['GET absent entity', () => ['GET', '/v1/entities/nobody'], [404, 404, 404, 404]],
  ['GET public collection', () => ['GET', '/v1/collections/alice/open'], [200, 200, 200, 200]],
  ['GET hidden collection', () => ['GET', '/v1/collections/alice/hidden'], [404, 200, 404, 200]],
  ['GET absent collection', () => ['GET', '/v1/collections/alice/nothing'], [404, 404, 404, 404]],
  ['GET hidden container', () => ['GET', '/v1/containers/alice/hidden/n'], [404, 200, 404, 200]],
  ['GET public image', () => ['GET', '/v1/images/alice/open/n:latest'], [200, 200, 200, 200]],
  ['GET hidden image', () => ['GET', '/v1/images/alice/hidden/n:latest'], [404, 200, 404, 200]],
  ['GET hidden image by hash', () => ['GET', `/v1/images/alice/hidden/n:${hidden.hash}`], [404, 200, 404, 200]],
  [
    'GET pending image',
    () => ['GET', `/v1/images/alice/open/n:${hashOf(Buffer.from('not sent'))}`],
    [404, 200, 404, 200],
  ],
  [
    'pull pending image',
    () => ['GET', `/v1/imagefile/alice/open/n:${hashOf(Buffer.from('not sent'))}`],
    [404, 404, 404, 404],
  ],
  ['pull public image', () => ['GET', '/v1/imagefile/alice/open/n:latest'], [303, 303, 303, 303]],
  ['pull hidden image', () => ['GET', '/v1/imagefile/alice/hidden/n:latest'], [404, 303, 404, 303]],
  ['pull absent tag', () => ['GET', '/v1/imagefile/alice/open/n:none'], [404, 404, 404, 404]],
  ['GET tags', () => ['GET', `/v2/tags/${open.containerId}`], [200, 200, 200, 200]],
  ['GET hidden tags', () => ['GET', `/v2/tags/${hidden.containerId}`], [404, 200, 404, 200]],
  ['GET tags of an unknown id', () => ['GET', `/v2/tags/${unknown}`], [404, 404, 404, 404]],
  ['GET tags of no id', () => ['GET', '/v1/tags/nonsense'], [404, 404, 404, 404]],
  ['POST entity that exists', () => ['POST', '/v1/entities', { name: 'alice' }], [401, 200, 403, 200]],
  ['POST new entity of another', () => ['POST', '/v1/entities', { name: 'carol' }], [401, 403, 403, 201]],
  ['POST collection', () => ['POST', '/v1/collections', { name: 'open', entity: open.entityId }], [401, 200, 403, 200]],
  [
    'POST collection in an unknown entity',
    () => ['POST', '/v1/collections', { name: 'open', entity: unknown }],
    [401, 404, 404, 404],
  ],
  [
    'POST container in a hidden collection',
    () => ['POST', '/v1/containers', { name: 'n', collection: hidden.collectionId }],
    [401, 200, 404, 200],
  ],
  ['POST image', () => ['POST', '/v1/images', { hash: open.hash, container: open.containerId }], [401, 200, 403, 200]],
  [
    'POST image in a hidden container',
    () => ['POST', '/v1/images', { hash: open.hash, container: hidden.containerId }],
    [401, 201, 404, 200],
  ],
  ['start an upload', () => ['POST', `/v2/imagefile/${pending}`, { filesize: 5 }], [401, 200, 403, 200]],
  [
    'start an upload of a hidden image',
    () => ['POST', `/v2/imagefile/${hidden.imageId}`, { filesize: 5 }],
    [401, 200, 404, 200],
  ],
  [
    'start an upload of an unknown image',
    () => ['POST', `/v2/imagefile/${unknown}`, { filesize: 5 }],
    [401, 404, 404, 404],
  ],
  [
    'start a multipart upload',
    () => ['POST', `/v2/imagefile/${pending}/_multipart`, { filesize: 5 }],
    [401, 200, 403, 200],
  ],
  ['complete', () => ['PUT', `/v2/imagefile/${pending}/_complete`, {}], [401, 409, 403, 409]],
  [
    'set a tag',
    () => ['POST', `/v2/tags/${open.containerId}`, { Arch: 'amd64', Tag: 'x', ImageID: open.imageId }],
    [401, 200, 403, 200],
  ],
  [
    'set a tag of a hidden container',
    () => ['POST', `/v1/tags/${hidden.containerId}`, { Tag: 'x', ImageID: hidden.imageId }],
    [401, 200, 404, 200],
  ],
  ['delete without saying what', () => ['DELETE', '/v1/images/alice/open/n'], [400, 400, 400, 400]],
  ['delete an absent tag', () => ['DELETE', '/v1/images/alice/open/n:none'], [401, 404, 404, 404]],
  ['delete a hidden image', () => ['DELETE', '/v1/images/alice/hidden/n:none'], [401, 404, 404, 404]],
]

it.each(rows)('%s', async (_, request, statuses) => {
  const found: number[] = []
  for (const who of callers) found.push(await ask(who, request()))
  expect(found).toEqual(statuses)
})

describe('a row that names no place', () => {
  const ask = async (who: Who, action: Action): Promise<string> => {
    const { accounts } = registry.library
    const request: LibraryRequest = {
      method: 'GET',
      path: '/',
      query: '',
      headers: who === 'anonymous' ? {} : { authorization: `Bearer ${registry.tokens[who]}` },
      body: { kind: 'none' },
    }
    const question = { auth: ownerPolicy(accounts), principal: await accounts.authenticate(request), request }
    return authorize(question, action, { resource: registryResource, record: 'ok' }).catch(
      (error: LibraryError) => `${error.status} ${error.message}`,
    )
  }

  it('is for admins alone, and hides nothing by saying no', async () => {
    for (const action of actions) {
      expect(await ask('admin', action)).toBe('ok')
      expect(await ask('alice', action)).toBe(`403 alice may not ${action} the registry`)
      expect(await ask('anonymous', action)).toBe(`401 log in to ${action} the registry`)
    }
  })
})

describe('a stranger to a hidden thing', () => {
  it('reads the same answer as for an absent one, but for the name that was asked for', async () => {
    const compare = async (method: string, there: string, absent: string, body?: object): Promise<void> => {
      for (const token of [undefined, 'mallory'] as const) {
        const options = { ...(token && { token }), ...(body && { body }) }
        const [one, two] = [await registry.call(method, there, options), await registry.call(method, absent, options)]
        const { 'x-request-id': _, 'content-length': __, ...headers } = one.headers
        expect(two).toMatchObject({ status: one.status, headers })
        expect(two.text.replaceAll('nowhere', 'hidden').replaceAll(unknown, '')).toBe(one.text)
      }
    }
    await compare('GET', '/v1/collections/alice/hidden', '/v1/collections/alice/nowhere')
    await compare('GET', '/v1/containers/alice/hidden/n', '/v1/containers/alice/nowhere/n')
    await compare('GET', '/v1/images/alice/hidden/n:latest', '/v1/images/alice/nowhere/n:latest')
    await compare('GET', '/v1/imagefile/alice/hidden/n:latest', '/v1/imagefile/alice/nowhere/n:latest')
    await compare('DELETE', '/v1/images/alice/hidden/n:latest', '/v1/images/alice/nowhere/n:latest')
    await compare('GET', `/v2/tags/${hidden.containerId}`, `/v2/tags/${unknown}`)
    await compare('POST', `/v2/tags/${hidden.containerId}`, `/v2/tags/${unknown}`, {
      Arch: 'amd64',
      Tag: 'x',
      ImageID: hidden.imageId,
    })
    await compare('POST', `/v2/imagefile/${hidden.imageId}`, `/v2/imagefile/${unknown}`, { filesize: 5 })
    await compare('PUT', `/v2/imagefile/${hidden.imageId}/_complete`, `/v2/imagefile/${unknown}/_complete`, {})
  })

  it('gets a 401 with the scheme, and never the path of what an id stands for', async () => {
    const answer = await registry.call('POST', `/v2/imagefile/${hidden.imageId}`, { body: { filesize: 5 } })
    expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } })
    expect(answer.text).not.toContain('alice')
  })
})

describe('the credentials', () => {
  it('that are bad are 401 where somebody is asked, and nothing where nobody is', async () => {
    expect((await registry.call('GET', '/v1/images/alice/open/n:latest', { token: 'x'.repeat(204) })).status).toBe(401)
    expect((await registry.call('GET', '/v1/search?value=alice', { token: 'x'.repeat(204) })).status).toBe(401)
    expect((await registry.call('GET', '/version', { token: 'x'.repeat(204) })).status).toBe(200)
  })

  it('of a limited scope are judged as anonymous outside of it, with 403 that says why', async () => {
    const { token } = await registry.library.accounts.createToken({
      user: 'alice',
      scopes: ['pull:alice/hidden', 'push:alice/open'],
    })
    expect((await registry.call('GET', '/v1/containers/alice/hidden/n', { token })).status).toBe(200)
    const tag = { Arch: 'amd64', Tag: 'scoped', ImageID: hidden.imageId }
    const denied = await registry.call('POST', `/v2/tags/${hidden.containerId}`, { token, body: tag })
    expect(denied).toMatchObject({ status: 403 })
    expect(denied.json.error.message).toContain('token')
    expect(
      (await registry.call('POST', `/v2/tags/${open.containerId}`, { token, body: { ...tag, ImageID: open.imageId } }))
        .status,
    ).toBe(200)
    const readOnly = await registry.library.accounts.createToken({ user: 'alice', scopes: ['pull'] })
    expect((await registry.call('DELETE', '/v1/images/alice/open/n:scoped', { token: readOnly.token })).status).toBe(
      403,
    )
  })

  it('are asked before a byte of the body is read', async () => {
    let read = 0
    const stream = (async function* () {
      read += 1
      yield Buffer.from('{"name":"alice"}')
    })()
    const request = { body: { kind: 'stream', stream } } as const
    expect((await registry.call('POST', '/v1/entities', { token: 'bad', request })).status).toBe(401)
    expect((await registry.call('POST', `/v1/imagefile/${open.imageId}`, { token: 'mallory', request })).status).toBe(
      403,
    )
    expect(read).toBe(0)
  })
})
