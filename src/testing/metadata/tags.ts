import type { ImageRecord, MetadataStore } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataGroup } from './context.js'

export const tagTests: MetadataGroup = {
  name: 'tags',
  tests: {
    'set tells what it replaced': async (context) => {
      const { store } = context
      const place = await context.place()
      const [one, two] = [await context.publish(place), await context.publish(place, { state: 'unproven' })]
      const set = (imageId: string, now: number) =>
        store.tags.set({ containerId: place.container.id, arch: 'amd64', tag: 'latest', imageId, now })
      const replaced = (image: ImageRecord | undefined) => ({
        ...{ isSet: true, previous: image?.id, previousDigest: image?.digest },
      })
      assert.deepEqual(await set(one.id, 1), replaced(undefined))
      assert.deepEqual(await set(two.id, 2), replaced(one))
      assert.deepEqual(await set(two.id, 3), replaced(two))
      assert.deepEqual(await store.tags.list(place.container.id), [
        { arch: 'amd64', tag: 'latest', imageId: two.id, updatedAt: 3 },
      ])
      assert.ok(await store.images.find(one.id), 'an image that lost its last tag to another one stays')
    },
    'set throws image-missing for what is not a visible image of the container': async (context) => {
      const { store } = context
      const place = await context.place()
      const set = (imageId: string, containerId = place.container.id) =>
        store.tags.set({ containerId, arch: 'amd64', tag: 'latest', imageId, now: 1 })
      const refused = { name: 'MetadataError', code: 'image-missing' }
      await assert.rejects(set(context.id()), refused, 'no such image')
      await assert.rejects(set((await context.image(place.container)).id), refused, 'pending')
      await assert.rejects(set((await context.publish(await context.place())).id), refused, 'of another container')
      const image = await context.publish(place)
      await assert.rejects(set(image.id, context.id()), refused, 'no such container')
      await store.images.setState(image.id, ['published'], 'damaged', 1)
      await assert.rejects(set(image.id), refused, 'damaged')
      assert.deepEqual(await store.tags.list(place.container.id), [])
    },
    'set with what is expected happens only where the tag points there': async (context) => {
      const { store } = context
      const place = await context.place()
      const [one, two] = [await context.publish(place), await context.publish(place)]
      const set = (imageId: string, expected: string | null) =>
        store.tags.set({ containerId: place.container.id, arch: 'amd64', tag: 'v', imageId, now: 1, expected })
      const none = { previous: undefined, previousDigest: undefined }
      assert.deepEqual(await set(one.id, one.digest), { isSet: false, ...none })
      assert.deepEqual(await set(one.id, null), { isSet: true, ...none })
      const atOne = { previous: one.id, previousDigest: one.digest }
      assert.deepEqual(await set(two.id, null), { isSet: false, ...atOne })
      assert.deepEqual(await set(two.id, two.digest), { isSet: false, ...atOne })
      assert.equal((await store.tags.find(place.container.id, 'amd64', 'v'))?.image.digest, one.digest)
      assert.deepEqual(await set(two.id, one.digest), { isSet: true, ...atOne })
      assert.equal((await store.tags.find(place.container.id, 'amd64', 'v'))?.image.digest, two.digest)
      assert.equal(await store.tags.find(place.container.id, 'arm64', 'v'), undefined)
      assert.equal((await store.containers.history(place.container.id, { limit: 9 })).length, 2)
    },
    'of two who expect the same one wins': async (context) => {
      const place = await context.place()
      const images = [await context.publish(place), await context.publish(place), await context.publish(place)]
      const set = (store: MetadataStore, imageId: string, expected: string | null) =>
        store.tags.set({ containerId: place.container.id, arch: 'amd64', tag: 'v', imageId, now: 1, expected })
      await set(context.store, images[0]?.id ?? '', null)
      const results = await context.race(8, (store, caller) =>
        set(store, images[1 + (caller % 2)]?.id ?? '', images[0]?.digest ?? ''),
      )
      assert.equal(results.filter(({ isSet }) => isSet).length, 1)
    },
    'remove with keepImage takes the last tag, and the image stays without one': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place, { tags: ['only'] })
      const containerId = place.container.id
      const tag = { containerId, arch: 'amd64', tag: 'only', imageId: image.id, now: 1, keepImage: true }
      assert.equal(await store.tags.remove(tag), 'removed')
      assert.equal(await store.tags.remove(tag), 'gone')
      assert.equal((await store.images.find(image.id))?.image.state, 'published')
      const untagged = await store.images.page({ containerId, sort: '-publishedAt', untagged: true, limit: 9 })
      assert.deepEqual(
        untagged.items.map(({ id }) => id),
        [image.id],
      )
      assert.deepEqual(
        (await store.images.page({ containerId, sort: '-publishedAt', untagged: false, limit: 9 })).items,
        [],
      )
    },
    'list is ordered by arch and tag': async (context) => {
      const place = await context.place()
      await context.publish(place, { arch: 'arm64', tags: ['b', 'a'] })
      await context.publish(place, { arch: 'amd64', tags: ['z', '1.0', 'B'] })
      await context.publish(await context.place(), { tags: ['other'] })
      const tags = (await context.store.tags.list(place.container.id)).map(({ arch, tag }) => `${arch}:${tag}`)
      assert.deepEqual(tags, ['amd64:1.0', 'amd64:B', 'amd64:z', 'arm64:a', 'arm64:b'])
      assert.deepEqual(await context.store.tags.list(context.id()), [])
    },
    'remove takes one tag of one arch, and the image with its last tag': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place, { tags: ['a', 'b'] })
      const containerId = place.container.id
      await store.tags.set({ containerId, arch: 'arm64', tag: 'a', imageId: image.id, now: 1 })
      const remove = (arch: string, tag: string) =>
        store.tags.remove({ containerId, arch, tag, imageId: image.id, now: 900 })
      assert.equal(await remove('s390x', 'a'), 'gone')
      assert.equal(await remove('amd64', 'c'), 'gone')
      assert.equal(await remove('amd64', 'a'), 'removed')
      assert.equal(await remove('amd64', 'b'), 'removed')
      assert.equal(await remove('amd64', 'a'), 'gone')
      assert.equal(await remove('arm64', 'a'), 'image-deleted')
      assert.equal(await store.images.find(image.id), undefined)
      assert.equal((await store.blobs.find(image.blobKey ?? ''))?.unreferencedAt, 900)
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
    },
    'remove leaves a tag that points at another image': async (context) => {
      const { store } = context
      const place = await context.place()
      const containerId = place.container.id
      const [old, young] = [
        await context.publish(place, { tags: ['a'] }),
        await context.publish(place, { tags: ['a'] }),
      ]
      const before = await store.tags.list(containerId)
      const remove = (imageId: string) => store.tags.remove({ containerId, arch: 'amd64', tag: 'a', imageId, now: 900 })
      assert.equal(await remove(old.id), 'moved')
      assert.equal(await remove(context.id()), 'moved')
      assert.deepEqual(await store.tags.list(containerId), before)
      assert.ok((await store.images.find(old.id)) && (await store.images.find(young.id)), 'both images are there')
      assert.equal(await remove(young.id), 'image-deleted')
    },
    'a thousand tags of one container, each found by its name': async (context) => {
      const { store } = context
      const place = await context.place()
      const images = [await context.publish(place), await context.publish(place)]
      const imageOf = (index: number) => images[index % 2]?.id ?? ''
      for (let index = 0; index < 1000; index += 1) {
        await store.tags.set({
          containerId: place.container.id,
          arch: 'amd64',
          tag: `v${index}`,
          imageId: imageOf(index),
          now: 1,
        })
      }
      assert.equal((await store.tags.list(place.container.id)).length, 1000)
      for (const index of [0, 1, 500, 999]) {
        assert.equal(
          (await store.images.findByPath(context.pathOf(place), { tag: `v${index}`, arch: 'amd64' }))?.image.id,
          imageOf(index),
        )
      }
    },
  },
}
