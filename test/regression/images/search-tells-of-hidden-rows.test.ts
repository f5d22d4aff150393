/**
 * Where the search asks about each row (a host's `authorize` without `visible`; a token with scopes), `page.next` came with an empty answer and so told that
 * hidden rows match; and a hidden container took the place of a visible one in the lists of names.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ownerPolicy } from '../../../src/core/auth/policy.js'
import { createLibrary, type Library } from '../../../src/core/index.js'
import { expectStatus, makeContainer, push } from '../../support/push.js'
import { createTestRegistry, readAnswer, TEST_SECRET, type TestRegistry } from '../../support/registry.js'

interface Found {
  readonly data: {
    readonly container: readonly { readonly name: string }[]
    readonly image: readonly { readonly id: string }[]
  }
  readonly page?: { readonly next: string }
}

let registry: TestRegistry
beforeEach(async () => {
  registry = await createTestRegistry()
})
afterEach(() => registry.close())

/** As docs/auth.md says, a policy without `visible`: the same rights, only that the search asks about each row. */
function withoutVisible(): Library {
  const { visible: _, ...auth } = ownerPolicy({ authenticate: registry.library.accounts.authenticate })
  return createLibrary({
    publicUrl: registry.publicUrl,
    secret: TEST_SECRET,
    metadata: registry.metadata,
    storage: registry.storage,
    auth,
  })
}

async function search(library: Library, query: string, token?: string): Promise<Found> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await library.handle({ method: 'GET', path: '/v1/search', query, headers, body: { kind: 'none' } })
  if (response === undefined) throw new Error('the search is not there')
  const answer = await readAnswer(response)
  expect(answer.status).toBe(200)
  return answer.json
}

/** All pages, one after the other. */
async function pagesOf(library: Library, query: string, token?: string): Promise<Found[]> {
  const pages: Found[] = []
  for (let next: string | undefined = ''; next !== undefined; ) {
    const page = await search(library, next === '' ? query : `${query}&page=${encodeURIComponent(next)}`, token)
    pages.push(page)
    next = page.page?.next
    if (pages.length > 100) throw new Error('pages without end')
  }
  return pages
}

const idsOf = ({ data }: Found): string[] => data.image.map(({ id }) => id)
const namesOf = ({ data }: Found): string[] => data.container.map(({ name }) => name)
const makeHere = async (
  token: string,
  collection: string,
  { name, description = '' }: { name: string; description?: string },
): Promise<void> => {
  expectStatus(await registry.call('POST', '/v1/containers', { token, body: { name, collection, description } }), 201)
}

describe('what matches and is hidden gives the answer of what does not match', () => {
  beforeEach(async () => {
    for (let index = 0; index < 25; index += 1)
      await push(registry, `alice/merger/plan${index}`, Buffer.from(`secret ${index}`))
    await registry.library.visibility('alice/merger', 'private')
  })

  test('for a stranger at a host without `visible`', async () => {
    const library = withoutVisible()
    for (const pageSize of [1, 3, 1000])
      expect(await search(library, `value=alice/merger&pageSize=${pageSize}`)).toEqual(
        await search(library, `value=alice/nerger&pageSize=${pageSize}`),
      )
  })

  test('for a token that is good for something else', async () => {
    const { token } = await registry.library.accounts.createToken({ user: 'alice', scopes: ['pull:alice/ci/app'] })
    const { library } = registry
    expect((await search(library, 'value=alice/merger&pageSize=1', registry.tokens.alice)).data.image).toHaveLength(1)
    for (const pageSize of [1, 3, 1000])
      expect(await search(library, `value=alice/merger&pageSize=${pageSize}`, token)).toEqual(
        await search(library, `value=alice/nerger&pageSize=${pageSize}`, token),
      )
  })
})

describe('hidden containers', () => {
  test('that are newer push no visible one out', async () => {
    const library = withoutVisible()
    const { collectionId } = await makeContainer(registry, 'mallory/a/b')
    await makeHere('mallory', collectionId, { name: 'bait', description: 'merger/plan' })
    expect(namesOf(await search(library, 'value=merger/plan&pageSize=1'))).toEqual(['bait'])
    await makeContainer(registry, 'alice/merger/plan')
    await registry.library.visibility('alice/merger', 'private')
    expect(namesOf(await search(library, 'value=merger/plan&pageSize=1'))).toEqual(['bait'])
  })

  test('hide nothing that is visible, as many as a page they may be', async () => {
    await makeContainer(registry, 'bob/tools/blastx')
    const { collectionId } = await makeContainer(registry, 'alice/p/first')
    for (let index = 0; index < 100; index += 1) await makeHere('alice', collectionId, { name: `blastx${index}` })
    await registry.library.visibility('alice/p', 'private')
    expect(namesOf(await search(withoutVisible(), 'value=blastx'))).toEqual(['blastx'])
  })
})

test('small pages give each visible image once, in the order of a large page, whatever is hidden in between', async () => {
  const hidden = new Set([0, 3, 4, 5, 9, 12, 13, 17, 18, 19])
  const visible: string[] = []
  for (let index = 0; index < 20; index += 1) {
    const { imageId } = await push(
      registry,
      `alice/${hidden.has(index) ? 'merger' : 'open'}/plan${index}`,
      Buffer.from(`image ${index}`),
    )
    if (!hidden.has(index)) visible.push(imageId)
  }
  await registry.library.visibility('alice/merger', 'private')
  const { token } = await registry.library.accounts.createToken({ user: 'alice', scopes: ['pull:alice/open'] })
  const hosts: [Library, string | undefined][] = [
    [withoutVisible(), undefined],
    [registry.library, token],
  ]
  for (const [library, bearer] of hosts) {
    const whole = await search(library, 'value=plan&pageSize=1000', bearer)
    const order = idsOf(whole)
    expect([...order].sort()).toEqual([...visible].sort())
    expect(whole.page).toBeUndefined()
    for (const pageSize of [1, 2, 3, 5, 10]) {
      const pages = await pagesOf(library, `value=plan&pageSize=${pageSize}`, bearer)
      expect(pages.flatMap(idsOf)).toEqual(order)
      // no empty page at the end, and none that is not full before
      expect(pages.map(({ data }) => data.image.length)).toEqual([
        ...Array.from({ length: Math.ceil(order.length / pageSize) - 1 }, () => pageSize),
        order.length % pageSize || pageSize,
      ])
    }
  }
})
