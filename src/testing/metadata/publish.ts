import type { ImageRecord } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup, Place } from './context.js'

function sharing(context: MetadataContext, { container }: Place, source: ImageRecord, defaultQuotaBytes = 0) {
  return context.store.images.createIfAbsent({
    ...{
      id: context.id(),
      containerId: container.id,
      digest: source.digest,
      description: 'mine',
      owner: 'p2',
      now: context.now(),
    },
    shareBytes: { imageId: source.id, defaultQuotaBytes },
  })
}

export const publishTests: MetadataGroup = {
  name: 'images.publish',
  tests: {
    'publishes what was proven: the image, the blob, the upload and the usage': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const upload = await context.completing(image, place, 300)
      const blob = context.facts(upload.key, {
        size: 300,
        arch: 'amd64',
        signed: true,
        encrypted: false,
        fingerprints: ['AA', 'BB'],
      })
      const now = image.updatedAt + 900
      assert.equal(
        await store.images.publish({ imageId: image.id, uploadId: upload.id, blob, state: 'published', now }),
        'published',
      )
      assert.deepEqual(await context.read(image.id), {
        ...{
          ...image,
          state: 'published',
          size: 300,
          blobKey: upload.key,
          arch: 'amd64',
          archFromHeader: true,
          signed: true,
          encrypted: false,
        },
        ...{ fingerprints: ['AA', 'BB'], updatedAt: now, publishedAt: now },
      })
      assert.deepEqual(await store.blobs.find(upload.key), {
        key: upload.key,
        digest: image.digest,
        size: 300,
        createdAt: now,
        unreferencedAt: null,
      })
      assert.deepEqual(await store.uploads.find(upload.id), { ...upload, state: 'completed', updatedAt: now })
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'keeps with the upload the parts it was completed with, also the second one of an image': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      for (const [partsDigest, outcome] of [
        ['1'.repeat(64), 'published'],
        ['2'.repeat(64), 'already'],
        [undefined, 'already'],
      ] as const) {
        const upload = await context.completing(image, place, 300)
        const blob = context.facts(upload.key, { size: 300 })
        const parts = partsDigest === undefined ? {} : { partsDigest }
        assert.equal(
          await store.images.publish({
            imageId: image.id,
            uploadId: upload.id,
            blob,
            state: 'published',
            now: 900,
            ...parts,
          }),
          outcome,
        )
        assert.equal((await store.uploads.find(upload.id))?.partsDigest, partsDigest ?? null)
      }
    },
    'is gone for an upload that is not completing, and changes nothing': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const upload = await context.upload(image, place, 300)
      const other = await context.completing(await context.image(place.container), place, 7)
      const publish = (uploadId: string) =>
        store.images.publish({
          imageId: image.id,
          uploadId,
          blob: context.facts(upload.key, { size: 300 }),
          state: 'published',
          now: 900,
        })
      assert.equal(await publish(upload.id), 'gone', 'open')
      assert.equal(await publish(context.id()), 'gone', 'no such upload')
      assert.equal(await publish(other.id), 'gone', 'the upload of another image')
      await store.uploads.move(upload.id, 'open', 'aborted', 901)
      assert.equal(await publish(upload.id), 'gone', 'aborted')
      assert.deepEqual(await context.read(image.id), image)
      assert.equal(await store.blobs.find(upload.key), undefined)
      await context.assertUsage(place.entity, { used: 0, reserved: 7 })
    },
    'is gone after the image was deleted while its upload completed, and gives the reservation back': async (
      context,
    ) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const upload = await context.completing(image, place, 300)
      await store.images.delete(image.id, 900)
      const change = {
        imageId: image.id,
        uploadId: upload.id,
        blob: context.facts(upload.key, { size: 300 }),
        state: 'published',
        now: 901,
      } as const
      assert.equal(await store.images.publish(change), 'gone')
      assert.equal(await store.images.publish(change), 'gone')
      assert.notEqual((await store.uploads.find(upload.id))?.state, 'completing')
      assert.equal(await store.blobs.find(upload.key), undefined)
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
    },
    'answers already to the second upload of the same image': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const first = await context.completing(image, place, 300)
      const second = await context.completing(image, place, 300)
      const publish = (upload: { id: string; key: string }) =>
        store.images.publish({
          imageId: image.id,
          uploadId: upload.id,
          blob: context.facts(upload.key, { size: 300 }),
          state: 'unproven',
          now: 900,
        })
      assert.equal(await publish(first), 'published')
      const published = await context.read(image.id)
      assert.equal(await publish(second), 'already')
      assert.deepEqual(await context.read(image.id), published)
      assert.equal((await store.uploads.find(second.id))?.state, 'completed')
      assert.equal(await store.blobs.find(second.key), undefined)
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'heals a damaged image on new bytes; the old blob becomes unreferenced': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place, { size: 300, arch: 'amd64', tags: ['latest'] })
      await store.images.setState(image.id, ['published'], 'damaged', 800)
      const upload = await context.completing(image, place, 310)
      const blob = context.facts(upload.key, { size: 310 })
      assert.equal(
        await store.images.publish({ imageId: image.id, uploadId: upload.id, blob, state: 'published', now: 900 }),
        'published',
      )
      const healed = await context.read(image.id)
      assert.deepEqual(
        [healed.state, healed.blobKey, healed.size, healed.arch],
        ['published', upload.key, 310, 'amd64'],
      )
      assert.equal((await store.blobs.find(image.blobKey ?? ''))?.unreferencedAt, 900)
      await context.assertUsage(place.entity, { used: 310, reserved: 0 })
    },
    'keeps an arch that was known before, unless the header says another': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      await store.images.setArchIfUnknown(image.id, 'arm64', 1)
      const upload = await context.completing(image, place)
      await store.images.publish({
        imageId: image.id,
        uploadId: upload.id,
        blob: context.facts(upload.key),
        state: 'published',
        now: 900,
      })
      const published = await context.read(image.id)
      assert.deepEqual([published.arch, published.archFromHeader], ['arm64', false])
    },
  },
}

