import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup } from './context.js'

const callers = 50

/** One created, and everybody has the same record. */
function assertOneCreated(
  results: readonly { readonly record: { readonly id: string }; readonly created: boolean }[],
): void {
  assert.equal(results.filter(({ created }) => created).length, 1, 'exactly one caller created it')
  assert.equal(new Set(results.map(({ record }) => record.id)).size, 1, 'all have the same record')
}

const settled = async <R>(calls: readonly Promise<R>[]) => {
  const results = await Promise.allSettled(calls)
  return {
    done: results.filter((result) => result.status === 'fulfilled').length,
    failed: results.filter((result) => result.status === 'rejected'),
  }
}

async function assertRefused(failed: readonly PromiseRejectedResult[], code: string): Promise<void> {
  for (const { reason } of failed) assert.equal(reason.code, code, String(reason))
}

async function tagIds(context: MetadataContext, containerId: string): Promise<string[]> {
  return (await context.store.tags.list(containerId)).map(({ imageId }) => imageId)
}

export const creationRaces: MetadataGroup = {
  name: 'callers at the same time: creating',
  tests: {
    'fifty create the same entity': async (context) => {
      const common = { name: 'alice', description: '', defaultPrivate: false, owner: null }
      assertOneCreated(
        await context.race(callers, (store) =>
          store.entities.createIfAbsent({ ...common, id: context.id(), now: context.now() }),
        ),
      )
    },
    'fifty create the same collection, container and image': async (context) => {
      const { entity, collection, container } = await context.place()
      const common = { name: 'raced', description: '', private: false, owner: null }
      assertOneCreated(
        await context.race(callers, (store) =>
          store.collections.createIfAbsent({ ...common, id: context.id(), entityId: entity.id, now: context.now() }),
        ),
      )
      assertOneCreated(
        await context.race(callers, (store) =>
          store.containers.createIfAbsent({
            ...common,
            id: context.id(),
            collectionId: collection.id,
            now: context.now(),
          }),
        ),
      )
      const digest = context.digest()
      const image = { containerId: container.id, digest, description: '', owner: null }
      assertOneCreated(
        await context.race(callers, (store) =>
          store.images.createIfAbsent({ ...image, id: context.id(), now: context.now() }),
        ),
      )
      const page = await context.store.search({ value: 'raced', visibility: 'all', limit: 100 })
      assert.deepEqual([page.collections.length, page.containers.length], [1, 1])
    },
    'fifty shareBytes the same bytes into one container': async (context) => {
      const source = await context.publish(await context.place(), { size: 300 })
      const { entity, container } = await context.place()
      const image = {
        containerId: container.id,
        digest: source.digest,
        description: '',
        owner: null,
        shareBytes: { imageId: source.id, defaultQuotaBytes: 300 },
      }
      const results = await context.race(callers, (store) =>
        store.images.createIfAbsent({ ...image, id: context.id(), now: context.now() }),
      )
      assertOneCreated(results)
      assert.deepEqual(new Set(results.map(({ record }) => record.state)), new Set(['published']))
      await context.assertUsage(entity, { used: 300, reserved: 0 })
    },
    'fifty create the same user, and set the same setting': async (context) => {
      const calls = context.race(callers, (store) =>
        store.accounts.createUser({ id: context.id(), name: 'alice', admin: false, groups: [], createdAt: 1 }).then(
          () => true,
          (error: { code: string }) => error.code !== 'exists' && Promise.reject(error),
        ),
      )
      assert.equal((await calls).filter(Boolean).length, 1)
      const values = await context.race(callers, (store, caller) =>
        store.settings.getOrSet('secret', `value-${caller}`),
      )
      assert.equal(new Set(values).size, 1)
      assert.equal(await context.store.settings.get('secret'), values[0])
    },
    'containers made while their collection becomes private are private': async (context) => {
      const { entity, collection } = await context.place()
      const common = { collectionId: collection.id, description: '', private: false, owner: null }
      await context.race(callers, async (store, caller): Promise<unknown> => {
        if (caller === callers / 2) return store.collections.update(collection.id, { private: true, now: 1 })
        return store.containers.createIfAbsent({ ...common, id: context.id(), name: `c${caller}`, now: context.now() })
      })
      const path = { entity: entity.name, collection: collection.name }
      const names = Array.from({ length: callers }, (_, caller) => `c${caller}`).filter(
        (_, caller) => caller !== callers / 2,
      )
      const containers = await Promise.all(
        names.map((container) => context.store.containers.findByPath({ ...path, container })),
      )
      assert.deepEqual(
        containers.filter((container) => container?.collectionPrivate !== true),
        [],
      )
    },
  },
}

