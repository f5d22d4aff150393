import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup } from './context.js'

const found = (version: number, value: unknown = { arch: 'amd64' }) => ({
  version,
  inspectedAt: 1_700_000_000_500,
  value,
})

async function published(context: MetadataContext, inspection?: ReturnType<typeof found>) {
  const place = await context.place()
  const image = await context.image(place.container)
  const upload = await context.completing(image, place, 300)
  const blob = context.facts(upload.key, { size: 300, arch: 'arm64', signed: false, encrypted: false })
  await context.store.images.publish({
    ...{ imageId: image.id, uploadId: upload.id, blob, state: 'published', now: context.now() },
    ...(inspection && { inspection }),
  })
  return { place, image, key: upload.key }
}

const plain = { arch: 'amd64', signed: true, encrypted: true, fingerprints: ['AA'] }

export const inspectionTests: MetadataGroup = {
  name: 'inspections',
  tests: {
    'are kept with the blob that was published, as they were given': async (context) => {
      const value = {
        text: 'with \u0000, "quotes", \u{1F600} and \\',
        list: [1, null, true],
        deep: { ['__proto__']: 'x' },
      }
      const { key } = await published(context, found(3, value))
      assert.deepEqual(await context.store.blobs.inspectionOf(key), found(3, value))
    },
    'are none before they were made, and for no blob': async (context) => {
      const { key } = await published(context)
      assert.equal(await context.store.blobs.inspectionOf(key), undefined)
      assert.equal(await context.store.blobs.inspectionOf('blobs/none'), undefined)
      assert.equal(await context.store.blobs.setInspection('blobs/none', found(1)), false)
    },
    'are replaced, and found by their version': async (context) => {
      const { blobs } = context.store
      const keys = []
      for (let count = 0; count < 3; count += 1) keys.push((await published(context)).key)
      keys.sort()
      const [first = '', second = '', third = ''] = keys
      const uninspected = async (page: { readonly version: number; readonly after?: string; readonly limit: number }) =>
        (await blobs.findInspected(page)).map(({ key }) => key)
      assert.deepEqual(await uninspected({ version: 0, limit: 2 }), [first, second])
      assert.deepEqual(await uninspected({ version: 0, limit: 2, after: second }), [third])
      assert.equal(await blobs.setInspection(second, found(1)), true)
      assert.deepEqual(await uninspected({ version: 0, limit: 5 }), [first, third])
      assert.equal(await blobs.setInspection(second, found(2, 'later')), true)
      assert.deepEqual(await uninspected({ version: 1, limit: 5 }), [])
      assert.deepEqual(await uninspected({ version: 2, limit: 5 }), [second])
      assert.deepEqual(await blobs.inspectionOf(second), found(2, 'later'))
    },
    'are not asked for of blobs that no image has': async (context) => {
      const { image, key } = await published(context)
      await context.store.images.delete(image.id, context.now())
      assert.deepEqual(await context.store.blobs.findInspected({ version: 0, limit: 5 }), [])
      assert.equal((await context.store.blobs.find(key))?.key, key)
    },
    'correct the facts of an image, and its search document, once': async (context) => {
      const { images } = context.store
      const { image, key } = await published(context)
      const now = context.now()
      assert.equal(await images.setFacts(image.id, plain, now, { blobKey: key }), true)
      const { state: _, ...shown } = await context.read(image.id)
      assert.deepEqual(shown, {
        ...shown,
        ...plain,
        ...{ archFromHeader: true, updatedAt: now },
      })
      const query = { value: 'container', visibility: 'all' as const, limit: 5, signed: true }
      assert.deepEqual(
        (await context.store.search(query)).images.map((each) => each.image.id),
        [image.id],
      )
      assert.equal(await images.setFacts(image.id, plain, context.now(), { blobKey: key }), false)
    },
    'an arch that is none any more becomes one that a tag may have said': async (context) => {
      const { images } = context.store
      const { image, key } = await published(context)
      const facts = { arch: null, signed: null, encrypted: null, fingerprints: [] }
      assert.equal(await images.setFacts(image.id, facts, context.now(), { blobKey: key }), true)
      const { arch, archFromHeader, signed, encrypted } = await context.read(image.id)
      assert.deepEqual([arch, archFromHeader, signed, encrypted], ['arm64', false, null, null])
    },
    'facts of another blob change nothing': async (context) => {
      const { image } = await published(context)
      const before = await context.read(image.id)
      assert.equal(
        await context.store.images.setFacts(image.id, plain, context.now(), { blobKey: 'blobs/other' }),
        false,
      )
      assert.equal(await context.store.images.setFacts(context.id(), plain, context.now(), { blobKey: 'x' }), false)
      assert.deepEqual(await context.read(image.id), before)
    },
  },
}
