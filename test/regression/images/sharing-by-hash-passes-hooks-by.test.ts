/**
 * A push of a hash whose bytes are there shares them without an upload. It did so although `beforePull` refuses those bytes, asked `beforePublish` again for an
 * image that is there, told it the id of another container's image, and gave no event where the image had been made before.
 */
import { afterEach, expect, test } from 'vitest'
import { LibraryError } from '../../../src/core/http/errors.js'
import { expectStatus, hashOf, makeImage, pull, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

const bytes = Buffer.from('bytes that two containers may have')
const hash = hashOf(bytes)
const published = (): unknown[] =>
  registry.events.filter(({ name }) => name === 'image.published').map(({ event }) => event)

test('bytes that beforePull refuses are not shared: who has them sends them', async () => {
  const asked: string[] = []
  registry = await createTestRegistry({
    library: {
      hooks: {
        beforePull: ({ path, principal }) => {
          asked.push(`${principal?.name} ${path}`)
          if (path.startsWith('alice/licensed/') && principal?.name !== 'alice')
            throw new LibraryError('refused', 'accept the licence first')
        },
      },
    },
  })
  await push(registry, 'alice/licensed/app', bytes)
  // mallory may see what it is, and so knows the hash
  const known = expectStatus(
    await registry.call('GET', '/v1/images/alice/licensed/app:latest', { token: 'mallory' }),
    200,
  ).json.data.hash
  expectStatus(await registry.call('GET', '/v1/imagefile/alice/licensed/app:latest', { token: 'mallory' }), 403)
  expect(await makeImage(registry, { path: 'mallory/a/b', hash: known })).toMatchObject({ uploaded: false })
  expectStatus(await registry.call('GET', `/v1/imagefile/mallory/a/b:${known}`, { token: 'mallory' }), 404)
  expect(asked.at(-1)).toBe('mallory alice/licensed/app')
  // alice herself shares them, and mallory's push goes on as one of new bytes
  expect(await makeImage(registry, { path: 'alice/other/app', hash: known })).toMatchObject({ uploaded: true })
  await push(registry, 'mallory/a/b', bytes)
  expect((await pull(registry, 'mallory/a/b:latest', { token: 'mallory' })).equals(bytes)).toBe(true)
})

test('beforePublish is not asked again for an image that is there', async () => {
  const asked: string[] = []
  registry = await createTestRegistry({ library: { hooks: { beforePublish: ({ path }) => void asked.push(path) } } })
  const first = await push(registry, 'alice/a/one', bytes)
  await push(registry, 'alice/a/two', bytes)
  expect(asked).toEqual(['alice/a/one', 'alice/a/two'])
  expect(published()).toHaveLength(2)
  expect(await makeImage(registry, { path: 'alice/a/one', hash })).toMatchObject({
    imageId: first.imageId,
    uploaded: true,
  })
  expect(asked).toHaveLength(2)
  expect(published()).toHaveLength(2)
})

test('beforePublish is told the id that the image will have', async () => {
  const told: object[] = []
  registry = await createTestRegistry({
    library: {
      hooks: {
        beforePublish: ({ image: { id, containerId, digest }, path, size }) =>
          void told.push({ id, containerId, digest, path, size }),
      },
    },
  })
  const pending = await makeImage(registry, { path: 'bob/a/pending', hash })
  const alice = await push(registry, 'alice/a/b', bytes)
  const bob = await makeImage(registry, { path: 'bob/a/b', hash })
  await makeImage(registry, { path: 'bob/a/pending', hash })
  const one = ({ imageId, containerId }: { imageId: string; containerId: string }, path: string): object => ({
    id: imageId,
    containerId,
    digest: hash.replace('sha256.', ''),
    path,
    size: bytes.length,
  })
  expect(told).toEqual([one(alice, 'alice/a/b'), one(bob, 'bob/a/b'), one(pending, 'bob/a/pending')])
})

test('an image that was made before its bytes were there is published with an event', async () => {
  registry = await createTestRegistry()
  const pending = await makeImage(registry, { path: 'bob/a/b', hash })
  await push(registry, 'alice/a/b', bytes)
  registry.events.length = 0
  expect(await makeImage(registry, { path: 'bob/a/b', hash })).toMatchObject({
    imageId: pending.imageId,
    uploaded: true,
  })
  expect(published()).toMatchObject([{ path: 'bob/a/b', imageId: pending.imageId, size: bytes.length }])
  await makeImage(registry, { path: 'bob/a/b', hash })
  expect(published()).toHaveLength(1)
})