export const pushRaces: MetadataGroup = {
  name: 'callers at the same time: pushing',
  tests: {
    'uploads that pass the quota together do not all get in': async (context) => {
      const place = await context.place()
      const image = await context.image(place.container)
      const { done, failed } = await settled(
        Array.from({ length: callers }, (_, caller) => {
          const store = context.instances[caller % context.instances.length] ?? context.store
          return store.uploads.create({ ...context.newUpload(image, place, 100), defaultQuotaBytes: 750 })
        }),
      )
      assert.equal(done, 7)
      await assertRefused(failed, 'quota-exceeded')
      await context.assertUsage(place.entity, { used: 0, reserved: 700 })
    },
    'a compare-and-set has exactly one winner': async (context) => {
      const place = await context.place()
      const upload = await context.upload(await context.image(place.container), place, 10)
      const won = await context.race(callers, (store, caller) =>
        store.uploads.move(upload.id, 'open', caller % 2 === 0 ? 'completing' : 'aborted', caller),
      )
      assert.equal(won.filter(Boolean).length, 1)
      const image = await context.publish(place, { state: 'unproven' })
      const proven = await context.race(callers, (store, caller) =>
        store.images.setState(image.id, ['unproven'], caller % 2 === 0 ? 'published' : 'damaged', caller),
      )
      assert.equal(proven.filter(Boolean).length, 1)
    },
    'two publish the same image: one does, the other one learns it': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const uploads = [await context.completing(image, place, 300), await context.completing(image, place, 300)]
      const results = await context.race(2, (instance, caller) => {
        const { id = '', key = '' } = uploads[caller] ?? {}
        return instance.images.publish({
          imageId: image.id,
          uploadId: id,
          blob: context.facts(key, { size: 300 }),
          state: 'published',
          now: 900,
        })
      })
      assert.deepEqual([...results].sort(), ['already', 'published'])
      const winner = uploads[results.indexOf('published')]
      assert.equal((await context.read(image.id)).blobKey, winner?.key)
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
      assert.equal((await store.search({ value: place.container.name, visibility: 'all', limit: 10 })).images.length, 1)
    },
    'publishing one upload from many sides happens once': async (context) => {
      const place = await context.place()
      const image = await context.image(place.container)
      const upload = await context.completing(image, place, 300)
      const change = {
        imageId: image.id,
        uploadId: upload.id,
        blob: context.facts(upload.key, { size: 300 }),
        state: 'published',
        now: 900,
      } as const
      const results = await context.race(callers, (store) => store.images.publish(change))
      assert.equal(results.filter((result) => result === 'published').length, 1)
      assert.equal(results.filter((result) => result === 'gone').length, callers - 1)
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'publish, abort and delete together leave exact counters': async (context) => {
      for (let round = 0; round < 5; round += 1) {
        const place = await context.place()
        const image = await context.image(place.container)
        const completing = await context.completing(image, place, 300)
        const open = await context.upload(image, place, 20)
        const publish = {
          imageId: image.id,
          uploadId: completing.id,
          blob: context.facts(completing.key, { size: 300 }),
          state: 'published',
          now: 900,
        } as const
        const calls: ((store: MetadataContext['store']) => Promise<unknown>)[] = [
          (store) => store.images.publish(publish),
          (store) => store.images.delete(image.id, 901),
          (store) => store.uploads.move(open.id, 'open', 'aborted', 902),
          (store) => store.uploads.move(completing.id, 'completing', 'open', 903),
          (store) =>
            store.uploads
              .create(context.newUpload(image, place, 7))
              .catch((error) => assert.equal(error.code, 'image-missing')),
          (store) => store.images.delete(image.id, 904),
        ]
        await context.race(
          calls.length,
          (store, caller) => calls[(caller + round) % calls.length]?.(store) ?? Promise.resolve(),
        )
        await context.assertConsistent()
      }
    },
  },
}

