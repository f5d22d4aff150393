import type { UploadState } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataGroup } from './context.js'

export const uploadTests: MetadataGroup = {
  name: 'uploads',
  tests: {
    'create records an open upload and reserves its bytes': async (context) => {
      const { store } = context
      const place = await context.place()
      const upload = {
        ...context.newUpload(await context.image(place.container), place, 1_000_000_000_000),
        ...{
          kind: 'multipart' as const,
          partSize: 67_108_864,
          totalParts: 14_902,
          backendUploadId: 'b-1',
          principal: null,
        },
      }
      const { defaultQuotaBytes: _, ...expected } = {
        ...upload,
        state: 'open' as const,
        updatedAt: upload.createdAt,
        partsDigest: null,
      }
      assert.deepEqual(await store.uploads.create(upload), expected)
      assert.deepEqual(await store.uploads.find(upload.id), expected)
      assert.equal(await store.uploads.find(context.id()), undefined)
      await context.assertUsage(place.entity, { used: 0, reserved: 1_000_000_000_000 })
    },
    'create throws image-missing, and reserves nothing': async (context) => {
      const { store } = context
      const place = await context.place()
      const other = await context.place()
      const image = await context.image(place.container)
      const upload = context.newUpload(image, place)
      const refused = { name: 'MetadataError', code: 'image-missing' }
      await assert.rejects(store.uploads.create({ ...upload, imageId: context.id() }), refused)
      await assert.rejects(
        store.uploads.create({ ...upload, containerId: other.container.id, entityId: other.entity.id }),
        refused,
        'an image of another container',
      )
      await store.images.delete(image.id, 1)
      await assert.rejects(store.uploads.create(upload), refused)
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
    },
    'create throws exists for an id that is taken, and reserves nothing': async (context) => {
      const place = await context.place()
      const upload = context.newUpload(await context.image(place.container), place, 10)
      await context.store.uploads.create(upload)
      await assert.rejects(context.store.uploads.create(upload), { name: 'MetadataError', code: 'exists' })
      await context.assertUsage(place.entity, { used: 0, reserved: 10 })
    },
    'the quota counts published and reserved bytes': async (context) => {
      const { store } = context
      const place = await context.place()
      await context.publish(place, { size: 500 })
      const image = await context.image(place.container)
      const create = (size: number, defaultQuotaBytes: number) =>
        store.uploads.create({ ...context.newUpload(image, place, size), defaultQuotaBytes })
      const refused = { name: 'MetadataError', code: 'quota-exceeded' }
      await create(400, 1000)
      await assert.rejects(create(101, 1000), refused)
      await create(100, 1000)
      await create(50, 0)
      await store.entities.update(place.entity.id, { quotaBytes: 1060, now: 1 })
      await assert.rejects(create(11, 0), refused, 'its own quota goes before the default')
      await create(10, 1)
      await store.entities.update(place.entity.id, { quotaBytes: 0, now: 1 })
      await create(5, 1)
      await context.assertUsage(place.entity, { used: 500, reserved: 565 })
    },
    'unlimited ends where numbers stop being exact': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      await store.uploads.create(context.newUpload(image, place, Number.MAX_SAFE_INTEGER - 5))
      await assert.rejects(store.uploads.create(context.newUpload(image, place, 6)), { code: 'quota-exceeded' })
      await store.uploads.create(context.newUpload(image, place, 5))
      await context.assertUsage(place.entity, { used: 0, reserved: Number.MAX_SAFE_INTEGER })
    },
    'move is a compare-and-set': async (context) => {
      const { store } = context
      const place = await context.place()
      const upload = await context.upload(await context.image(place.container), place, 10)
      const move = (from: UploadState, to: Exclude<UploadState, 'completed'>) =>
        store.uploads.move(upload.id, from, to, 900)
      assert.equal(await move('completing', 'open'), false)
      assert.equal(await move('open', 'completing'), true)
      assert.deepEqual(await store.uploads.find(upload.id), { ...upload, state: 'completing', updatedAt: 900 })
      assert.equal(await move('open', 'aborted'), false)
      assert.equal(await move('completing', 'open'), true)
      await context.assertUsage(place.entity, { used: 0, reserved: 10 })
      assert.equal(await move('open', 'aborted'), true)
      assert.equal(await store.uploads.move(context.id(), 'open', 'aborted', 1), false)
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
    },
    'move with what was seen fails after a sign of life': async (context) => {
      const { store } = context
      const place = await context.place()
      const upload = await context.upload(await context.image(place.container), place, 10)
      assert.equal(await store.uploads.move(upload.id, 'open', 'completing', 900), true)
      await store.uploads.touch(upload.id, { state: 'completing', now: 950, expiresAt: 5000 })
      assert.equal(await store.uploads.move(upload.id, 'completing', 'expired', 1000, { updatedAt: 900 }), false)
      assert.equal((await store.uploads.find(upload.id))?.state, 'completing')
      assert.equal(await store.uploads.move(upload.id, 'completing', 'expired', 1000, { updatedAt: 950 }), true)
      await context.assertUsage(place.entity, { used: 0, reserved: 0 })
    },
    'an upload that ended never begins again and gives back once': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      await context.upload(image, place, 1)
      for (const end of ['aborted', 'expired'] as const) {
        const upload = await context.upload(image, place, 10)
        assert.equal(await store.uploads.move(upload.id, 'open', end, 900), true)
        for (const to of ['open', 'completing', 'aborted', 'expired'] as const)
          assert.equal(await store.uploads.move(upload.id, end, to, 901), false)
        assert.equal((await store.uploads.find(upload.id))?.state, end)
      }
      const completing = await context.completing(image, place, 10)
      assert.equal(await store.uploads.move(completing.id, 'completing', 'expired', 900), true)
      const published = await context.image(place.container)
      const { id, key } = await context.completing(published, place, 30)
      await store.images.publish({
        imageId: published.id,
        uploadId: id,
        blob: context.facts(key, { size: 30 }),
        state: 'published',
        now: 901,
      })
      assert.equal((await store.uploads.find(id))?.state, 'completed')
      assert.equal(await store.uploads.move(id, 'completed', 'aborted', 902), false)
      await context.assertUsage(place.entity, { used: 30, reserved: 1 })
    },
    'findOpen and findCompleting find the uploads of one image by one principal, newest first': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const create = async (principal: string | null) =>
        (await store.uploads.create({ ...context.newUpload(image, place), principal })).id
      const [first, second, anonymous] = [await create('p1'), await create('p1'), await create(null)]
      await context.upload(await context.image(place.container), place)
      const open = async (principal: string | null) =>
        (await store.uploads.findOpen(image.id, principal)).map(({ id }) => id)
      assert.deepEqual(await open('p1'), [second, first])
      assert.deepEqual(await open(null), [anonymous])
      assert.deepEqual(await open('p2'), [])
      await store.uploads.move(second, 'open', 'completing', 900)
      assert.deepEqual(await open('p1'), [first])
      const completing = await store.uploads.findCompleting(image.id, 'p1')
      assert.deepEqual(
        completing.map(({ id, updatedAt }) => [id, updatedAt]),
        [[second, 900]],
      )
      assert.deepEqual(await store.uploads.findCompleting(image.id, null), [])
      const key = (await store.uploads.find(second))?.key ?? ''
      await store.images.publish({
        imageId: image.id,
        uploadId: second,
        blob: context.facts(key),
        state: 'published',
        now: 901,
      })
      assert.deepEqual(await store.uploads.findCompleting(image.id, 'p1'), [])
    },
    'touch moves the times of an upload that is in this state': async (context) => {
      const { store } = context
      const place = await context.place()
      const upload = await context.upload(await context.image(place.container), place)
      await store.uploads.touch(upload.id, { state: 'open', expiresAt: 5000, now: 900 })
      assert.deepEqual(await store.uploads.find(upload.id), { ...upload, expiresAt: 5000, updatedAt: 900 })
      await store.uploads.move(upload.id, 'open', 'completing', 901)
      await store.uploads.touch(upload.id, { state: 'completing', expiresAt: 6000, now: 902 })
      // a part that comes late says nothing of whether the completion is alive
      await store.uploads.touch(upload.id, { state: 'open', expiresAt: 6500, now: 950 })
      // a completion that takes hours must not look like one that was left by a crash
      assert.deepEqual(await store.uploads.find(upload.id), {
        ...upload,
        state: 'completing',
        expiresAt: 6000,
        updatedAt: 902,
      })
      await store.uploads.move(upload.id, 'completing', 'aborted', 903)
      await store.uploads.touch(upload.id, { state: 'completing', expiresAt: 7000, now: 904 })
      assert.deepEqual(await store.uploads.find(upload.id), {
        ...upload,
        state: 'aborted',
        expiresAt: 6000,
        updatedAt: 903,
      })
      await store.uploads.touch(context.id(), { state: 'open', expiresAt: 1, now: 1 })
    },
    'findStale finds the expired and the stuck, oldest first': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const create = async (createdAt: number, expiresAt: number) =>
        (await store.uploads.create({ ...context.newUpload(image, place), createdAt, expiresAt })).id
      const expired = [await create(30, 100), await create(10, 101)]
      await create(5, 200)
      const stuck = await create(20, 900)
      await store.uploads.move(stuck, 'open', 'completing', 50)
      const busy = await create(21, 100)
      await store.uploads.move(busy, 'open', 'completing', 60)
      const aborted = await create(1, 1)
      await store.uploads.move(aborted, 'open', 'aborted', 2)
      const stale = async (limit: number) =>
        (await store.uploads.findStale({ now: 200, stuckSince: 60, limit })).map(({ id }) => id)
      assert.deepEqual(await stale(10), [expired[1], stuck, expired[0]])
      assert.equal((await stale(2)).length, 2)
    },
    'forget forgets what ended before': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const [old, young, open] = [
        await context.upload(image, place),
        await context.upload(image, place),
        await context.upload(image, place),
      ]
      await store.uploads.move(old.id, 'open', 'expired', 900)
      await store.uploads.move(young.id, 'open', 'aborted', 1000)
      assert.equal(await store.uploads.forget(1000), 1)
      assert.equal(await store.uploads.forget(1000), 0)
      assert.equal(await store.uploads.find(old.id), undefined)
      assert.equal(await store.uploads.forget(1001), 1)
      assert.equal((await store.uploads.find(open.id))?.state, 'open')
    },
    'an ended upload with parts is found, and not forgotten, until they are dropped': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.image(place.container)
      const create = async (backendUploadId: string | null) =>
        (await store.uploads.create({ ...context.newUpload(image, place), backendUploadId })).id
      const withLeftoverParts = async (page: Parameters<typeof store.uploads.findWithLeftoverParts>[0]) =>
        (await store.uploads.findWithLeftoverParts(page)).map(({ id }) => id)
      const [aborted, expired, single, open] = [
        await create('b-1'),
        await create('b-2'),
        await create(null),
        await create('b-3'),
      ]
      for (const id of [aborted, expired, single])
        assert.equal(await store.uploads.move(id, 'open', id === expired ? 'expired' : 'aborted', 900), true)
      const found = [aborted, expired].sort()
      assert.deepEqual(await withLeftoverParts({ limit: 10 }), found)
      assert.deepEqual(await withLeftoverParts({ limit: 1 }), found.slice(0, 1))
      assert.deepEqual(await withLeftoverParts({ limit: 10, after: found[0] ?? '' }), found.slice(1))
      assert.equal(await store.uploads.forget(1000), 1, 'only the one without parts')
      for (const id of [expired, open, context.id()]) await store.uploads.markPartsRemoved(id)
      assert.deepEqual(await withLeftoverParts({ limit: 10 }), [aborted])
      assert.equal((await store.uploads.find(expired))?.backendUploadId, null)
      assert.equal((await store.uploads.find(open))?.backendUploadId, 'b-3', 'its parts are still to come')
      assert.equal(await store.uploads.forget(1000), 1)
      assert.equal((await store.uploads.find(aborted))?.backendUploadId, 'b-1')
      await store.images.delete(image.id, 1001)
      assert.deepEqual(
        await withLeftoverParts({ limit: 10 }),
        [aborted, open].sort(),
        'a deleted image ends its uploads',
      )
    },
    'isKeyInUse while open or completing': async (context) => {
      const { store } = context
      const place = await context.place()
      const upload = await context.upload(await context.image(place.container), place)
      assert.equal(await store.uploads.isKeyInUse(upload.key), true)
      await store.uploads.move(upload.id, 'open', 'completing', 1)
      assert.equal(await store.uploads.isKeyInUse(upload.key), true)
      await store.uploads.move(upload.id, 'completing', 'aborted', 1)
      assert.equal(await store.uploads.isKeyInUse(upload.key), false)
      assert.equal(await store.uploads.isKeyInUse('nothing'), false)
    },
  },
}

