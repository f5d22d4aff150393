import assert from 'node:assert/strict'
import type { StorageGroup } from './context.js'
import { assertStorageError, collect, makeBytes } from './fixtures.js'
import { requireMultipart, startUpload } from './upload.js'

export const multipartTests: StorageGroup = {
  name: 'multipart: parts become a blob',
  needs: 'multipart',
  tests: {
    'parts in order': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      await upload.completeWhole()
    },
    'parts out of order': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll([3, 1, 2])
      await upload.completeWhole()
    },
    'parts at the same time': async (context) => {
      const upload = await startUpload(context, { parts: 5 })
      await Promise.all(upload.partNumbers.map((partNumber) => upload.send(partNumber)))
      await upload.completeWhole()
    },
    'a single part, shorter than the part size': async (context) => {
      const upload = await startUpload(context, { parts: 1 })
      await upload.sendAll()
      await upload.completeWhole()
    },
    'parts without a SHA-256': async (context) => {
      const upload = await startUpload(context)
      for (const partNumber of upload.partNumbers) await upload.send(partNumber, { sha256: null })
      await upload.completeWhole()
    },
    'a part that is sent again is the same part': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll([1, 2, 2, 1, 3, 1])
      await upload.completeWhole()
    },
    'a part that is sent again with other bytes replaces the earlier one': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll([1])
      const before = await upload.send(2, { bytes: makeBytes(upload.partSize, 99) })
      await upload.sendAll([3])
      const after = await upload.send(2)
      assert.notEqual(after.etag, before.etag, 'other bytes have another etag')
      const parts = await requireMultipart(context).listParts(upload.ref)
      assert.equal(parts.length, 3)
      await assertStorageError(
        context.backend,
        'invalid-part',
        upload.complete({ parts: parts.map((part) => (part.partNumber === 2 ? before : part)) }),
      )
      await upload.completeWhole()
    },
    'one part that is sent twice at the same time is one of the two': async (context) => {
      const upload = await startUpload(context)
      const other = makeBytes(upload.partSize, 99)
      await upload.sendAll([1, 3])
      const results = await Promise.all([upload.send(2), upload.send(2, { bytes: other })])
      const part = (await requireMultipart(context).listParts(upload.ref)).find(
        (candidate) => candidate.partNumber === 2,
      )
      assert.ok(part, 'the part is there')
      const winner = results.findIndex((result) => result.etag === part.etag)
      assert.notEqual(winner, -1, 'the listed etag is one of the two')
      const whole = winner === 0 ? upload.bytes : Buffer.concat([upload.part(1), other, upload.part(3)])
      await upload.completeWhole(whole)
    },
    'listParts lists what arrived, ascending': async (context) => {
      const { listParts } = requireMultipart(context)
      const upload = await startUpload(context)
      assert.deepEqual(await listParts.call(context.backend.multipart, upload.ref), [])
      const third = await upload.send(3)
      const first = await upload.send(1)
      const listed = await requireMultipart(context).listParts(upload.ref)
      assert.deepEqual(
        listed.map(({ partNumber, size, etag }) => ({ partNumber, size, etag })),
        [first, third].map(({ partNumber, size, etag }) => ({ partNumber, size, etag })),
      )
      assert.equal(third.size, 12_345)
      assert.ok(!first.etag.includes('"') && first.etag !== '', 'an etag is not empty and has no quotes')
    },
    'nothing is readable before complete': async (context) => {
      const upload = await startUpload(context)
      await context.assertUnreadable(upload.key)
      await upload.sendAll()
      await context.assertUnreadable(upload.key)
      assert.deepEqual(await collect(context.backend.list('')), [], 'unfinished bytes are not listed')
      await upload.completeWhole()
    },
    'two uploads of one key do not meet': async (context) => {
      const key = context.nextKey()
      const first = await startUpload(context, { key, seed: 1 })
      const second = await startUpload(context, { key, seed: 2 })
      assert.notEqual(first.uploadId, second.uploadId)
      for (const partNumber of first.partNumbers) await Promise.all([first.send(partNumber), second.send(partNumber)])
      await requireMultipart(context).abort(second.ref)
      await first.completeWhole()
    },
    'listUploads lists what is under way': async (context) => {
      const list = async () =>
        (await collect(requireMultipart(context).listUploads())).map(({ uploadId }) => uploadId).sort()
      assert.deepEqual(await list(), [])
      const first = await startUpload(context)
      const second = await startUpload(context)
      await first.sendAll()
      const uploads = await collect(requireMultipart(context).listUploads())
      assert.deepEqual(uploads.map(({ key }) => key).sort(), [first.key, second.key].sort())
      // A store's clock may differ from ours; a day is a fault.
      for (const { createdAt } of uploads)
        assert.ok(Math.abs(createdAt.getTime() - Date.now()) < 86_400_000, `createdAt is ${createdAt.toISOString()}`)
      await first.completeWhole()
      assert.deepEqual(await list(), [second.uploadId])
      await requireMultipart(context).abort(second.ref)
      assert.deepEqual(await list(), [])
    },
  },
}
