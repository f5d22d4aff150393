import type { MetadataStore } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup, Place } from './context.js'

const common = { visibility: 'all', limit: 50 } as const

/** That nobody finds anything of the container. */
async function assertGone(
  context: MetadataContext,
  { entity, collection, container }: Place,
  images: readonly string[],
): Promise<void> {
  const { store } = context
  assert.equal(await store.containers.find(container.id), undefined)
  assert.equal(await store.containers.findSummary(container.id), undefined)
  assert.equal(await store.containers.findByPath(context.pathOf({ container })), undefined)
  for (const id of images) {
    assert.equal(await store.images.find(id), undefined)
    assert.equal(await store.images.findSummary(id), undefined)
  }
  assert.deepEqual(await store.tags.list(container.id), [])
  const shown = (await store.containers.page({ ...common, sort: 'name', entities: [entity.name] })).items
  assert.ok(shown.every(({ id }) => id !== container.id))
  const listed = await store.containers.listOf(collection.id, { limit: 100 })
  assert.ok(listed.every(({ id }) => id !== container.id))
  const search = await store.search({ value: container.name, visibility: 'all', limit: 9 })
  assert.ok(search.containers.every(({ id }) => id !== container.id))
  assert.ok(search.images.every((found) => found.container.id !== container.id))
}

