import type { ImageRecord, RestoredImage } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup, Place } from './context.js'

/** An image as a sidecar tells of it. */
function lost(context: MetadataContext, { container }: Place, change: Partial<RestoredImage> = {}): RestoredImage {
  const id = context.id()
  const digest = change.digest ?? context.digest()
  const facts = context.facts(`blobs/${digest}/${id}`, { size: 300 })
  return {
    ...{
      id,
      containerId: container.id,
      digest,
      description: 'restored',
      state: 'published',
      size: facts.size,
      blobKey: facts.key,
      arch: 'arm64',
    },
    ...{
      archFromHeader: true,
      signed: true,
      encrypted: null,
      fingerprints: ['AA'],
      owner: 'p1',
      createdAt: 10,
      updatedAt: 30,
      publishedAt: 20,
    },
    tags: [],
    ...change,
  }
}

const recordOf = ({ tags: _, ...record }: RestoredImage): ImageRecord => record

export const restoreTests: MetadataGroup = {
  name: 'images.restore',
  tests: {
    'puts back the image, its blob, its usage, its tags and what a search finds': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = lost(context, place, { tags: [{ arch: 'arm64', tag: 'wanted', updatedAt: 25 }] })
      const tag = { arch: 'arm64', tag: 'wanted', imageId: image.id, updatedAt: 25 }
      assert.deepEqual(await store.images.restore(image), { record: recordOf(image), restored: true, tags: [tag] })
      assert.deepEqual(await store.images.find(image.id), { image: recordOf(image), container: place.container })
      assert.deepEqual(await store.tags.list(place.container.id), [tag])
      assert.deepEqual(await store.blobs.find(image.blobKey), {
        key: image.blobKey,
        digest: image.digest,
        size: 300,
        createdAt: 20,
        unreferencedAt: null,
      })
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
      const [found] = (await store.search({ value: 'wanted', visibility: 'all', limit: 5 })).images
      assert.deepEqual([found?.image.id, found?.tags], [image.id, ['wanted']])
    },
    'a second time changes nothing': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = lost(context, place, { tags: [{ arch: 'arm64', tag: 't', updatedAt: 25 }] })
      await store.images.restore(image)
      const [first, ...others] = await Promise.all(
        Array.from({ length: 5 }, () =>
          store.images.restore({ ...image, id: context.id(), description: 'other', size: 9 }),
        ),
      )
      assert.deepEqual(first, { record: recordOf(image), restored: false, tags: [] })
      for (const other of others) assert.deepEqual(other, first)
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'of callers at the same time one puts it back': async (context) => {
      const place = await context.place()
      const image = lost(context, place)
      const results = await context.race(10, (store) => store.images.restore(image))
      assert.equal(results.filter(({ restored }) => restored).length, 1)
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'an image without bytes gets them and keeps its id': async (context) => {
      const { store } = context
      const place = await context.place()
      const pending = await context.image(place.container)
      const image = lost(context, place, { digest: pending.digest, tags: [{ arch: 'arm64', tag: 't', updatedAt: 25 }] })
      const { record, restored } = await store.images.restore(image)
      assert.equal(restored, true)
      assert.deepEqual(
        [record.id, record.state, record.blobKey, record.createdAt],
        [pending.id, 'published', image.blobKey, pending.createdAt],
      )
      assert.equal((await store.tags.list(place.container.id))[0]?.imageId, pending.id)
      assert.equal(await store.images.find(image.id), undefined)
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'ends the upload whose bytes the image has, so that nobody sweeps them': async (context) => {
      const { store } = context
      const place = await context.place()
      const pending = await context.image(place.container)
      const upload = await context.upload(pending, place, 300)
      const other = await context.upload(pending, place, 70)
      await store.images.restore(lost(context, place, { digest: pending.digest, blobKey: upload.key }))
      assert.equal((await store.uploads.find(upload.id))?.state, 'aborted')
      assert.equal((await store.uploads.find(other.id))?.state, 'open')
      assert.equal(await store.uploads.isKeyInUse(upload.key), false)
      await context.assertUsage(place.entity, { used: 300, reserved: 70 })
    },
    'a damaged image gets another blob, but keeps a damaged one that is the same': async (context) => {
      const { store } = context
      const place = await context.place()
      const damaged = await context.publish(place, { size: 1000 })
      await store.images.setState(damaged.id, ['published'], 'damaged', 5)
      const same = lost(context, place, { digest: damaged.digest, blobKey: damaged.blobKey ?? '' })
      assert.equal((await store.images.restore(same)).restored, false)
      const other = lost(context, place, { digest: damaged.digest })
      assert.deepEqual(
        [(await store.images.restore(other)).restored, (await context.read(damaged.id)).blobKey],
        [true, other.blobKey],
      )
      assert.notEqual((await store.blobs.find(damaged.blobKey ?? ''))?.unreferencedAt, null)
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'a tag that is there stays, unless it is the one to be replaced': async (context) => {
      const { store } = context
      const place = await context.place()
      const there = await context.publish(place, { tags: ['kept'], arch: 'arm64' })
      const [kept] = await store.tags.list(place.container.id)
      const first = lost(context, place, { tags: [{ arch: 'arm64', tag: 'moved', updatedAt: 40 }] })
      await store.images.restore(first)
      const tags = [
        { arch: 'arm64', tag: 'kept', updatedAt: 9e12 },
        { arch: 'arm64', tag: 'moved', updatedAt: 50, replaces: 40 },
      ]
      const second = lost(context, place, { tags })
      const { tags: set } = await store.images.restore(second)
      assert.deepEqual(set, [{ arch: 'arm64', tag: 'moved', imageId: second.id, updatedAt: 50 }])
      assert.deepEqual(await store.tags.list(place.container.id), [kept, ...set])
      assert.equal(kept?.imageId, there.id)
      const third = await store.images.restore(
        lost(context, place, { tags: [{ arch: 'arm64', tag: 'moved', updatedAt: 60, replaces: 40 }] }),
      )
      assert.deepEqual(third.tags, [])
    },
    'notes a change only where the sidecar is not right any more': async (context) => {
      const { store } = context
      const place = await context.place()
      const noted = async (image: RestoredImage): Promise<boolean> => {
        const { record } = await store.images.restore(image)
        return store.changes.isPending('image', record.id)
      }
      const tags = [{ arch: 'arm64', tag: 't', updatedAt: 40 }]
      const first = lost(context, place, { tags })
      assert.equal(await noted(first), false)
      assert.equal(await noted(first), false)
      assert.equal(await noted(lost(context, place, { tags })), true, 'a tag was refused')
      assert.equal(
        await noted(lost(context, place, { tags: [{ arch: 'arm64', tag: 't', updatedAt: 50, replaces: 40 }] })),
        false,
      )
      assert.equal(await store.changes.isPending('image', first.id), true, 'it lost its tag')
    },
    'throws parent-missing without the container, and exists for the id of another image': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = lost(context, place)
      await assert.rejects(store.images.restore({ ...image, containerId: context.id() }), {
        name: 'MetadataError',
        code: 'parent-missing',
      })
      const other = await context.publish(await context.place())
      await assert.rejects(store.images.restore({ ...image, id: other.id }), { name: 'MetadataError', code: 'exists' })
      assert.equal(await store.blobs.find(image.blobKey), undefined)
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
    },
    'entities, collections and containers come back with their id, quota and times': async (context) => {
      const { store } = context
      const common = { description: 'd', owner: 'p1', now: 5, updatedAt: 9 }
      const entity = await store.entities.createIfAbsent({
        ...common,
        id: context.id(),
        name: 'alice',
        defaultPrivate: true,
        quotaBytes: 77,
      })
      assert.deepEqual([entity.record.quotaBytes, entity.record.createdAt, entity.record.updatedAt], [77, 5, 9])
      assert.deepEqual(await store.entities.findByName('alice'), entity.record)
      const collection = await store.collections.createIfAbsent({
        ...common,
        id: context.id(),
        entityId: entity.record.id,
        name: 'c',
        private: true,
      })
      assert.deepEqual([collection.record.createdAt, collection.record.updatedAt], [5, 9])
      const container = await store.containers.createIfAbsent({
        ...common,
        id: context.id(),
        collectionId: collection.record.id,
        name: 'k',
        private: false,
      })
      assert.deepEqual([container.record.createdAt, container.record.updatedAt], [5, 9])
      await assert.rejects(
        store.entities.createIfAbsent({ ...common, id: entity.record.id, name: 'bob', defaultPrivate: true }),
        { code: 'exists' },
      )
    },
  },
}
