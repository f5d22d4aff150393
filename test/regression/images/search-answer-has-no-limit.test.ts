/** A page of the search repeated whole descriptions and all tags of each of its rows: one anonymous request made an answer of more than a hundred megabytes. */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, hashOf, makeContainer, makeImage, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('lists show the beginning of a description, and the first tags', async () => {
  registry = await createTestRegistry()
  const description = `needle ${'€'.repeat(16_370)}`
  const short = `needle ${'€'.repeat(1024 - 7)}`
  const bytes = Buffer.from('one image')
  const token = 'mallory'
  const entity = expectStatus(
    await registry.call('POST', '/v1/entities', { token, body: { name: 'mallory', description } }),
    201,
  ).json.data.id
  const collection = expectStatus(
    await registry.call('POST', '/v1/collections', { token, body: { name: 'a', entity, description } }),
    201,
  ).json.data.id
  await push(registry, 'mallory/a/exact', bytes, { description: short })
  for (let index = 0; index < 20; index += 1) {
    const made = await registry.call('POST', '/v1/containers', {
      token,
      body: { name: `c${index}`, collection, description },
    })
    const container = expectStatus(made, 201).json.data.id
    expectStatus(
      await registry.call('POST', '/v1/images', { token, body: { hash: hashOf(bytes), container, description } }),
      201,
    )
  }
  const { text, json } = expectStatus(await registry.call('GET', '/v1/search?value=needle&pageSize=1000'), 200)
  const { data } = json
  expect([data.entity.length, data.collection.length, data.container.length, data.image.length]).toEqual([1, 1, 20, 21])
  const cut = `${description.slice(0, 1023)}…`
  for (const row of [...data.entity, ...data.collection, ...data.container]) expect(row.description).toBe(cut)
  const [exact, ...others] = [...data.image].sort(
    (a, b) => a.description.length - b.description.length || (a.containerName === 'exact' ? -1 : 1),
  )
  expect(exact.description).toBe(short)
  for (const row of others) expect([row.description, row.containerDescription]).toEqual([cut, cut])
  expect(Buffer.byteLength(text)).toBeLessThan(63 * 4096)
  // the thing itself has all of it
  expect((await registry.call('GET', '/v1/entities/mallory')).json.data.description).toBe(description)
  expect((await registry.call('GET', '/v1/containers/mallory/a/c0')).json.data.description).toBe(description)
  expect((await registry.call('GET', `/v1/images/mallory/a/c0:${hashOf(bytes)}`)).json.data.description).toBe(
    description,
  )
})

test('of an image with many tags 100 are shown', async () => {
  registry = await createTestRegistry()
  const { containerId } = await makeContainer(registry, 'alice/a/many')
  const { imageId } = await push(registry, 'alice/a/many', Buffer.from('tagged'), { tags: [] })
  for (let index = 0; index < 150; index += 1)
    expectStatus(
      await registry.call('POST', `/v2/tags/${containerId}`, {
        token: 'alice',
        body: { Tag: `t${index}`, Arch: 'amd64', ImageID: imageId },
      }),
      200,
    )
  expect(await makeImage(registry, { path: 'alice/a/many', hash: hashOf(Buffer.from('tagged')) })).toMatchObject({
    uploaded: true,
  })
  const { image } = expectStatus(await registry.call('GET', '/v1/search?value=many'), 200).json.data
  expect(image.map(({ tags }: { tags: string[] }) => tags.length)).toEqual([100])
})
