/**
 * Two containers shared a blob that rotted. Verify hid only the image that it had read, so a push that should heal it, or one to a third container, was
 * given the damaged bytes of the other one and answered that all is well.
 */
import { afterEach, expect, it } from 'vitest'
import { hashOf, pull, push, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
const rotten = Buffer.alloc(bytes.length, 'rotten')
let registry: TestRegistry
afterEach(() => registry.close())

async function imageAt(container: string) {
  const found = await registry.metadata.images.findByPath(
    { entity: 'alice', collection: 'tools', container },
    { digest: sha256(bytes) },
  )
  if (found === undefined) throw new Error(`no image in ${container}`)
  return found.image
}
const pulled = (container: string) => pull(registry, `alice/tools/${container}:${hashOf(bytes)}`)

/** Containers a and b on one blob that is spoilt or gone; returns its key. */
async function share(content: Buffer | undefined) {
  registry = await createTestRegistry()
  await push(registry, 'alice/tools/a', bytes)
  await push(registry, 'alice/tools/b', bytes)
  const { blobKey } = await imageAt('a')
  if (blobKey === null) throw new Error('no blob')
  expect((await imageAt('b')).blobKey).toBe(blobKey)
  await registry.storage.delete(blobKey)
  if (content !== undefined)
    await registry.storage.put(blobKey, streamOf(content), { size: content.length, sha256: sha256(content) })
  return blobKey
}

/** Verify is at the first of its images when the user reads "hidden until it is pushed again". */
async function verifyOne() {
  const stop = new AbortController()
  expect((await registry.library.verify({ all: true, signal: stop.signal, onItem: () => stop.abort() })).damaged).toBe(
    1,
  )
}

it.each([
  ['other bytes', rotten],
  ['missing bytes', undefined],
])('%s: all images on a damaged blob are hidden at once, with an event each', async (_, content) => {
  await share(content)
  await verifyOne()
  const images = [await imageAt('a'), await imageAt('b')]
  expect(images.map(({ state }) => state)).toEqual(['damaged', 'damaged'])
  const told = registry.events.filter(({ name }) => name === 'image.damaged').map(({ event }) => event)
  expect(told).toHaveLength(2)
  expect(told).toEqual(
    expect.arrayContaining(
      images.map(({ id }, at) =>
        expect.objectContaining({ path: `alice/tools/${'ab'[at]}`, imageId: id, digest: sha256(bytes) }),
      ),
    ),
  )
  // the rest of the verification tells nothing twice
  await registry.library.verify({ all: true })
  expect(registry.events.filter(({ name }) => name === 'image.damaged')).toHaveLength(2)
})

it.each([
  ['other bytes', rotten],
  ['missing bytes', undefined],
])('%s: a push heals whichever container it goes to, and a new container has bytes of its own', async (_, content) => {
  const key = await share(content)
  await verifyOne()
  for (const container of ['a', 'b', 'c']) {
    await push(registry, `alice/tools/${container}`, bytes)
    expect((await imageAt(container)).blobKey).not.toBe(key)
    expect(await pulled(container)).toEqual(bytes)
  }
})

it('bytes on which any image is known as damaged are shared by nobody', async () => {
  await share(rotten)
  // as a version before left it: the other one still looks sound
  const { id } = await imageAt('a')
  expect(await registry.metadata.images.setState(id, ['published'], 'damaged', registry.now())).toBe(true)
  expect((await imageAt('b')).state).toBe('published')
  for (const container of ['a', 'c']) {
    await push(registry, `alice/tools/${container}`, bytes)
    expect(await pulled(container)).toEqual(bytes)
  }
})
