/** What a stranger can tell of what is hidden from them, by the shape of answers. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ownerPolicy } from '../../src/core/auth/policy.js'
import { createCursors } from '../../src/core/images/cursors.js'
import { createWorld, expectRefusal, expectStatus, someBytes, type World } from './support.js'

let world: World
let alice: string
let mallory: string
beforeEach(async () => {
  world = await createWorld()
  alice = world.tokens.alice as string
  mallory = world.tokens.mallory as string
})
afterEach(() => world.close())

const search = (query: string, token?: string) => world.call('GET', `/v1/search?${query}`, { token })
const nextOf = async (query: string, token?: string): Promise<string> =>
  expectStatus(await search(query, token), 200).json.page.next

/** Two images of mallory with `hidden` of alice's between them. */
async function interleave(hidden: number): Promise<void> {
  await world.push(mallory, 'mallory/x/needle0', someBytes())
  for (let index = 0; index < hidden; index += 1) await world.push(alice, `alice/secret/needle${index}`, someBytes())
  if (hidden > 0) await world.library.visibility('alice/secret', 'private')
  for (const index of [1, 2]) await world.push(mallory, `mallory/x/needle${index}`, someBytes())
}

describe('cursors of a search', () => {
  test('hold no row number: neither in clear, nor by their length, nor by what changes in them', async () => {
    await interleave(12)
    const cursors = await Promise.all(Array.from({ length: 8 }, () => nextOf('value=needle&pageSize=1', mallory)))
    // a cursor of one and the same page is another one each time, so nothing can be compared
    expect(new Set(cursors).size).toBe(8)
    const second = await nextOf(`value=needle&pageSize=1&page=${cursors[0]}`, mallory)
    expect(new Set([...cursors, second].map(({ length }) => length)).size).toBe(1)
    for (const cursor of [...cursors, second]) expect(cursor).toMatch(/^[\w-]{80}$/)
    // what it leads to is right all the same: two pages behind the newest come the rest, and the end
    const last = await search(`value=needle&pageSize=1&page=${second}`, mallory)
    expect(last.json.data.image.map((image: { containerName: string }) => image.containerName)).toEqual(['needle0'])
    expect(last.json.page).toBeUndefined()
  })

  test('of a host without `visible`, which reads rows one by one, are sealed too', async () => {
    const { visible: _, ...auth } = ownerPolicy({
      authenticate: (request) => world.library.accounts.authenticate(request),
    })
    const other = await createWorld({ auth, directory: world.directory, users: false })
    try {
      await interleave(3)
      expect((await other.call('GET', '/v1/search?value=needle&pageSize=1')).json.page.next).toMatch(/^[\w-]{80}$/)
    } finally {
      await other.close()
    }
  })

  test('are good for their own search of their own principal, and nothing that was made up is one', async () => {
    await interleave(0)
    const cursor = await nextOf('value=needle&pageSize=1', mallory)
    expectStatus(await search(`value=needle&pageSize=2&page=${cursor}`, mallory), 200)
    const altered = (cursor[10] === 'A' ? 'B' : 'A') + cursor.slice(1)
    const foreign = createCursors({ secret: () => 'x'.repeat(32) }).seal('1', 'any')
    for (const [query, token] of [
      [`value=needl&page=${cursor}`, mallory],
      [`value=needle&arch=amd64&page=${cursor}`, mallory],
      [`value=needle&signed=true&page=${cursor}`, mallory],
      [`value=needle&page=${cursor}`, alice],
      [`value=needle&page=${cursor}`, undefined],
      [`value=needle&page=${altered}`, mallory],
      [`value=needle&page=${foreign}`, mallory],
      ['value=needle&page=1', mallory],
      ['value=needle&page=zzzzz', mallory],
      [`value=needle&page=${'A'.repeat(5000)}`, mallory],
      [`value=needle&page=${'%00'.repeat(20)}`, mallory],
    ] as const)
      expectRefusal(await search(query, token), 400, 'page')
    expectStatus(await search('value=needle&page=', mallory), 200)
  })
})

