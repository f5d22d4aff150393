import type { MetadataLimit } from '../../storage/metadata/errors.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup, Place } from './context.js'

const reached = (limit: MetadataLimit) => ({ name: 'MetadataError', code: 'limit-exceeded', limit })

/** Counters that others cannot see: whether an entity has room for exactly one more record. */
async function assertRecords(context: MetadataContext, place: Place, records: number): Promise<void> {
  const make = (maxRecords: number) =>
    context.store.containers.createIfAbsent({
      id: context.id(),
      collectionId: place.collection.id,
      name: context.name('counted'),
      description: '',
      private: false,
      owner: null,
      now: context.now(),
      maxRecords,
    })
  await assert.rejects(make(records), reached('records'), `the entity holds ${records}`)
  assert.equal((await make(records + 1)).created, true, `the entity holds no more than ${records}`)
}

export const limitTests: MetadataGroup = {
  name: 'limits',
  tests: {
    'collections, containers and images count as records of their entity': async (context) => {
      const { store } = context
      const place = await context.place()
      const other = await context.place()
      const common = { description: '', private: false, owner: null }
      await assert.rejects(
        store.collections.createIfAbsent({
          ...common,
          ...{ id: context.id(), entityId: place.entity.id, name: 'more', now: 1, maxRecords: 2 },
        }),
        reached('records'),
      )
      assert.equal(await store.collections.findByPath(place.entity.name, 'more'), undefined)
      const again = { ...common, id: context.id(), entityId: place.entity.id, name: place.collection.name, now: 1 }
      assert.equal((await store.collections.createIfAbsent({ ...again, maxRecords: 1 })).created, false)
      const image = { containerId: place.container.id, digest: context.digest(), description: '', owner: null, now: 1 }
      await assert.rejects(
        store.images.createIfAbsent({ ...image, id: context.id(), maxRecords: 2 }),
        reached('records'),
      )
      const { record } = await store.images.createIfAbsent({ ...image, id: context.id(), maxRecords: 3 })
      assert.equal(
        (await store.images.createIfAbsent({ ...image, id: context.id(), maxRecords: 1 })).record.id,
        record.id,
        'what is there is found',
      )
      await assertRecords(context, place, 3)
      await assertRecords(context, other, 2)
    },
    'deleted images count no more, restored ones again': async (context) => {
      const { store } = context
      const place = await context.place()
      const published = await context.publish(place, { tags: ['a'] })
      const pending = await context.image(place.container)
      assert.equal(await store.images.delete(pending.id, 1), true)
      const found = await store.images.find(published.id)
      assert.equal(await store.images.delete(published.id, 2), true)
      const { blobKey, state, ...rest } = found?.image ?? published
      assert.ok(blobKey !== null && state !== 'pending')
      for (let count = 0; count < 2; count += 1) await store.images.restore({ ...rest, blobKey, state, tags: [] })
      await assertRecords(context, place, 3)
    },
    'many callers do not pass the limit of records together': async (context) => {
      const place = await context.place()
      const made = await Promise.allSettled(
        Array.from({ length: 20 }, (_, caller) =>
          (context.instances[caller % context.instances.length] ?? context.store).containers.createIfAbsent({
            ...{ id: context.id(), collectionId: place.collection.id, name: context.name('c'), description: '' },
            ...{ private: false, owner: null, now: context.now(), maxRecords: 7 },
          }),
        ),
      )
      assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 5)
      for (const result of made) if (result.status === 'rejected') assert.equal(result.reason.code, 'limit-exceeded')
    },
    'images without bytes are limited by owner': async (context) => {
      const { store } = context
      const place = await context.place()
      const make = (owner: string | null, maxPending: number, digest = context.digest()) =>
        store.images.createIfAbsent({
          ...{ id: context.id(), containerId: place.container.id, digest, description: '' },
          ...{ owner, now: 1, maxPending },
        })
      const { record } = await make('alice', 1)
      await assert.rejects(make('alice', 1), reached('pending-images'))
      assert.equal((await make('alice', 1, record.digest)).created, false)
      await make(null, 1)
      await assert.rejects(make(null, 1), reached('pending-images'))
      await make('bob', 1)
      // published ones are no leftovers
      const upload = await context.completing(record, place)
      const blob = context.facts(upload.key)
      await store.images.publish({ imageId: record.id, uploadId: upload.id, blob, state: 'published', now: 2 })
      await make('alice', 1)
    },
    'an image whose push was never finished is found and deleted': async (context) => {
      const { store } = context
      const place = await context.place()
      const abandoned = await context.image(place.container)
      const pushed = await context.image(place.container)
      const upload = await context.upload(pushed, place)
      const published = await context.publish(place)
      const before = context.now()
      const young = await context.image(place.container)
      const ids = async (after = '') =>
        (await store.images.findAbandoned({ before, after, limit: 10 })).map(({ image }) => image.id)
      assert.deepEqual(await ids(), [abandoned.id])
      assert.deepEqual(await ids(abandoned.id), [])
      assert.deepEqual(await store.images.findAbandoned({ before, limit: 0 }), [])
      for (const { id } of [pushed, published, young])
        assert.equal(await store.images.deleteIfAbandoned(id, before), false)
      const deleted = await context.race(5, (instance) => instance.images.deleteIfAbandoned(abandoned.id, before))
      assert.equal(deleted.filter(Boolean).length, 1)
      assert.equal(await store.images.find(abandoned.id), undefined)
      assert.equal(await store.uploads.move(upload.id, 'open', 'aborted', 5), true)
      assert.deepEqual(await ids(), [pushed.id])
      assert.equal(await store.images.deleteIfAbandoned(pushed.id, before), true)
      await assertRecords(context, place, 4)
    },
    'new tags of a container are limited, and those that are there can be moved': async (context) => {
      const { store } = context
      const place = await context.place()
      const [one, two] = [await context.publish(place), await context.publish(place)]
      const set = (tag: string, imageId: string, maxTags: number, arch = 'amd64') =>
        store.tags.set({ containerId: place.container.id, arch, tag, imageId, now: 1, maxTags })
      await assert.rejects(set('a', one.id, 0), reached('tags'))
      await set('a', one.id, 2)
      await set('a', one.id, 2, 'arm64')
      await assert.rejects(set('b', one.id, 2), reached('tags'))
      assert.equal((await set('a', two.id, 2)).previous, one.id)
      await set('b', two.id, 3)
      const list = async (options: { tag?: string; limit?: number }) =>
        (await store.tags.list(place.container.id, options)).map(({ arch, tag }) => `${arch}:${tag}`)
      assert.deepEqual(await list({}), ['amd64:a', 'amd64:b', 'arm64:a'])
      assert.deepEqual(await list({ limit: 2 }), ['amd64:a', 'amd64:b'])
      assert.deepEqual(await list({ tag: 'a' }), ['amd64:a', 'arm64:a'])
      assert.deepEqual(await list({ tag: 'a', limit: 1 }), ['amd64:a'])
    },
    'uploads under way are limited by image and by principal': async (context) => {
      const { store } = context
      const place = await context.place()
      const [one, two, three] = [
        await context.image(place.container),
        await context.image(place.container),
        await context.image(place.container),
      ]
      const create = (
        image: typeof one,
        principal: string | null,
        limits: { ofImage?: number; ofPrincipal?: number },
      ) => store.uploads.create({ ...context.newUpload(image, place, 10), principal, limits })
      const first = await create(one, 'alice', { ofImage: 2, ofPrincipal: 2 })
      assert.equal(await store.uploads.move(first.id, 'open', 'completing', 1), true)
      await create(one, null, { ofImage: 2, ofPrincipal: 1 })
      await assert.rejects(create(one, 'bob', { ofImage: 2 }), reached('uploads-of-image'))
      await assert.rejects(create(two, null, { ofPrincipal: 1 }), reached('uploads-of-principal'))
      await create(two, 'alice', { ofPrincipal: 2 })
      await assert.rejects(create(three, 'alice', { ofPrincipal: 2 }), reached('uploads-of-principal'))
      await create(three, 'alice', {})
      await context.assertUsage(place.entity, { used: 0, reserved: 40 })
      assert.equal(await store.uploads.move(first.id, 'completing', 'aborted', 1), true)
      await create(one, 'bob', { ofImage: 2 })
      assert.equal((await store.uploads.findOpen(two.id, 'alice', 0)).length, 0)
      assert.equal((await store.uploads.findOpen(two.id, 'alice', 5)).length, 1)
    },
    'a new upload forgets the oldest ended ones of its principal': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const ids: string[] = []
      const start = async (principal = 'alice', backendUploadId: string | null = null) => {
        const upload = { ...context.newUpload(image, place, 1), principal, backendUploadId }
        return (await store.uploads.create({ ...upload, limits: { endedOfPrincipal: 3 } })).id
      }
      const kept = await start('alice', 'parts that may still be there')
      assert.equal(await store.uploads.move(kept, 'open', 'aborted', 0), true)
      const foreign = await start('bob')
      assert.equal(await store.uploads.move(foreign, 'open', 'aborted', 0), true)
      for (let count = 1; count <= 8; count += 1) {
        const id = await start()
        ids.push(id)
        assert.equal(await store.uploads.move(id, 'open', count % 4 === 0 ? 'expired' : 'aborted', count), true)
      }
      await start()
      const there: boolean[] = []
      for (const id of ids) there.push((await store.uploads.find(id)) !== undefined)
      assert.deepEqual(there, [false, false, false, true, true, true, true, true])
      assert.ok((await store.uploads.find(kept)) && (await store.uploads.find(foreign)))
    },
    'a search shows the beginning of long texts, and some of the signers and tags': async (context) => {
      const { store } = context
      const fingerprints = Array.from({ length: 40 }, (_, index) => String(index).padStart(40, 'A'))
      const description = `needle ${'x'.repeat(5000)}`
      const tags = Array.from({ length: 120 }, (_, index) => `t${String(index).padStart(3, '0')}`)
      for (const count of [15, 16, 17, 40]) {
        const place = await context.place({ container: `signers${count}`, description })
        await context.publish(place, { description, tags, fingerprints: fingerprints.slice(0, count) })
      }
      const { images, containers } = await store.search({ value: 'needle', visibility: 'all', limit: 10 })
      assert.deepEqual(images.map(({ image }) => image.fingerprints.length).sort(), [15, 16, 16, 16])
      for (const { image, container, tags: shown } of images) {
        assert.deepEqual(image.fingerprints, fingerprints.slice(0, image.fingerprints.length))
        assert.deepEqual(shown, tags.slice(0, 101))
        for (const text of [image.description, container.description]) assert.equal(text, description.slice(0, 1025))
      }
      for (const container of containers) assert.equal(container.description, description.slice(0, 1025))
    },
  },
}
