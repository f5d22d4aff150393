import type { RecordChange } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup } from './context.js'

const targetOf = ({ kind, id }: RecordChange): string => `${kind} ${id}`

async function settleAll({ store }: MetadataContext): Promise<void> {
  await store.changes.acknowledge((await store.changes.list({ limit: 10_000 })).map(({ seq }) => seq))
}

/** What is noted from now on until the work is done. */
async function notedBy(context: MetadataContext, work: () => Promise<unknown>): Promise<readonly string[]> {
  await settleAll(context)
  await work()
  return [...new Set((await context.store.changes.list({ limit: 10_000 })).map(targetOf))].sort()
}

export const changeTests: MetadataGroup = {
  name: 'changes',
  tests: {
    'a new entity, collection and container are noted; one that is there already is not': async (context) => {
      const { store } = context
      const noted = await notedBy(context, async () => {
        await context.place({ entity: 'alice', container: 'bwa' })
      })
      const entity = await store.entities.findByName('alice')
      const container = await store.containers.findByPath({ entity: 'alice', collection: 'default', container: 'bwa' })
      assert.ok(entity && container)
      assert.deepEqual(noted, [
        `collection ${container.collectionId}`,
        `container ${container.id}`,
        `entity ${entity.id}`,
      ])
      assert.deepEqual(await notedBy(context, () => context.place({ entity: 'alice', container: 'bwa' })), [])
    },
    'what becomes private or gets a quota is noted; a missing one is not': async (context) => {
      const { store } = context
      const { entity, collection, container } = await context.place()
      assert.deepEqual(await notedBy(context, () => store.entities.update(entity.id, { quotaBytes: 5, now: 1 })), [
        `entity ${entity.id}`,
      ])
      assert.deepEqual(
        await notedBy(context, () => store.collections.update(collection.id, { private: true, now: 1 })),
        [`collection ${collection.id}`],
      )
      assert.deepEqual(await notedBy(context, () => store.containers.update(container.id, { private: true, now: 1 })), [
        `container ${container.id}`,
      ])
      const missing = context.id()
      const noted = await notedBy(context, async () => {
        await store.entities.update(missing, { defaultPrivate: true, now: 1 })
        await store.collections.update(missing, { private: true, now: 1 })
        await store.containers.update(missing, { private: true, now: 1 })
      })
      assert.deepEqual(noted, [])
    },
    'an image is noted with its digest when it gets bytes, and not before': async (context) => {
      const { store } = context
      const place = await context.place()
      let image = await context.image(place.container)
      const upload = await context.completing(image, place)
      assert.deepEqual(await notedBy(context, () => context.image(place.container, { digest: image.digest })), [])
      await settleAll(context)
      await store.images.publish({
        imageId: image.id,
        uploadId: upload.id,
        blob: context.facts(upload.key),
        state: 'unproven',
        now: 5,
      })
      image = await context.read(image.id)
      const [change, ...others] = await store.changes.list({ limit: 10 })
      assert.deepEqual({ ...change, seq: 0 }, { seq: 0, kind: 'image', id: image.id, digest: image.digest })
      assert.deepEqual(others, [])
      const { container: other } = await context.place()
      const proven = await notedBy(context, () => store.images.setState(image.id, ['unproven'], 'published', 6))
      assert.deepEqual(proven, [`image ${image.id}`])
      assert.deepEqual(await notedBy(context, () => store.images.setState(image.id, ['unproven'], 'published', 6)), [])
      assert.deepEqual(await notedBy(context, () => store.images.setArchIfUnknown(image.id, 'arm64', 6)), [
        `image ${image.id}`,
      ])
      assert.deepEqual(await notedBy(context, () => store.images.setArchIfUnknown(image.id, 'amd64', 6)), [])
      const shared = {
        ...image,
        id: context.id(),
        containerId: other.id,
        now: 7,
        shareBytes: { imageId: image.id, defaultQuotaBytes: 0 },
      }
      assert.deepEqual(await notedBy(context, () => store.images.createIfAbsent(shared)), [`image ${shared.id}`])
    },
    'a tag notes the image that gains it and the one that loses it': async (context) => {
      const { store } = context
      const place = await context.place()
      const first = await context.publish(place)
      const second = await context.publish(place)
      const set = (imageId: string) =>
        store.tags.set({ containerId: place.container.id, arch: 'amd64', tag: 't', imageId, now: context.now() })
      assert.deepEqual(await notedBy(context, () => set(first.id)), [`image ${first.id}`])
      assert.deepEqual(await notedBy(context, () => set(second.id)), [`image ${first.id}`, `image ${second.id}`].sort())
      await store.tags.set({
        containerId: place.container.id,
        arch: 'amd64',
        tag: 'u',
        imageId: second.id,
        now: context.now(),
      })
      const tag = { containerId: place.container.id, arch: 'amd64', imageId: second.id }
      const noted = await notedBy(context, () => store.tags.remove({ ...tag, tag: 't', now: context.now() }))
      assert.deepEqual(noted, [`image ${second.id}`])
      const gone = await notedBy(context, () => store.tags.remove({ ...tag, tag: 'u', now: context.now() }))
      assert.deepEqual(gone, [`image ${second.id}`])
      assert.equal(await store.images.find(second.id), undefined)
    },
    'an image is later than a tag that it lost, and than it was, whatever the clocks say': async (context) => {
      const { store } = context
      const place = await context.place()
      const first = await context.publish(place)
      const second = await context.publish(place, { tags: ['kept'] })
      const tag = { containerId: place.container.id, arch: 'amd64' }
      const ahead = first.updatedAt + 1_000_000
      const read = async (id: string) => (await context.read(id)).updatedAt
      await store.tags.set({ ...tag, tag: 't', imageId: first.id, now: ahead })
      await store.tags.set({ ...tag, tag: 't', imageId: first.id, now: 1 })
      assert.equal((await store.tags.list(place.container.id)).find((found) => found.tag === 't')?.updatedAt, ahead)
      await store.tags.set({ ...tag, tag: 't', imageId: second.id, now: 1 })
      assert.ok((await read(first.id)) > ahead)
      await store.tags.set({ ...tag, tag: 'u', imageId: second.id, now: ahead })
      await store.tags.remove({ ...tag, tag: 'u', imageId: second.id, now: 1 })
      const before = await read(second.id)
      assert.ok(before > ahead)
      await store.images.setState(second.id, ['published'], 'damaged', 1)
      assert.ok((await read(second.id)) > before)
    },
    'note notes what did not change': async (context) => {
      const { store } = context
      const { container } = await context.place()
      const change = { kind: 'container', id: container.id, digest: null } as const
      assert.deepEqual(await notedBy(context, () => store.changes.note(change)), [`container ${container.id}`])
      const gone = { kind: 'image', id: context.id(), digest: 'ab'.repeat(32) } as const
      await settleAll(context)
      await store.changes.note(gone)
      const [{ seq: _, ...noted } = { seq: 0 }] = await store.changes.list({ limit: 2 })
      assert.deepEqual(noted, gone)
    },
    'a deleted image is noted with its digest, one without bytes is not': async (context) => {
      const { store } = context
      const place = await context.place()
      const pending = await context.image(place.container)
      assert.deepEqual(await notedBy(context, () => store.images.delete(pending.id, 1)), [])
      const image = await context.publish(place, { tags: ['t'] })
      assert.deepEqual(await notedBy(context, () => store.images.delete(image.id, 1)), [`image ${image.id}`])
      assert.equal((await store.changes.list({ limit: 1 }))[0]?.digest, image.digest)
    },
    'what happened not is not noted': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const tag = { containerId: place.container.id, arch: 'amd64', tag: 't', imageId: image.id, now: 1 }
      assert.deepEqual(await notedBy(context, () => store.tags.set(tag).catch(() => {})), [])
    },
    'downloads and uploads are not noted': async (context) => {
      const place = await context.place()
      const image = await context.publish(place)
      const noted = await notedBy(context, async () => {
        await context.store.pulls.count([{ containerId: place.container.id, imageId: image.id, count: 2 }], 1)
        await context.upload(image, place)
      })
      assert.deepEqual(noted, [])
    },
    'list walks on after a number, oldest first, and acknowledge forgets exactly what it is given': async (context) => {
      const { store } = context
      await settleAll(context)
      const { id } = await context.entity()
      for (const quotaBytes of [1, 2, 3]) await store.entities.update(id, { quotaBytes, now: quotaBytes })
      const all = await store.changes.list({ limit: 10 })
      assert.equal(all.length, 4)
      assert.deepEqual(
        all.map(({ seq }) => seq),
        all.map(({ seq }) => seq).sort((a, b) => a - b),
      )
      assert.deepEqual(await store.changes.list({ after: all[1]?.seq ?? 0, limit: 1 }), [all[2]])
      await store.changes.acknowledge([all[0]?.seq ?? 0, all[2]?.seq ?? 0])
      assert.deepEqual(await store.changes.list({ limit: 10 }), [all[1], all[3]])
      assert.equal(await store.changes.isPending('entity', id), true)
      assert.equal(await store.changes.isPending('image', id), false)
      await store.changes.acknowledge([all[0]?.seq ?? 0, all[1]?.seq ?? 0, all[3]?.seq ?? 0])
      await store.changes.acknowledge([])
      assert.equal(await store.changes.isPending('entity', id), false)
    },
    'a number that was settled never comes again, so that no later change is settled by mistake': async (context) => {
      const { store } = context
      const { id } = await context.entity()
      const [first] = (await store.changes.list({ limit: 10 })).slice(-1)
      await settleAll(context)
      await store.entities.update(id, { quotaBytes: 1, now: 1 })
      const [second] = await store.changes.list({ limit: 10 })
      assert.ok((second?.seq ?? 0) > (first?.seq ?? 0))
      await store.changes.acknowledge([first?.seq ?? 0])
      assert.equal(await store.changes.isPending('entity', id), true)
    },
  },
}