export const adoptTests: MetadataGroup = {
  name: 'images.createIfAbsent with shareBytes',
  tests: {
    'publishes a new image at once on the bytes of another one': async (context) => {
      const { store } = context
      const facts = { size: 300, arch: 'amd64', signed: true, encrypted: true, fingerprints: ['AA'] }
      const source = await context.publish(await context.place(), facts)
      const place = await context.place()
      const { record, created, shared } = await sharing(context, place, source)
      assert.equal(shared, true)
      assert.equal(created, true)
      assert.deepEqual(await context.read(record.id), record)
      const { id, containerId, description, owner, createdAt, updatedAt, publishedAt } = record
      assert.deepEqual(record, { ...source, id, containerId, description, owner, createdAt, updatedAt, publishedAt })
      assert.equal(containerId, place.container.id)
      assert.equal(publishedAt, createdAt)
      assert.equal((await store.blobs.imagesOf(source.blobKey ?? '', 10)).length, 2)
      assert.equal((await store.blobs.imagesOf(source.blobKey ?? '', 1)).length, 1)
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'the blob stays referenced until the last of both images is deleted': async (context) => {
      const { store } = context
      const source = await context.publish(await context.place())
      const { record } = await sharing(context, await context.place(), source)
      await store.images.delete(source.id, 900)
      assert.equal((await store.blobs.find(source.blobKey ?? ''))?.unreferencedAt, null)
      assert.equal(await store.blobs.forgetIfUnreferenced(source.blobKey ?? ''), false)
      await store.images.delete(record.id, 901)
      assert.equal((await store.blobs.find(source.blobKey ?? ''))?.unreferencedAt, 901)
    },
    'publishes an image that was pending or damaged before, and leaves a published one alone': async (context) => {
      const { store } = context
      const source = await context.publish(await context.place(), { size: 300 })
      const place = await context.place()
      const pending = await context.image(place.container, { digest: source.digest })
      const result = await sharing(context, place, source)
      assert.deepEqual(
        [result.created, result.record.id, result.record.state, result.record.description],
        [false, pending.id, 'published', pending.description],
      )
      const again = await sharing(context, place, source)
      assert.deepEqual(again, { record: result.record, created: false, shared: false })
      await store.images.setState(pending.id, ['published'], 'damaged', 900)
      // the bytes of the source are the damaged ones; others heal
      assert.equal((await sharing(context, place, source)).record.state, 'damaged')
      const sound = await context.publish(await context.place(), { size: 300, digest: source.digest })
      const healed = await sharing(context, place, sound)
      assert.deepEqual(
        [healed.record.id, healed.record.state, healed.record.blobKey],
        [pending.id, 'published', sound.blobKey],
      )
      await context.assertUsage(place.entity, { used: 300, reserved: 0 })
    },
    'creates a pending image when the other one is gone, has other bytes or is not published': async (context) => {
      const { store } = context
      const place = await context.place()
      const gone = await context.publish(place)
      const target = await context.place()
      await store.images.delete(gone.id, 900)
      assert.equal((await sharing(context, target, gone)).record.state, 'pending')
      const damaged = await context.publish(place)
      await store.images.setState(damaged.id, ['published'], 'damaged', 900)
      assert.equal((await sharing(context, target, damaged)).record.state, 'pending')
      const unproven = await context.publish(place, { state: 'unproven' })
      assert.equal((await sharing(context, target, unproven)).record.state, 'pending')
      const other = await context.publish(place)
      assert.equal((await sharing(context, target, { ...other, digest: context.digest() })).record.state, 'pending')
      await context.assertUsage(target.entity, { used: 0, reserved: 0 })
    },
    'throws quota-exceeded and creates nothing': async (context) => {
      const { store } = context
      const source = await context.publish(await context.place(), { size: 300 })
      const place = await context.place()
      await assert.rejects(sharing(context, place, source, 299), { name: 'MetadataError', code: 'quota-exceeded' })
      assert.equal(await store.images.findByPath(context.pathOf(place), { digest: source.digest }), undefined)
      await store.entities.update(place.entity.id, { quotaBytes: 299, now: 1 })
      await assert.rejects(sharing(context, place, source, 0), { code: 'quota-exceeded' })
      await store.entities.update(place.entity.id, { quotaBytes: 300, now: 1 })
      assert.equal((await sharing(context, place, source, 1)).record.state, 'published')
    },
  },
}