export const deletionTests: MetadataGroup = {
  name: 'deletions',
  tests: {
    'a container goes with images, tags and uploads; its name is free, its bytes are given back': async (context) => {
      const { store } = context
      const place = await context.place({ container: 'doomed', description: 'doomed to go' })
      const sibling = await context.publish(
        { ...place, container: (await context.place({ entity: place.entity.name })).container },
        { size: 3 },
      )
      const images = [
        await context.publish(place, { size: 10, tags: ['a', 'b'] }),
        await context.publish(place, { size: 20, arch: 'arm64', tags: ['a'] }),
        await context.publish(place, { size: 5, digest: sibling.digest }),
      ]
      const pending = await context.image(place.container)
      const open = await context.upload(pending, place, 77)
      const completing = await context.completing(pending, place, 7)
      const { id } = place.container
      assert.deepEqual(await store.containers.preview(id), {
        collections: 0,
        containers: 1,
        images: 3,
        tags: 3,
        bytes: 35,
      })
      assert.deepEqual(await store.images.preview(images[0]?.id ?? ''), {
        collections: 0,
        containers: 0,
        images: 1,
        tags: 2,
        bytes: 10,
      })
      const activity = { actor: { id: 'u1', name: 'ann', via: 'session' } } as const
      assert.equal(await store.containers.delete(id, { now: 99, activity }), true)
      assert.equal(await store.containers.delete(id, { now: 99, activity }), false)
      await assertGone(context, place, [...images.map((image) => image.id), pending.id])
      assert.equal((await store.uploads.find(open.id))?.state, 'aborted')
      await context.assertUsage(place.entity, { used: 3, reserved: 7 })
      const late = {
        imageId: pending.id,
        uploadId: completing.id,
        blob: context.facts(completing.key),
        state: 'published',
        now: 1,
      } as const
      assert.equal(await store.images.publish(late), 'gone')
      await context.assertUsage(place.entity, { used: 3, reserved: 0 })
      for (const image of images) assert.notEqual((await store.blobs.find(image.blobKey ?? ''))?.unreferencedAt, null)
      const events = (await store.events.page({ limit: 9 })).items
      assert.deepEqual(
        events.map(({ action, path, details }) => ({ action, path, details })),
        [
          {
            action: 'container.deleted',
            path: `${place.entity.name}/default/doomed`,
            details: { images: 3, bytes: 35 },
          },
        ],
      )
      assert.ok((await store.containers.history(id, { limit: 9 })).length > 0, 'history stays')
      const again = await context.place({ entity: place.entity.name, container: 'doomed' })
      assert.notEqual(again.container.id, id)
      assert.equal(await store.containers.preview(id), undefined)
    },
    'a large container goes whole, also where the process dies in between': async (context) => {
      const { store } = context
      const place = await context.place()
      const ids: string[] = []
      for (let count = 0; count < 120; count += 1)
        ids.push((await context.publish(place, { size: 1, tags: count === 0 ? ['t'] : [] })).id)
      const [one = store, two = store] = context.instances
      // both go on with it, and one of them may have stopped anywhere
      const results = await Promise.all([
        one.containers.delete(place.container.id, { now: 5 }),
        two.containers.finishDeletions(5),
      ])
      assert.equal(results[0], true)
      await two.containers.finishDeletions(5)
      assert.equal(await two.containers.finishDeletions(5), 0)
      await assertGone(context, place, ids)
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
    },
    'nothing is half deleted for whoever pushes or moves tags meanwhile': async (context) => {
      const place = await context.place()
      const image = await context.publish(place, { tags: ['t'] })
      const spare = await context.publish(place)
      const uploads = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const fresh = await context.image(place.container)
          return { fresh, upload: await context.completing(fresh, place, 9) }
        }),
      )
      await context.race(14, async (store: MetadataStore, caller): Promise<void> => {
        const job = uploads[caller]
        if (caller === 6) await store.containers.delete(place.container.id, { now: 50 })
        else if (job === undefined)
          await store.tags
            .set({
              containerId: place.container.id,
              arch: 'amd64',
              tag: 't',
              imageId: caller % 2 === 0 ? image.id : spare.id,
              now: 50,
            })
            .catch((error: unknown) => assert.equal((error as { code?: string }).code, 'image-missing'))
        else {
          const blob = context.facts(job.upload.key, { size: 9 })
          const outcome = await store.images.publish({
            imageId: job.fresh.id,
            uploadId: job.upload.id,
            blob,
            state: 'published',
            now: 50,
          })
          assert.ok(outcome === 'published' || outcome === 'gone')
        }
      })
      await assertGone(context, place, [image.id, spare.id])
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
      const entity = await context.store.entities.findSummary(place.entity.id)
      assert.equal(entity?.imageCount, 0)
    },
    'a collection and an entity go when they are empty, or recursively': async (context) => {
      const { store } = context
      const place = await context.place({ collection: 'col' })
      await context.publish(place, { size: 4, tags: ['t'] })
      await context.publish(await context.place({ entity: place.entity.name, collection: 'other' }), { size: 6 })
      const activity = { actor: { id: 'u1', name: 'ann', via: 'session' } } as const
      const { entity, collection } = place
      assert.deepEqual(await store.collections.preview(collection.id), {
        collections: 1,
        containers: 1,
        images: 1,
        tags: 1,
        bytes: 4,
      })
      assert.deepEqual(await store.entities.preview(entity.id), {
        collections: 2,
        containers: 2,
        images: 2,
        tags: 1,
        bytes: 10,
      })
      assert.equal(await store.collections.delete(collection.id, { now: 1 }), 'not-empty')
      assert.equal(await store.entities.delete(entity.id, { now: 1 }), 'not-empty')
      assert.equal(await store.collections.delete(collection.id, { now: 1, recursive: true, activity }), 'deleted')
      assert.equal(await store.collections.delete(collection.id, { now: 1, recursive: true }), 'gone')
      await context.assertUsage(entity, { used: 6, reserved: 0 })
      assert.equal(await store.entities.delete(entity.id, { now: 1, recursive: true, activity }), 'deleted')
      assert.equal(await store.entities.delete(entity.id, { now: 1 }), 'gone')
      assert.equal(await store.entities.findByName(entity.name), undefined)
      assert.equal(await store.collections.find(collection.id), undefined)
      assert.equal(await store.collections.preview(collection.id), undefined)
      assert.equal(await store.entities.preview(entity.id), undefined)
      const told = (await store.events.page({ limit: 20 })).items
        .map(({ action, path }) => `${action} ${path}`)
        .reverse()
      assert.deepEqual(
        told.map((line) => line.split(' ')[0]),
        [...['container.deleted', 'collection.deleted', 'container.deleted', 'collection.deleted', 'entity.deleted']],
      )
      assert.equal(told.at(-1), `entity.deleted ${entity.name}`)
      const found = await store.search({ value: entity.name, visibility: 'all', limit: 9 })
      assert.deepEqual([found.entities, found.collections, found.containers, found.images], [[], [], [], []])
      const empty = await context.place()
      await store.containers.delete(empty.container.id, { now: 1 })
      assert.equal(await store.collections.delete(empty.collection.id, { now: 1 }), 'deleted')
      assert.equal(await store.entities.delete(empty.entity.id, { now: 1 }), 'deleted')
    },
    'what was made in a place in the meantime is either gone with it, or kept the place': async (context) => {
      const place = await context.place()
      const results = await context.race(10, async (store, caller) => {
        if (caller === 4) return store.collections.delete(place.collection.id, { now: 1, recursive: true })
        return store.containers
          .createIfAbsent({
            ...{
              id: context.id(),
              collectionId: place.collection.id,
              name: `new-${caller}`,
              description: '',
              private: false,
            },
            ...{ owner: null, now: 1 },
          })
          .then(
            () => 'made',
            (error: unknown) => (error as { code?: string }).code,
          )
      })
      assert.ok(
        results.every(
          (result) =>
            result === 'made' || result === 'parent-missing' || result === 'deleted' || result === 'not-empty',
        ),
      )
      const left = await context.store.containers.listOf(place.collection.id, { limit: 99 })
      assert.equal(results[4] === 'deleted' ? left.length : 0, 0)
      assert.equal((await context.store.collections.find(place.collection.id)) === undefined, results[4] === 'deleted')
    },
    'each deletion is noted for the sidecars': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place)
      await store.changes.acknowledge((await store.changes.list({ limit: 1000 })).map(({ seq }) => seq))
      await store.entities.delete(place.entity.id, { now: 1, recursive: true })
      const noted = (await store.changes.list({ limit: 99 })).map(({ kind, id }) => `${kind} ${id}`)
      const { container, collection, entity } = place
      assert.deepEqual(noted, [
        `container ${container.id}`,
        `image ${image.id}`,
        `collection ${collection.id}`,
        `entity ${entity.id}`,
      ])
    },
    'a description that changes is found, and the one before is not': async (context) => {
      const { store } = context
      const place = await context.place({ description: 'ancient words' })
      const image = await context.publish(place, { description: 'vintage', tags: ['t'] })
      const counts = async (value: string) => {
        const found = await store.search({ value, visibility: 'all', limit: 9 })
        return [found.entities.length, found.collections.length, found.containers.length, found.images.length]
      }
      assert.deepEqual(await counts('ancient'), [0, 1, 1, 1])
      const { record } = {
        record: await store.containers.update(place.container.id, { description: 'modern art', now: 1 }),
      }
      assert.equal(record?.description, 'modern art')
      assert.deepEqual(await counts('ancient'), [0, 1, 0, 0])
      assert.deepEqual(await counts('modern art'), [0, 0, 1, 1])
      await store.collections.update(place.collection.id, { description: 'a modern art museum', now: 1 })
      await store.entities.update(place.entity.id, { description: 'patron of modern art', now: 1 })
      assert.deepEqual(await counts('modern art'), [1, 1, 1, 1])
      assert.equal((await store.images.update(image.id, { description: 'baroque', now: 1 }))?.description, 'baroque')
      assert.deepEqual(await counts('vintage'), [0, 0, 0, 0])
      assert.deepEqual(await counts('baroque'), [0, 0, 0, 1])
      assert.equal(await store.images.update(context.id(), { description: '', now: 1 }), undefined)
      assert.equal(await store.containers.update(context.id(), { description: '', now: 1 }), undefined)
    },
  },
}
