/** The rows of the API as HTTP: envelopes, pages, conditions, caches, refusals. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bytesOf, type ControlWorld, createControlWorld } from '../../core/control/support.js'
import { expectStatus, sha256 } from '../../support/push.js'

let world: ControlWorld
const bwa = '/api/v1/containers/alice/tools/bwa'
const one = sha256(bytesOf('one'))
const two = sha256(bytesOf('two'))

beforeAll(async () => {
  world = await createControlWorld()
  await world.push('alice/tools/bwa', 'one', ['1.0', 'latest'])
  await world.push('alice/tools/bwa', 'two', ['2.0'])
  await world.push('bob/tools/samtools', 'three')
})
afterAll(() => world.close())

const get = (path: string, token?: string, headers = {}) =>
  world.call('GET', `/api/v1${path}`, { ...(token !== undefined && { token }), headers })

describe('lists', () => {
  test('are pages, and the Link of each leads to the next one', async () => {
    const first = expectStatus(await get('/containers?limit=1&sort=name'), 200)
    expect(first.json.data.map((each: { path: string }) => each.path)).toEqual(['alice/tools/bwa'])
    expect(first.headers['cache-control']).toBe('private, no-cache')
    const link = /^<([^>]+)>; rel="next"$/.exec(first.headers.link ?? '')?.[1] ?? ''
    expect(link).toMatch(/^https:\/\/reg\.example\/library\/api\/v1\/containers\?/)
    const second = expectStatus(await world.call('GET', link), 200)
    expect(second.json.data.map((each: { path: string }) => each.path)).toEqual(['bob/tools/samtools'])
    expect(second.json.next).toBeNull()
    expect(second.headers.link).toBeUndefined()
  })

  test('refuse a parameter that there is not, and name the nearest', async () => {
    const answer = expectStatus(await get('/containers?entty=alice'), 400)
    expect(answer.json.error).toMatchObject({
      code: 400,
      reason: 'invalid-request',
      field: 'entty',
      message: expect.stringContaining('entity'),
      requestId: answer.headers['x-request-id'],
    })
  })

  test.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=', 'limit'],
    ['sort=size', 'sort'],
    ['cursor=made-up', 'cursor'],
    ['signed=maybe', 'signed'],
    ['with=everything', 'with'],
    ['collection=tools', 'collection'],
    ['entity=No', undefined],
  ])('refuse %s', async (query, field) => {
    const answer = expectStatus(await get(`/containers?${query}`), 400)
    expect(answer.json.error.field).toBe(field)
  })

  test('a cursor is good for its own query of its own person', async () => {
    const { next } = (await get('/containers?limit=1&sort=name')).json
    expectStatus(await get(`/containers?limit=1&sort=name&cursor=${next}`), 200)
    expectStatus(await get(`/containers?limit=1&sort=-pulls&cursor=${next}`), 400)
    expectStatus(await get(`/containers?limit=1&sort=name&cursor=${next}`, 'alice'), 400)
    expectStatus(await get(`/collections?limit=1&sort=name&cursor=${next}`), 400)
  })
})

describe('one object', () => {
  test('has an ETag that is asked for again', async () => {
    const first = expectStatus(await get('/containers/alice/tools/bwa'), 200)
    const { etag = '' } = first.headers
    expect(etag).toMatch(/^"[0-9a-z]+\.[\w-]{16}"$/)
    const again = expectStatus(await get('/containers/alice/tools/bwa', undefined, { 'if-none-match': etag }), 304)
    expect(again.text).toBe('')
    expect(again.headers.etag).toBe(etag)
  })

  test('is changed only as it was seen', async () => {
    const { etag = '' } = (await get('/containers/alice/tools/bwa')).headers
    const patch = (description: string, headers: Record<string, string>) =>
      world.call('PATCH', bwa, { token: 'alice', body: { description }, headers })
    expect(expectStatus(await patch('first', { 'if-match': etag }), 200).json.data.description).toBe('first')
    const late = expectStatus(await patch('second', { 'if-match': etag }), 412)
    expect(late.json.error).toMatchObject({ reason: 'precondition-failed', current: { description: 'first' } })
    expectStatus(await patch('x', { 'if-match': 'no etag' }), 400)
    expectStatus(await patch('third', {}), 200)
  })

  test('says what may be done to it', async () => {
    expect((await get('/containers/alice/tools/bwa?with=can', 'alice')).json.data.can).toEqual([
      'pull',
      'push',
      'delete',
      'manage',
    ])
    expect((await get('/containers/alice/tools/bwa?with=can')).json.data.can).toEqual(['pull'])
  })

  test('hidden and absent have the same answer', async () => {
    await world.push('alice/secret/thing', 'hidden')
    await world.library.visibility('alice/secret', 'private')
    const hidden = expectStatus(await get('/containers/alice/secret/thing', 'mallory'), 404).json.error
    const absent = expectStatus(await get('/containers/alice/secret/other', 'mallory'), 404).json.error
    expect(hidden.message.replace('thing', 'other')).toBe(absent.message)
    expect((await get('/containers?q=secret', 'mallory')).json.data).toEqual([])
    expect((await get('/containers?q=secret', 'alice')).json.data).toHaveLength(1)
    expect((await get('/stats')).json.data.containers).toBe(2)
  })
})

describe('tags', () => {
  const tag = `${bwa}/tags/latest`
  const put = (digest: string, headers: Record<string, string> = {}) =>
    world.call('PUT', tag, { token: 'alice', body: { digest }, headers })

  test('move with the digest that was seen, and go back', async () => {
    const seen = expectStatus(await get('/containers/alice/tools/bwa/tags/latest'), 200)
    expect(seen.headers.etag).toBe(`"${one}"`)
    expect(expectStatus(await put(two, { 'if-match': `"${one}"` }), 200).headers.etag).toBe(`"${two}"`)
    const late = expectStatus(await put(two, { 'if-match': `"${one}"` }), 412)
    expect(late.json.error.current).toMatchObject({ digest: two, tag: 'latest', arch: 'amd64' })
    expectStatus(await put(one, { 'if-none-match': '*' }), 412)
    expectStatus(await put(one), 200)
    const { data } = expectStatus(await get('/containers/alice/tools/bwa/history?tag=latest'), 200).json
    expect(data.map(({ digest, previous, via }: Record<string, string>) => [digest, previous, via])).toEqual([
      [one, two, 'rollback'],
      [two, one, 'api'],
      [one, null, expect.stringMatching(/push|api/)],
    ])
  })

  test('are removed alone: the image stays, as an untagged one', async () => {
    expectStatus(await put(two), 200)
    expectStatus(
      await world.call('PUT', `${bwa}/tags/gone`, { token: 'alice', body: { digest: `sha256:${one}` } }),
      200,
    )
    expectStatus(await world.call('DELETE', `${bwa}/tags/1.0`, { token: 'alice' }), 204)
    expectStatus(
      await world.call('DELETE', `${bwa}/tags/gone`, { token: 'alice', headers: { 'if-match': `"${two}"` } }),
      412,
    )
    expectStatus(
      await world.call('DELETE', `${bwa}/tags/gone`, { token: 'alice', headers: { 'if-match': `"${one}"` } }),
      204,
    )
    expectStatus(await world.call('DELETE', `${bwa}/tags/gone`, { token: 'alice' }), 404)
    const untagged = expectStatus(await get('/containers/alice/tools/bwa/images?untagged=true'), 200).json.data
    expect(untagged.map((image: { digest: string }) => image.digest)).toEqual([one])
    expectStatus(await put(one), 200)
  })
})

test('an image is found, handed out, described and deleted', async () => {
  const path = `/images/alice/tools/bwa/sha256:${two}`
  expect(expectStatus(await get(path), 200).json.data).toMatchObject({
    digest: two,
    hash: `sha256.${two}`,
    state: 'published',
    size: bytesOf('two').length,
    tags: [{ tag: '2.0', arch: 'amd64' }],
  })
  const answer = expectStatus(await get(`${path}/download`), 303)
  const bytes = expectStatus(await world.call('GET', answer.headers.location ?? ''), 200)
  expect(bytes.bytes).toEqual(bytesOf('two'))
  expect(bytes.headers['content-disposition']).toContain('bwa_2.0_amd64.sif')
  const described = await world.call('PATCH', `/api/v1${path}`, { token: 'alice', body: { description: 'the second' } })
  expect(expectStatus(described, 200).json.data.description).toBe('the second')
  const preview = expectStatus(await world.call('DELETE', `/api/v1${path}?preview`, { token: 'alice' }), 200)
  expect(preview.json.data).toMatchObject({ images: 1, tags: 1, bytes: bytesOf('two').length })
  expectStatus(await get(path), 200)
  expectStatus(await world.call('DELETE', `/api/v1${path}`, { token: 'alice' }), 204)
  expectStatus(await get(path), 404)
})

test('a container is made with its parents, and goes with everything in it', async () => {
  const create = () =>
    world.call('POST', '/api/v1/containers', { token: 'alice', body: { path: 'alice/new/one', private: true } })
  const made = expectStatus(await create(), 201)
  expect(made.headers.location).toBe('https://reg.example/library/api/v1/containers/alice/new/one')
  expect(made.json.data).toMatchObject({ path: 'alice/new/one', private: true, created: true, latest: null })
  expect(expectStatus(await create(), 200).json.data.created).toBe(false)
  await world.push('alice/new/one', 'four')
  expectStatus(await world.call('DELETE', '/api/v1/collections/alice/new', { token: 'alice' }), 409)
  expectStatus(await world.call('DELETE', '/api/v1/containers/alice/new/one', { token: 'alice' }), 204)
  expectStatus(await get('/containers/alice/new/one', 'alice'), 404)
  expectStatus(await world.call('DELETE', '/api/v1/collections/alice/new', { token: 'alice' }), 204)
  expectStatus(await world.call('POST', '/api/v1/containers', { body: { path: 'alice/x/y' } }), 401)
  expectStatus(await world.call('POST', '/api/v1/containers', { token: 'bob', body: { path: 'alice/x/y' } }), 403)
})

test('tokens are made once, listed without their secret, and revoked', async () => {
  const made = expectStatus(
    await world.call('POST', '/api/v1/tokens', { token: 'alice', body: { label: 'ci', scopes: ['pull'] } }),
    201,
  ).json.data
  expect(made.token).toMatch(/^sif_/)
  const mine = expectStatus(await get('/tokens', 'alice'), 200)
  expect(mine.headers['cache-control']).toBe('no-store')
  expect(mine.text).not.toContain(made.token)
  expect(mine.json.data.find((each: { id: string }) => each.id === made.id)).toMatchObject({ label: 'ci' })
  // a token makes none that can do more
  expectStatus(await world.call('POST', '/api/v1/tokens', { token: made.token, body: {} }), 403)
  expectStatus(await world.call('POST', '/api/v1/tokens', { token: made.token, body: { scopes: ['push'] } }), 403)
  expectStatus(await world.call('DELETE', `/api/v1/tokens/${made.id}`, { token: 'bob' }), 404)
  // a token of limited scope sees and revokes itself alone
  const other = expectStatus(
    await world.call('POST', '/api/v1/tokens', { token: 'alice', body: { label: 'other' } }),
    201,
  ).json.data
  const seen = expectStatus(await world.call('GET', '/api/v1/tokens', { token: made.token }), 200).json.data
  expect(seen.map(({ id }: { id: string }) => id)).toEqual([made.id])
  expectStatus(await world.call('DELETE', `/api/v1/tokens/${other.id}`, { token: made.token }), 404)
  expectStatus(await world.call('DELETE', `/api/v1/tokens/${other.id}`, { token: 'alice' }), 204)
  expectStatus(await get('/tokens?user=alice', 'bob'), 403)
  expectStatus(await get('/tokens?user=alice', 'admin'), 200)
  expectStatus(await get('/tokens'), 401)
  expectStatus(await world.call('DELETE', `/api/v1/tokens/${made.id}`, { token: 'alice' }), 204)
  expectStatus(await get('/session', made.token), 401)
})

test('who asks, their spaces, search, usage, pulls and activity', async () => {
  expect((await get('/session')).json.data).toMatchObject({ principal: null, can: [] })
  expect((await get('/session', 'admin')).json.data).toMatchObject({ principal: { name: 'admin', admin: true } })
  const spaces = expectStatus(await get('/spaces', 'bob'), 200).json.data
  expect(spaces.map((each: { name: string }) => each.name)).toEqual(['bob', 'lab'])
  expect((await get('/search?q=samt')).json.data.containers).toMatchObject([{ path: 'bob/tools/samtools' }])
  const usage = expectStatus(await get('/usage?under=alice', 'alice'), 200).json.data
  expect(usage.children.map((each: { path: string }) => each.path)).toContain('alice/tools')
  expectStatus(await get('/usage?under=alice', 'bob'), 403)
  expectStatus(await get('/usage', 'alice'), 403)
  expectStatus(await get('/usage', 'admin'), 200)
  expect(expectStatus(await get('/usage/history?under=alice', 'alice'), 200).json.data).toHaveLength(30)
  expect(expectStatus(await get('/pulls?under=alice/tools/bwa&step=month'), 200).json.data.length).toBeGreaterThan(0)
  expectStatus(await get('/events?entity=alice', 'bob'), 403)
  expectStatus(await get('/events', 'alice'), 403)
  const events = expectStatus(await get('/events?entity=alice', 'alice'), 200).json.data
  expect(events.find((event: { action: string }) => event.action === 'container.deleted')).toMatchObject({
    actor: { name: 'alice', via: 'token' },
    path: 'alice/new/one',
  })
})

test('an upload in parts ends as an image with its tags', async () => {
  const bytes = bytesOf('an upload')
  const digest = sha256(bytes)
  const start = () =>
    world.call('POST', '/api/v1/uploads', {
      token: 'alice',
      body: { path: 'alice/up/load', digest, size: bytes.length, tags: ['v1', 'latest'] },
    })
  const started = expectStatus(await start(), 201)
  const { id } = started.json.data
  const row = `/api/v1/uploads/${id}`
  expect(started.headers.location).toBe(`https://reg.example/library${row}`)
  expect((await get('/uploads', 'alice')).json.data).toMatchObject([
    { id, path: 'alice/up/load', tags: ['v1', 'latest'] },
  ])
  expectStatus(await world.call('GET', row, { token: 'bob' }), 404)
  expectStatus(await world.call('POST', `${row}/complete`, { token: 'alice' }), 409)
  const parts = expectStatus(
    await world.call('POST', `${row}/parts`, { token: 'alice', body: { parts: [{ number: 1, sha256: digest }] } }),
    200,
  ).json.data
  expectStatus(await world.call('PUT', parts[0].url, { body: bytes }), 200)
  expect((await get(`/uploads/${id}`, 'alice')).json.data.parts).toEqual([{ number: 1, size: bytes.length }])
  const complete = () => world.call('POST', `${row}/complete`, { token: 'alice' })
  expect(expectStatus(await complete(), 200).json.data).toMatchObject({ state: 'completed', image: { digest } })
  expect((await get('/containers/alice/up/load/tags')).json.data.map((tag: { tag: string }) => tag.tag)).toEqual([
    'latest',
    'v1',
  ])
  // a repeat answers as the first time, and moves no tag again
  const other = await world.push('alice/up/load', 'another one', ['v1'])
  expectStatus(await complete(), 200)
  expect((await get('/containers/alice/up/load/tags/v1')).json.data.hash).toBe(other.hash)
  expect(expectStatus(await start(), 200).json.data.state).toBe('present')
})
