import assert from 'node:assert/strict'
import type { PresignCapability, PresignedUrl } from '../../storage/blob/contract.js'
import type { StorageContext, StorageGroup } from './context.js'
import { assertSameBytes, assertStorageError, describeBytes, makeBytes, sha256 } from './fixtures.js'
import { requireMultipart, startUpload } from './upload.js'

const bytes = makeBytes(70_000)
const other = makeBytes(70_000, 2)

function requirePresign(context: StorageContext): PresignCapability {
  assert.ok(context.backend.presign, 'the backend has presign')
  return context.backend.presign
}

/** Sends bytes with the headers that the URL asks for, and no other that matters. */
async function send(signed: PresignedUrl, body: Uint8Array): Promise<Response> {
  // the length of the body, whatever was signed: fetch refuses to send a body that differs from a content-length that it was given
  const { 'content-length': _, ...headers } = signed.headers
  const response = await fetch(signed.url, { method: 'PUT', headers, body: Uint8Array.from(body) })
  await response.arrayBuffer()
  return response
}

async function fetchBytes(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Buffer; headers: Headers }> {
  const response = await fetch(url, { headers })
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()), headers: response.headers }
}

export const presignTests: StorageGroup = {
  name: 'presigned URLs',
  needs: 'presign',
  tests: {
    'a presigned URL says when it ends': async (context) => {
      const { expiresAt } = await requirePresign(context).put(context.nextKey(), {
        ...describeBytes(bytes),
        expiresSeconds: 120,
      })
      assert.ok(Math.abs(expiresAt.getTime() - Date.now() - 120_000) < 30_000, expiresAt.toISOString())
    },
    'a blob is read by URL, whole and by range': async (context) => {
      const key = await context.put(bytes)
      const { url } = await requirePresign(context).get(key, { expiresSeconds: 120 })
      const whole = await fetchBytes(url)
      assert.equal(whole.status, 200)
      assertSameBytes(whole.body, bytes)
      const range = await fetchBytes(url, { range: 'bytes=10-20' })
      assert.equal(range.status, 206)
      assertSameBytes(range.body, bytes.subarray(10, 21))
      assert.equal(range.headers.get('content-range'), 'bytes 10-20/70000')
    },
    'a read by URL carries the file name': async (context) => {
      const key = await context.put(bytes)
      const { url } = await requirePresign(context).get(key, { expiresSeconds: 120, filename: 'alpine_latest.sif' })
      const answer = await fetchBytes(url)
      assert.equal(answer.status, 200)
      assert.match(answer.headers.get('content-disposition') ?? '', /filename="?alpine_latest\.sif"?/)
    },
    'a URL for reading does not write, and a changed URL does nothing': async (context) => {
      const key = await context.put(bytes)
      const signed = await requirePresign(context).get(key, { expiresSeconds: 120 })
      assert.ok(!(await send(signed, other)).ok, 'PUT to a URL for GET is refused')
      const another = await context.put(other)
      const changed = (await requirePresign(context).get(key, { expiresSeconds: 120 })).url.replace(key, another)
      assert.ok((await fetchBytes(changed)).status >= 400, 'the key is signed')
      await context.assertHolds(key, bytes)
    },
    'a blob is put by URL and finished': async (context) => {
      const { put, finish } = requirePresign(context)
      const key = context.nextKey()
      const signed = await put.call(context.backend.presign, key, { ...describeBytes(bytes), expiresSeconds: 120 })
      const response = await send(signed, bytes)
      assert.ok(response.ok, `PUT answered ${response.status}`)
      const finished = await finish.call(context.backend.presign, key, describeBytes(bytes))
      assert.equal(finished.proof, 'proven')
      context.expectListed(finished.key)
      await context.assertHolds(finished.key, bytes)
    },
    'a client that sends no hash header can put, too': async (context) => {
      const key = context.nextKey()
      const signed = await requirePresign(context).put(key, {
        ...describeBytes(bytes),
        expiresSeconds: 120,
        clientSendsNoHash: true,
      })
      assert.equal(signed.headers['x-amz-content-sha256'], undefined)
      const response = await send(signed, bytes)
      assert.ok(response.ok, `PUT answered ${response.status}`)
      const finished = await requirePresign(context).finish(key, describeBytes(bytes))
      context.expectListed(finished.key)
      await context.assertHolds(finished.key, bytes)
    },
    'other bytes are refused by the store, or by finish': async (context) => {
      const presign = requirePresign(context)
      const key = context.nextKey()
      const response = await send(await presign.put(key, { ...describeBytes(bytes), expiresSeconds: 120 }), other)
      if (presign.bindsPayload) {
        assert.ok(!response.ok, `bindsPayload, but the store took other bytes with ${response.status}`)
        await assertStorageError(context.backend, 'not-found', presign.finish(key, describeBytes(bytes)))
      } else {
        context.tolerate(key)
        await assertStorageError(context.backend, 'digest-mismatch', presign.finish(key, describeBytes(bytes)))
      }
    },
    'another length is refused by the store, or by finish': async (context) => {
      const presign = requirePresign(context)
      const key = context.nextKey()
      const response = await send(
        await presign.put(key, { ...describeBytes(bytes), expiresSeconds: 120 }),
        bytes.subarray(0, 60_000),
      )
      context.tolerate(key)
      await assertStorageError(
        context.backend,
        response.ok ? 'size-mismatch' : 'not-found',
        presign.finish(key, describeBytes(bytes)),
      )
    },
    'finish without a blob is not-found': async (context) => {
      await assertStorageError(
        context.backend,
        'not-found',
        requirePresign(context).finish(context.nextKey(), describeBytes(bytes)),
      )
    },
    'a URL that is still valid cannot change a finished blob': async (context) => {
      const presign = requirePresign(context)
      const key = context.nextKey()
      const signed = await presign.put(key, { ...describeBytes(bytes), expiresSeconds: 120 })
      assert.ok((await send(signed, bytes)).ok)
      const finished = await presign.finish(key, describeBytes(bytes))
      context.expectListed(finished.key)
      if (finished.key !== key) context.tolerate(key)
      await send(signed, other)
      await send(signed, bytes)
      await context.assertHolds(finished.key, bytes)
    },
  },
}