export const tagRaces: MetadataGroup = {
  name: 'callers at the same time: tags and blobs',
  tests: {
    'many set one tag: each learns what it replaced, and the last one stays': async (context) => {
      const place = await context.place()
      const images: string[] = []
      for (let count = 0; count < 10; count += 1) images.push((await context.publish(place)).id)
      const results = await context.race(10, (store, caller) =>
        store.tags.set({
          containerId: place.container.id,
          arch: 'amd64',
          tag: 'latest',
          imageId: images[caller] ?? '',
          now: caller,
        }),
      )
      const replaced = results.map(({ previous }) => previous)
      const [last = ''] = await tagIds(context, place.container.id)
      // in some order: every image but the last was replaced once, and one caller found the tag new
      assert.deepEqual(new Set([...replaced, last]), new Set([undefined, ...images]))
      const page = await context.store.search({ value: place.container.name, visibility: 'all', limit: 20 })
      assert.deepEqual(
        page.images.filter(({ tags }) => tags.length > 0).map(({ image }) => image.id),
        [last],
      )
    },
    'an image that loses its tags together is deleted once': async (context) => {
      const place = await context.place()
      const tags = Array.from({ length: 10 }, (_, index) => `t${index}`)
      const image = await context.publish(place, { tags })
      const results = await context.race(20, (store, caller) =>
        store.tags.remove({
          containerId: place.container.id,
          arch: 'amd64',
          tag: tags[caller % 10] ?? '',
          imageId: image.id,
          now: 900,
        }),
      )
      assert.equal(results.filter((result) => result !== 'gone').length, 10)
      assert.equal(results.filter((result) => result === 'image-deleted').length, 1)
      assert.equal(await context.store.images.find(image.id), undefined)
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
    },
    'a tag that moves while it is removed is removed from the image that was meant, or stays': async (context) => {
      const place = await context.place()
      const containerId = place.container.id
      for (let round = 0; round < 10; round += 1) {
        const [one, two] = [
          await context.publish(place, { tags: ['latest', 'one'] }),
          await context.publish(place, { tags: ['two'] }),
        ]
        const outcomes = await context.race(4, async (store, caller) => {
          if (caller === round % 4)
            return store.tags.set({ containerId, arch: 'amd64', tag: 'latest', imageId: two.id, now: 900 })
          return store.tags.remove({ containerId, arch: 'amd64', tag: 'latest', imageId: one.id, now: 900 })
        })
        assert.ok(outcomes.filter((outcome) => outcome === 'removed').length <= 1)
        // whichever came first, the tag was set, and nobody was asked to remove it from there
        assert.equal(
          (await context.store.images.findByPath(context.pathOf(place), { tag: 'latest', arch: 'amd64' }))?.image.id,
          two.id,
        )
      }
    },
    'a tag set while its image is deleted is refused or goes with it': async (context) => {
      for (let round = 0; round < 5; round += 1) {
        const place = await context.place()
        const image = await context.publish(place)
        await context.race(10, async (store, caller): Promise<unknown> => {
          if (caller === 3 + round) return store.images.delete(image.id, 900)
          const tag = {
            containerId: place.container.id,
            arch: 'amd64',
            tag: `t${caller}`,
            imageId: image.id,
            now: caller,
          }
          return store.tags.set(tag).catch((error) => assert.equal(error.code, 'image-missing'))
        })
        assert.deepEqual(await tagIds(context, place.container.id), [])
      }
    },
    'images that share a blob and are deleted together leave it unreferenced': async (context) => {
      const source = await context.publish(await context.place())
      const images = [source.id]
      for (let count = 0; count < 9; count += 1) {
        const { container } = await context.place()
        const { record } = await context.store.images.createIfAbsent({
          ...{
            id: context.id(),
            containerId: container.id,
            digest: source.digest,
            description: '',
            owner: null,
            now: 1,
          },
          shareBytes: { imageId: source.id, defaultQuotaBytes: 0 },
        })
        images.push(record.id)
      }
      const deleted = await context.race(images.length, (store, caller) =>
        store.images.delete(images[caller] ?? '', 900),
      )
      assert.deepEqual(new Set(deleted), new Set([true]))
      assert.equal((await context.store.blobs.find(source.blobKey ?? ''))?.unreferencedAt, 900)
    },
    'nobody adopts a blob that is being forgotten': async (context) => {
      for (let round = 0; round < 5; round += 1) {
        const source = await context.publish(await context.place())
        const places = await Promise.all(Array.from({ length: 4 }, () => context.place()))
        await context.race(9, async (store, caller): Promise<unknown> => {
          if (caller === 4) return store.images.delete(source.id, 900)
          if (caller > 4) return store.blobs.forgetIfUnreferenced(source.blobKey ?? '')
          const image = {
            id: context.id(),
            containerId: places[caller]?.container.id ?? '',
            digest: source.digest,
            description: '',
            owner: null,
            now: 1,
          }
          return store.images.createIfAbsent({ ...image, shareBytes: { imageId: source.id, defaultQuotaBytes: 0 } })
        })
        await context.assertConsistent()
      }
    },
  },
}
