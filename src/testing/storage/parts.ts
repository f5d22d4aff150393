import assert from 'node:assert/strict'
import type { StorageContext, StorageGroup } from './context.js'
import { hasCause } from './failures.js'
import { assertStorageError, makeBytes, sha256, streamThenHang, streamThenThrow, within } from './fixtures.js'
import { assertPartRefused, requireMultipart, startUpload, type TestUpload, writeBody } from './upload.js'

/**
 * Part 2 was sent once and then failed: it is the earlier one, or none. Sent again, the upload
 * completes.
 */
async function assertRecovers(context: StorageContext, upload: TestUpload, earlier: string | undefined): Promise<void> {
  const listed = await requireMultipart(context).listParts(upload.ref)
  const second = listed.find((part) => part.partNumber === 2)
  if (second !== undefined) assert.equal(second.etag, earlier, 'a failed part leaves the earlier one, or none')
  await upload.send(2)
  await upload.completeWhole()
}

export const partFailureTests: StorageGroup = {
  name: 'multipart: a part that fails',
  needs: 'multipart',
  tests: {
    'a part with other bytes is digest-mismatch and does not count': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll([1, 3])
      const wrong = upload.send(2, { bytes: makeBytes(upload.partSize, 99), sha256: sha256(upload.part(2)) })
      await assertPartRefused(context, 'digest-mismatch', wrong)
      await assertRecovers(context, upload, undefined)
    },
    'a part with other bytes never passes for the earlier one': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const earlier = (await requireMultipart(context).listParts(upload.ref))[1]
      const wrong = upload.send(2, { bytes: makeBytes(upload.partSize, 99), sha256: sha256(upload.part(2)) })
      await assertPartRefused(context, 'digest-mismatch', wrong)
      const listed = await requireMultipart(context).listParts(upload.ref)
      // Where the earlier part is still listed, it must still be whole.
      if (listed.length === 3) await upload.completeWhole()
      else await assertRecovers(context, upload, earlier?.etag)
    },
    'a part of another size is size-mismatch and does not count': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll([1, 3])
      const right = upload.part(2)
      await assertPartRefused(
        context,
        'size-mismatch',
        upload.send(2, { bytes: right.subarray(1), size: right.length, sha256: sha256(right) }),
      )
      const long = Buffer.concat([right, makeBytes(10)])
      await assertPartRefused(
        context,
        'size-mismatch',
        upload.send(2, { bytes: long, size: right.length, sha256: sha256(right) }),
      )
      await assertRecovers(context, upload, undefined)
    },
    'a part that is too long harms no neighbour': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const long = makeBytes(upload.partSize + 5000, 99)
      await assertPartRefused(
        context,
        'size-mismatch',
        upload.send(1, { bytes: long, size: upload.partSize, sha256: sha256(upload.part(1)) }),
      )
      await upload.send(1)
      await upload.completeWhole()
    },
    'a part whose body throws is aborted and does not count': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll([1, 3])
      const origin = new Error('the client is gone')
      const sent = writeBody(context, upload, {
        partNumber: 2,
        body: streamThenThrow(upload.part(2).subarray(0, 70_000), origin),
      })
      assert.ok(
        hasCause(await assertStorageError(context.backend, 'aborted', sent), origin),
        'the cause is the error of the body',
      )
      await assertRecovers(context, upload, undefined)
    },
    'a signal stops a part while its body stalls': async (context) => {
      const upload = await startUpload(context)
      await upload.sendAll()
      const earlier = (await requireMultipart(context).listParts(upload.ref))[1]
      const leaving = new AbortController()
      const body = streamThenHang(makeBytes(70_000, 99), () => setImmediate(() => leaving.abort()))
      await assertStorageError(
        context.backend,
        'aborted',
        within(5000, writeBody(context, upload, { partNumber: 2, body, signal: leaving.signal })),
      )
      await assertRecovers(context, upload, earlier?.etag)
    },
    'a part of an unknown upload is upload-not-found': async (context) => {
      const upload = await startUpload(context)
      const { backend } = context
      for (const uploadId of ['unknown', '..', '../..', 'a/b', '.', 'x\0y', `${upload.uploadId}x`]) {
        const ref = { key: upload.key, uploadId }
        await assertStorageError(backend, 'upload-not-found', requireMultipart(context).listParts(ref))
        const claim = { ...ref, parts: [{ partNumber: 1, etag: 'x' }], size: 1, sha256: sha256(makeBytes(1)) }
        await assertStorageError(backend, 'upload-not-found', requireMultipart(context).complete(claim))
        await requireMultipart(context).abort(ref)
      }
      await assertStorageError(
        backend,
        'upload-not-found',
        requireMultipart(context).listParts({ key: context.nextKey(), uploadId: upload.uploadId }),
      )
      await upload.sendAll()
      await upload.completeWhole()
    },
  },
}