test('request ids do not count the requests of others', async () => {
  const ids = await Promise.all(
    Array.from({ length: 20 }, async () => (await world.call('GET', '/version')).headers.get('x-request-id') ?? ''),
  )
  expect(new Set(ids).size).toBe(20)
  // no two have a long beginning in common, as those of a counter do
  const beginnings = ids.map((id) => id.slice(0, 8))
  expect(new Set(beginnings).size).toBe(20)
})

test('ids of principals are for themselves and admins, in every object of every answer', async () => {
  const bytes = someBytes()
  const { containerId } = await world.push(alice, 'alice/tools/bwa', bytes, 'latest')
  const id = (await world.library.accounts.findUser('alice'))?.id as string
  const paths = [
    '/v1/entities/alice',
    '/v1/collections/alice/tools',
    '/v1/containers/alice/tools/bwa',
    '/v1/images/alice/tools/bwa:latest',
    '/v1/search?value=alice',
    `/v1/tags/${containerId}`,
    `/v2/tags/${containerId}`,
  ]
  for (const path of paths) {
    for (const token of [undefined, mallory]) expect((await world.call('GET', path, { token })).text).not.toContain(id)
    if (path.includes('/tags/')) continue
    for (const token of [alice, world.tokens.root])
      expect((await world.call('GET', path, { token })).text, path).toContain(id)
  }
})

test('what is hidden and what is absent give the same answers to strangers, but for the names they asked for', async () => {
  const bytes = someBytes()
  const hidden = await world.push(alice, 'alice/secret/app', bytes, 'v1')
  await world.library.visibility('alice/secret', 'private')
  await world.library.visibility('alice', 'private')
  const absent = { entityId: 'e'.repeat(24), collectionId: 'e'.repeat(24), containerId: 'e'.repeat(24) }
  const ids = (place: typeof absent, imageId: string) => [
    ['POST', '/v1/collections', { name: 'x', entity: place.entityId }],
    ['POST', '/v1/containers', { name: 'x', collection: place.collectionId }],
    ['POST', '/v1/images', { hash: `sha256.${'0'.repeat(64)}`, container: place.containerId }],
    ['POST', `/v2/imagefile/${imageId}`, { filesize: 5, sha256sum: '0'.repeat(64) }],
    ['PUT', `/v2/imagefile/${imageId}/_complete`, {}],
    ['GET', `/v1/tags/${place.containerId}`, undefined],
    ['GET', `/v2/tags/${place.containerId}`, undefined],
    ['POST', `/v2/tags/${place.containerId}`, { Tag: 'x', Arch: 'amd64', ImageID: imageId }],
  ]
  const names = (entity: string) => [
    ['GET', `/v1/entities/${entity}`, undefined],
    ['GET', `/v1/collections/${entity}/secret`, undefined],
    ['GET', `/v1/containers/${entity}/secret/app`, undefined],
    ['GET', `/v1/images/${entity}/secret/app:v1`, undefined],
    ['GET', `/v1/images/${entity}/secret/app`, undefined],
    ['GET', `/v1/imagefile/${entity}/secret/app:v1`, undefined],
    ['DELETE', `/v1/images/${entity}/secret/app:v1?arch=amd64`, undefined],
    ['POST', '/v1/entities', { name: entity }],
    ['GET', `/v1/search?value=${entity}/secret`, undefined],
  ]
  const seen = async (rows: readonly (readonly unknown[])[], token: string | undefined, replace: string) => {
    const answers = []
    for (const [method, path, json] of rows) {
      const answer = await world.call(method as string, path as string, {
        token,
        ...(json === undefined ? {} : { json }),
      })
      const headers = [...answer.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id')
      answers.push([method, answer.status, answer.text.replaceAll(replace, 'NAME'), headers.map(String).join()])
    }
    return answers
  }
  for (const token of [undefined, mallory]) {
    expect(await seen(ids(hidden, hidden.imageId), token, '-')).toEqual(
      await seen(ids(absent, 'e'.repeat(24)), token, '-'),
    )
    expect(await seen(names('alice'), token, 'alice')).toEqual(await seen(names('nobdy'), token, 'nobdy'))
  }
})