export const blobTests: MetadataGroup = {
  name: 'blobs',
  tests: {
    'findUnreferenced finds what nobody refers to, oldest first': async (context) => {
      const { store } = context
      const place = await context.place()
      const images = [await context.publish(place), await context.publish(place), await context.publish(place)]
      await store.images.delete(images[1]?.id ?? '', 500)
      await store.images.delete(images[0]?.id ?? '', 600)
      const keys = async (page: Parameters<typeof store.blobs.findUnreferenced>[0]) =>
        (await store.blobs.findUnreferenced(page)).map(({ key }) => key)
      assert.deepEqual(await keys({ before: 601, limit: 10 }), [images[1]?.blobKey, images[0]?.blobKey])
      assert.deepEqual(await keys({ before: 600, limit: 10 }), [images[1]?.blobKey])
      assert.deepEqual(await keys({ before: 601, limit: 1 }), [images[1]?.blobKey])
      await store.images.delete(images[2]?.id ?? '', 600)
      const all = await keys({ before: 601, limit: 10 })
      assert.deepEqual(all, [images[1]?.blobKey, ...[images[0]?.blobKey, images[2]?.blobKey].sort()])
      for (const [index, key] of all.entries()) {
        const unreferencedAt = (await store.blobs.find(key))?.unreferencedAt ?? null
        assert.deepEqual(await keys({ before: 601, after: { key, unreferencedAt }, limit: 10 }), all.slice(index + 1))
      }
    },
    'findUnknown finds the keys that neither a blob nor an upload under way has': async (context) => {
      const { store } = context
      const place = await context.place()
      const published = (await context.publish(place)).blobKey ?? ''
      const image = await context.image(place.container)
      const [open, completing, aborted] = [
        await context.upload(image, place),
        await context.completing(image, place),
        await context.upload(image, place),
      ]
      await store.uploads.move(aborted.id, 'open', 'aborted', 900)
      const odd = 'blobs/sha256/"quoted" \\ and ünïcode'
      const found = await store.blobs.findUnknown([published, 'nothing', open.key, odd, completing.key, aborted.key])
      assert.deepEqual([...found].sort(), ['nothing', odd, aborted.key].sort())
      assert.deepEqual(await store.blobs.findUnknown([]), [])
      assert.equal(
        (await store.blobs.findUnknown(Array.from({ length: 500 }, (_, number) => `key ${number}`))).length,
        500,
      )
    },
    'forgetIfUnreferenced is true for exactly one caller, and never for a blob in use': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place)
      const key = image.blobKey ?? ''
      assert.equal(await store.blobs.forgetIfUnreferenced(key), false)
      assert.deepEqual(
        (await store.blobs.imagesOf(key, 10)).map((found) => found.image.id),
        [image.id],
      )
      await store.images.delete(image.id, 500)
      const won = await context.race(20, (instance) => instance.blobs.forgetIfUnreferenced(key))
      assert.equal(won.filter(Boolean).length, 1)
      assert.equal(await store.blobs.find(key), undefined)
      assert.deepEqual(await store.blobs.imagesOf(key, 10), [])
    },
  },
}
