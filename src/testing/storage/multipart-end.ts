import assert from 'node:assert/strict'
import type { FinishedBlob } from '../../storage/blob/contract.js'
import { isStorageError } from '../../storage/blob/errors.js'
import type { StorageGroup } from './context.js'
import { assertStorageError, makeBytes, sha256 } from './fixtures.js'
import { assertPartRefused, requireMultipart, startUpload } from './upload.js'

export const multipartEndTests: StorageGroup = {
  name: 'multipart: complete and abort',
  needs: 'multipart',
  tests: {
    'complete with a part that never came is invalid-part, and the upload goes on': async (context) => {
      const upload = await startUpload(context)
      const first = await upload.send(1)
      const third = await upload.send(3)
      await assertStorageError(
        context.backend,
        'invalid-part',
        upload.complete({ parts: [first, { ...first, partNumber: 2 }, third] }),
      )
      await context.assertUnreadable(upload.key)
      await upload.send(2)
      await upload.completeWhole()
    },
    'complete with another etag is invalid-part, and the upload goes on': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const [first, second, third] = await requireMultipart(context).listParts(upload.ref)
      assert.ok(first && second && third)
      const parts = [first, { ...second, etag: first.etag }, third]
      await assertStorageError(context.backend, 'invalid-part', upload.complete({ parts }))
      await context.assertUnreadable(upload.key)
      await upload.completeWhole()
    },
    'complete with the SHA-256 of other bytes is digest-mismatch, and upload and bytes are gone': async (context) => {
      const { backend } = context
      const upload = await startUpload(context)
      await upload.sendAll()
      const announced = { size: upload.bytes.length, sha256: sha256(makeBytes(1)) }
      let key = upload.key
      const completed = upload.complete(announced).then(async (finished) => {
        // A backend that proves later says so, and then the proof must fail.
        assert.equal(finished.proof, 'unproven', 'wrong bytes are not called proven')
        key = finished.key
        context.tolerate(key)
        assert.ok(backend.prove, 'a backend that leaves blobs unproven has prove')
        await backend.prove(key, announced)
      })
      await assertStorageError(backend, 'digest-mismatch', completed)
      await assertStorageError(backend, 'upload-not-found', requireMultipart(context).listParts(upload.ref))
      if (key === upload.key && (await backend.stat(key)) === undefined) await context.assertUnreadable(upload.key)
    },
    'complete with another total size is size-mismatch': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      await assertStorageError(context.backend, 'size-mismatch', upload.complete({ size: upload.bytes.length - 1 }))
      await context.assertUnreadable(upload.key)
    },
    'complete twice: the second is upload-not-found, or answers as the first, and harms nothing': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const parts = await requireMultipart(context).listParts(upload.ref)
      const key = await upload.completeWhole()
      const again = await upload.complete({ parts }).catch((error: unknown) => error)
      if (isStorageError(again)) await assertStorageError(context.backend, 'upload-not-found', Promise.reject(again))
      else assert.equal((again as FinishedBlob).key, key)
      await context.assertHolds(key, upload.bytes)
    },
    'complete twice at the same time: the blob is whole': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const parts = await requireMultipart(context).listParts(upload.ref)
      const results = await Promise.allSettled([upload.complete({ parts }), upload.complete({ parts })])
      const finished = results.find((result) => result.status === 'fulfilled')
      assert.ok(finished?.status === 'fulfilled', 'one of them resolves')
      context.expectListed(finished.value.key)
      for (const result of results) {
        if (result.status === 'rejected')
          await assertStorageError(context.backend, ['upload-not-found', 'exists'], Promise.reject(result.reason))
      }
      await context.assertHolds(finished.value.key, upload.bytes)
    },
    'a part after complete is refused and changes nothing': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const key = await upload.completeWhole()
      await assertPartRefused(context, 'upload-not-found', upload.send(1, { bytes: makeBytes(upload.partSize, 99) }))
      await context.assertHolds(key, upload.bytes)
    },
    'a part that is sent while the upload completes never changes what is published': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const parts = await requireMultipart(context).listParts(upload.ref)
      const [late, completed] = await Promise.allSettled([
        upload.send(2, { bytes: makeBytes(upload.partSize, 99) }),
        upload.complete({ parts }),
      ])
      if (late?.status === 'rejected') await assertPartRefused(context, 'upload-not-found', Promise.reject(late.reason))
      if (completed?.status === 'rejected') {
        await assertStorageError(
          context.backend,
          ['invalid-part', 'upload-not-found', 'digest-mismatch'],
          Promise.reject(completed.reason),
        )
        await context.assertUnreadable(upload.key)
        return
      }
      assert.ok(completed)
      context.expectListed(completed.value.key)
      await context.assertHolds(completed.value.key, upload.bytes)
    },
    'abort drops the upload, and aborting twice is no error': async (context) => {
      const { abort } = requireMultipart(context)
      const upload = await startUpload(context)
      await upload.sendAll()
      const parts = await requireMultipart(context).listParts(upload.ref)
      await abort.call(context.backend.multipart, upload.ref)
      await abort.call(context.backend.multipart, upload.ref)
      await assertStorageError(context.backend, 'upload-not-found', requireMultipart(context).listParts(upload.ref))
      await assertStorageError(context.backend, 'upload-not-found', upload.complete({ parts }))
      await assertPartRefused(context, 'upload-not-found', upload.send(1))
      await context.assertUnreadable(upload.key)
    },
    'abort after complete leaves the blob': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const key = await upload.completeWhole()
      await requireMultipart(context).abort(upload.ref)
      await context.assertHolds(key, upload.bytes)
    },
    'abort while parts are being written leaves nothing': async (context) => {
      const upload = await startUpload(context)
      const sending = Promise.allSettled(upload.partNumbers.map((partNumber) => upload.send(partNumber)))
      await requireMultipart(context).abort(upload.ref)
      for (const result of await sending) {
        if (result.status === 'rejected')
          await assertPartRefused(context, 'upload-not-found', Promise.reject(result.reason))
      }
      await assertStorageError(context.backend, 'upload-not-found', requireMultipart(context).listParts(upload.ref))
    },
  },
}