export const presignPartTests: StorageGroup = {
  name: 'presigned parts',
  needs: 'presign.part',
  tests: {
    'parts are sent by URL': async (context) => {
      const upload = await startUpload(context)
      for (const partNumber of upload.partNumbers) {
        const part = upload.part(partNumber)
        const signed = await requirePresign(context).part?.({
          ...upload.ref,
          partNumber,
          ...describeBytes(part),
          expiresSeconds: 120,
        })
        assert.ok(signed)
        const response = await send(signed, part)
        assert.ok(response.ok, `PUT answered ${response.status}`)
        assert.ok(response.headers.get('etag'), 'the store answers an etag')
      }
      assert.equal((await requireMultipart(context).listParts(upload.ref)).length, upload.partNumbers.length)
      await upload.completeWhole()
    },
    'a part with other bytes is refused where the URL binds them': async (context) => {
      const presign = requirePresign(context)
      const upload = await startUpload(context)
      await upload.sendAll([1, 3])
      const signed = await presign.part?.({
        ...upload.ref,
        partNumber: 2,
        ...describeBytes(upload.part(2)),
        expiresSeconds: 120,
      })
      assert.ok(signed)
      const response = await send(signed, makeBytes(upload.partSize, 99))
      if (presign.bindsPayload) {
        assert.ok(!response.ok, `bindsPayload, but the store took other bytes with ${response.status}`)
        assert.deepEqual(
          (await requireMultipart(context).listParts(upload.ref)).map(({ partNumber }) => partNumber),
          [1, 3],
        )
      }
      await upload.send(2)
      await upload.completeWhole()
    },
    'a URL for a part without a SHA-256 takes the part': async (context) => {
      const upload = await startUpload(context, { parts: 1 })
      const signed = await requirePresign(context).part?.({
        ...upload.ref,
        partNumber: 1,
        size: upload.bytes.length,
        expiresSeconds: 120,
      })
      assert.ok(signed)
      assert.ok((await send(signed, upload.bytes)).ok)
      await upload.completeWhole()
    },
    'a URL for a part of an aborted upload is refused': async (context) => {
      const upload = await startUpload(context, { parts: 1 })
      const signed = await requirePresign(context).part?.({
        ...upload.ref,
        partNumber: 1,
        size: upload.bytes.length,
        sha256: sha256(upload.bytes),
        expiresSeconds: 120,
      })
      assert.ok(signed)
      await requireMultipart(context).abort(upload.ref)
      assert.ok(!(await send(signed, upload.bytes)).ok)
    },
  },
}
