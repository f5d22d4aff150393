import { assert } from '../assert.js'
import type { MetadataGroup } from './context.js'

export const imageTests: MetadataGroup = {
  name: 'images',
  tests: {
    'createIfAbsent creates a pending image once per container and digest': async (context) => {
      const { store } = context
      const { container } = await context.place()
      const image = {
        id: context.id(),
        containerId: container.id,
        digest: context.digest(),
        description: 'd',
        owner: 'p1',
        now: 5,
      }
      const expected = {
        ...{
          id: image.id,
          containerId: container.id,
          digest: image.digest,
          description: 'd',
          state: 'pending',
          size: 0,
          blobKey: null,
          arch: null,
        },
        ...{
          archFromHeader: false,
          signed: null,
          encrypted: null,
          fingerprints: [],
          owner: 'p1',
          createdAt: 5,
          updatedAt: 5,
          publishedAt: null,
        },
      }
      assert.deepEqual(await store.images.createIfAbsent(image), { record: expected, created: true, shared: false })
      assert.deepEqual(
        await store.images.createIfAbsent({ ...image, id: context.id(), description: 'other', now: 9 }),
        {
          ...{ record: expected, created: false, shared: false },
        },
      )
      assert.deepEqual(await store.images.find(image.id), { image: expected, container })
      const { container: other } = await context.place()
      assert.equal(
        (await store.images.createIfAbsent({ ...image, id: context.id(), containerId: other.id })).created,
        true,
      )
      assert.equal(await store.images.find(context.id()), undefined)
    },
    'createIfAbsent throws parent-missing without the container': async (context) => {
      const image = {
        id: context.id(),
        containerId: context.id(),
        digest: context.digest(),
        description: '',
        owner: null,
        now: 1,
      }
      await assert.rejects(context.store.images.createIfAbsent(image), {
        name: 'MetadataError',
        code: 'parent-missing',
      })
    },
    'findByPath finds a digest in any state': async (context) => {
      const { store } = context
      const place = await context.place()
      const path = context.pathOf(place)
      const pending = await context.image(place.container)
      const published = await context.publish(place)
      assert.deepEqual(await store.images.findByPath(path, { digest: pending.digest }), {
        image: pending,
        container: place.container,
      })
      assert.equal((await store.images.findByPath(path, { digest: published.digest }))?.image.state, 'published')
      await store.images.setState(published.id, ['published'], 'damaged', context.now())
      assert.equal((await store.images.findByPath(path, { digest: published.digest }))?.image.state, 'damaged')
      assert.equal(await store.images.findByPath(path, { digest: context.digest() }), undefined)
      const other = await context.place()
      assert.equal(await store.images.findByPath(context.pathOf(other), { digest: pending.digest }), undefined)
    },
    'findByPath finds what a tag of an arch points at': async (context) => {
      const { store } = context
      const place = await context.place()
      const path = context.pathOf(place)
      const amd = await context.publish(place, { arch: 'amd64', tags: ['latest', '1.0'] })
      const arm = await context.publish(place, { arch: 'arm64', tags: ['latest'] })
      assert.deepEqual(await store.images.findByPath(path, { tag: 'latest', arch: 'amd64' }), {
        image: amd,
        container: place.container,
      })
      assert.equal((await store.images.findByPath(path, { tag: 'latest', arch: 'arm64' }))?.image.id, arm.id)
      assert.equal((await store.images.findByPath(path, { tag: '1.0', arch: 'amd64' }))?.image.id, amd.id)
      assert.equal(await store.images.findByPath(path, { tag: '1.0', arch: 'arm64' }), undefined)
      assert.equal(await store.images.findByPath(path, { tag: 'LATEST', arch: 'amd64' }), undefined)
      assert.equal(
        await store.images.findByPath({ ...path, container: 'nothing' }, { tag: 'latest', arch: 'amd64' }),
        undefined,
      )
      await store.images.setState(amd.id, ['published'], 'damaged', context.now())
      assert.equal(
        (await store.images.findByPath(path, { tag: 'latest', arch: 'amd64' }))?.image.state,
        'damaged',
        'a tag finds whatever it points at',
      )
    },
    'findPublished finds the published images with these bytes, newest first': async (context) => {
      const { store } = context
      const digest = context.digest()
      const ids: string[] = []
      for (const state of ['published', 'published', 'unproven', 'published'] as const) {
        const place = await context.place()
        const image = await context.publish(place, { digest, state })
        if (state === 'published') ids.unshift(image.id)
      }
      await context.image((await context.place()).container, { digest })
      const found = await store.images.findPublished(digest, 10)
      assert.deepEqual(
        found.map(({ image }) => image.id),
        ids,
      )
      assert.equal(found[0]?.container.id, found[0]?.image.containerId)
      assert.equal((await store.images.findPublished(digest, 2)).length, 2)
      assert.deepEqual(await store.images.findPublished(context.digest(), 10), [])
    },
    'tagsOf lists the tags of one image by arch and name': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place)
      const other = await context.publish(place, { tags: ['z'] })
      const set = (arch: string, tag: string, now: number) =>
        store.tags.set({ containerId: place.container.id, arch, tag, imageId: image.id, now })
      await set('arm64', 'a', 1)
      await set('amd64', 'b', 2)
      await set('amd64', 'a', 3)
      const tag = (arch: string, name: string, updatedAt: number) => ({ arch, tag: name, imageId: image.id, updatedAt })
      assert.deepEqual(await store.images.tagsOf(image.id), [
        tag('amd64', 'a', 3),
        tag('amd64', 'b', 2),
        tag('arm64', 'a', 1),
      ])
      assert.equal((await store.images.tagsOf(other.id)).length, 1)
      assert.deepEqual(await store.images.tagsOf(context.id()), [])
    },
    'setState is a compare-and-set': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place, { state: 'unproven' })
      assert.equal(await store.images.setState(image.id, ['published'], 'damaged', 1), false)
      const later = image.updatedAt + 900
      assert.equal(await store.images.setState(image.id, ['published', 'unproven'], 'damaged', later), true)
      assert.deepEqual(await context.read(image.id), { ...image, state: 'damaged', updatedAt: later })
      await context.assertUsage(place.entity, { used: 1000, reserved: 0 })
      assert.equal(await store.images.setState(image.id, ['damaged'], 'published', 901), true)
      assert.equal(await store.images.setState(image.id, [], 'damaged', 902), false)
      assert.equal(
        await store.images.setState(image.id, ['published'], 'damaged', 903, { blobKey: 'another blob' }),
        false,
      )
      assert.equal(await store.images.setState(image.id, ['published'], 'damaged', 903, { blobKey: null }), false)
      assert.equal((await context.read(image.id)).state, 'published')
      assert.equal(
        await store.images.setState(image.id, ['published'], 'damaged', 904, { blobKey: image.blobKey }),
        true,
      )
      assert.equal(await store.images.setState(context.id(), ['published'], 'damaged', 1), false)
    },
    'setState never publishes an image without bytes': async (context) => {
      const { container } = await context.place()
      const image = await context.image(container)
      assert.equal(await context.store.images.setState(image.id, ['pending'], 'published', 1), false)
      assert.deepEqual(await context.read(image.id), image)
    },
    'setArchIfUnknown lets the first caller win': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place)
      const archs = ['amd64', 'arm64', 'riscv64', 's390x']
      const results = await context.race(20, (instance, caller) =>
        instance.images.setArchIfUnknown(image.id, archs[caller % 4] ?? '', 900),
      )
      const now = await context.read(image.id)
      assert.ok(archs.includes(now.arch ?? ''))
      assert.deepEqual(new Set(results.map((record) => record?.arch)), new Set([now.arch]))
      assert.equal(now.archFromHeader, false)
      const known = await context.publish(place, { arch: 'ppc64le' })
      assert.deepEqual(await store.images.setArchIfUnknown(known.id, 'amd64', 1), known)
      assert.equal(await store.images.setArchIfUnknown(context.id(), 'amd64', 1), undefined)
    },
    'list walks by id, in the states asked for': async (context) => {
      const { store } = context
      const place = await context.place()
      const pending = await context.image(place.container)
      const published = await context.publish(place)
      const unproven = await context.publish(place, { state: 'unproven' })
      const ids = async (page: Parameters<typeof store.images.list>[0]) =>
        (await store.images.list(page)).map(({ image }) => image.id)
      assert.deepEqual(await ids({ limit: 2 }), [pending.id, published.id])
      assert.deepEqual(await ids({ after: published.id, limit: 2 }), [unproven.id])
      assert.deepEqual(await ids({ limit: 9, states: ['unproven', 'pending'] }), [pending.id, unproven.id])
      assert.deepEqual(await ids({ limit: 9, states: ['damaged'] }), [])
    },
    'delete takes the tags along, gives the usage back and leaves the blob unreferenced': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place, { tags: ['a', 'b'], size: 500 })
      const other = await context.publish(place, { tags: ['c'], size: 70 })
      assert.equal((await store.blobs.find(image.blobKey ?? ''))?.unreferencedAt, null)
      assert.equal(await store.images.delete(image.id, 777), true)
      assert.equal(await store.images.delete(image.id, 778), false)
      assert.equal(await store.images.find(image.id), undefined)
      assert.deepEqual(
        (await store.tags.list(place.container.id)).map(({ tag }) => tag),
        ['c'],
      )
      assert.equal((await store.blobs.find(image.blobKey ?? ''))?.unreferencedAt, 777)
      assert.equal((await store.blobs.find(other.blobKey ?? ''))?.unreferencedAt, null)
      await context.assertUsage(place.entity, { used: 70, reserved: 0 })
      const page = await store.search({ value: place.container.name, visibility: 'all', limit: 10 })
      assert.deepEqual(
        page.images.map(({ image: found }) => found.id),
        [other.id],
      )
    },
    'delete aborts the open uploads of the image and gives their reservations back': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const open = [await context.upload(image, place, 10), await context.upload(image, place, 20)]
      const stranger = await context.upload(await context.image(place.container), place, 5)
      assert.equal(await store.images.delete(image.id, 900), true)
      for (const { id } of open) {
        assert.equal((await store.uploads.find(id))?.state, 'aborted')
        assert.equal((await store.uploads.find(id))?.updatedAt, 900)
      }
      assert.equal((await store.uploads.find(stranger.id))?.state, 'open')
      await context.assertUsage(place.entity, { used: 0, reserved: 5 })
    },
  },
}
