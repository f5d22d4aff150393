/** Lists and tags could be made to answer tens of megabytes to anybody, and answers that nobody reads stayed in memory. */
import { afterEach, expect, test, vi } from 'vitest'
import type { LibraryResponse } from '../../src/core/index.js'
import { sifFile, signature } from '../fixtures/sif-file.js'
import { expectStatus, hashOf, makeContainer, push } from '../support/push.js'
import { createTestRegistry, readAnswer, type TestRegistry } from '../support/registry.js'

const MiB = 1024 ** 2
let registry: TestRegistry
afterEach(() => registry.close())

/** A SIF file of many signature descriptors, which anybody can write. */
function signedBy(fingerprints: readonly string[]): Buffer {
  const parts = fingerprints.map((fingerprint) => signature(Buffer.alloc(0), { fingerprint }))
  return sifFile(parts, { slots: fingerprints.length })
}

const signers = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(index).padStart(40, 'A'))

/** One image of many claimed signers in many containers, each with descriptions as long as they may be. */
async function fill(containers: number): Promise<void> {
  const bytes = signedBy(signers(300))
  await push(registry, 'mallory/a/first', bytes, { tags: [] })
  const description = `needle ${'\u{1}'.repeat(16_000)}`
  const { collectionId } = await makeContainer(registry, 'mallory/a/first')
  for (let index = 0; index < containers; index += 1) {
    const made = await registry.call('POST', '/v1/containers', {
      token: 'mallory',
      body: { name: `c${index}`, collection: collectionId, description },
    })
    const body = { hash: hashOf(bytes), container: expectStatus(made, 201).json.data.id, description }
    expectStatus(await registry.call('POST', '/v1/images', { token: 'mallory', body }), 201)
  }
}

test.each([
  ['a host that says what is visible', {}],
  [
    'a host that is asked about each row',
    { auth: { authorize: () => true, authenticate: () => ({ id: 'm', name: 'm' }) } },
  ],
])('a page of a search ends early, and the next one goes on: %s', async (_name, library) => {
  registry = await createTestRegistry({ library })
  await fill(120)
  const found: string[] = []
  let pages = 0
  for (let next = ''; ; ) {
    const answer = await registry.call('GET', `/v1/search?value=needle&pageSize=1000${next}`)
    const { data, page } = expectStatus(answer, 200).json
    expect(answer.bytes.length).toBeLessThan(MiB + 1024)
    expect(Number(answer.headers['content-length'])).toBe(answer.bytes.length)
    for (const image of data.image) {
      found.push(image.containerName)
      expect(image.fingerprints).toEqual(signers(16))
    }
    pages += 1
    if (page === undefined) break
    next = `&page=${page.next}`
  }
  expect(pages).toBeGreaterThan(1)
  expect(found.sort()).toEqual(Array.from({ length: 120 }, (_, index) => `c${index}`).sort())
})

test('of claimed signers 64 are kept', async () => {
  registry = await createTestRegistry()
  await push(registry, 'mallory/a/b', signedBy(signers(300)))
  const { data } = (await registry.call('GET', '/v1/images/mallory/a/b:latest')).json
  expect(data).toMatchObject({ signed: true, fingerprints: signers(64) })
})

test('a container has no more tags than it may, and an answer shows no more than a megabyte of those from before', async () => {
  registry = await createTestRegistry({ library: { limits: { maxContainerTags: 3 } } })
  const { imageId, containerId } = await push(registry, 'alice/a/b', Buffer.from('x'), { tags: ['1', '2', '3'] })
  const other = await push(registry, 'alice/a/b', Buffer.from('y'), { tags: ['3'] })
  const set = (Tag: string) =>
    registry.call('POST', `/v2/tags/${containerId}`, { token: 'alice', body: { Tag, Arch: 'amd64', ImageID: imageId } })
  const refused = expectStatus(await set('4'), 403)
  expect(refused.json.error.message).toContain('3 tags')
  expect(refused.json.error.message).toContain('delete some')
  expectStatus(await set('3'), 200)
  expect(other.containerId).toBe(containerId)
  // as an earlier version let them be made
  const tags = Array.from({ length: 20_000 }, (_, index) => String(index).padStart(128, 't'))
  const many = tags.map((tag) => ({ arch: 'amd64', tag, imageId, updatedAt: 1 }))
  const { list } = registry.metadata.tags
  Object.assign(registry.metadata.tags, {
    list: async (_id: string, { tag, limit }: { tag?: string; limit?: number } = {}) =>
      many.filter((record) => tag === undefined || record.tag === tag).slice(0, limit),
  })
  for (const path of [`/v1/tags/${containerId}`, `/v2/tags/${containerId}`, '/v1/containers/alice/a/b']) {
    const answer = expectStatus(await registry.call('GET', path), 200)
    expect(answer.bytes.length).toBeLessThan(1.1 * MiB)
    expect(answer.bytes.length).toBeGreaterThan(MiB / 2)
  }
  // the last one is found all the same where no arch is said, and the image has another one than the default
  expect((await registry.call('GET', `/v1/images/alice/a/b:${tags.at(-1)}`)).json.data.id).toBe(imageId)
  Object.assign(registry.metadata.tags, { list })
})

test('answers that nobody reads make room for others', async () => {
  registry = await createTestRegistry({ library: { limits: { maxUnreadBytes: 2 * MiB } } })
  await fill(120)
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const cut: number[] = []
    const ask = async (name: number): Promise<LibraryResponse> => {
      const request = { method: 'GET', path: '/v1/search', query: 'value=needle&pageSize=1000', headers: {} }
      const response = await registry.library.handle({ ...request, body: { kind: 'none' }, cut: () => cut.push(name) })
      if (response === undefined) throw new Error('no search')
      return response
    }
    const first = await ask(1)
    await ask(2)
    // both are so young that their clients may be reading
    const refused = await readAnswer(await ask(3))
    expect([refused.status, refused.headers['retry-after'], refused.json.error.code]).toEqual([503, '5', 503])
    vi.advanceTimersByTime(1500)
    const reader = (first.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    await reader.next()
    const fourth = await ask(4)
    await vi.waitFor(() => expect(cut).toEqual([2]))
    // the one that is read goes on
    let pieces = 1
    while ((await reader.next()).done !== true) pieces += 1
    expect(pieces).toBeGreaterThan(8)
    expect((await readAnswer(fourth)).status).toBe(200)
    expect((await readAnswer(await ask(5))).status).toBe(200)
  } finally {
    vi.useRealTimers()
  }
})
