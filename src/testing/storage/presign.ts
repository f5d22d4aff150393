import assert from 'node:assert/strict'
import type { PresignCapability, PresignedUrl } from '../../storage/blob/contract.js'
import type { StorageContext, StorageGroup } from './context.js'
import { assertSameBytes, assertStorageError, describeBytes, makeBytes, sha256 } from './fixtures.js'
import { requireMultipart, startUpload, TestUpload } from './upload.js'

const bytes = makeBytes(70_000)
const other = makeBytes(70_000, 2)

function requirePresign(context: StorageContext): PresignCapability {
  assert.ok(context.backend.presign, 'the backend has presign')
  return context.backend.presign
}

/** Sends bytes with the headers that the URL asks for, and no other that matters. */
async function send(signed: PresignedUrl, body: Uint8Array): Promise<Response> {
  // the length of the body, whatever was signed: fetch refuses to send a body that differs from a
  // content-length that it was given
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
      const key = await context.put(bytes)
      const { expiresAt } = await requirePresign(context).get(key, { expiresSeconds: 120 })
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
  },
}

/** One PUT of a whole file: an upload of one part, with a URL for it. */
async function startWhole(
  context: StorageContext,
  { withHash = true }: { readonly withHash?: boolean } = {},
): Promise<{ readonly upload: TestUpload; readonly signed: PresignedUrl }> {
  const presign = requirePresign(context)
  const { size, sha256: digest } = describeBytes(bytes)
  const key = context.nextKey()
  const hash = withHash ? { sha256: digest } : {}
  const { uploadId } = await requireMultipart(context).create(key, { size, partSize: size, ...hash })
  const upload = new TestUpload(context, { key, uploadId, bytes, partSize: size })
  context.trackUpload(upload.ref)
  const signed = await presign.part?.({ ...upload.ref, partNumber: 1, size, expiresSeconds: 120, ...hash })
  assert.ok(signed)
  return { upload, signed }
}

const partTests: StorageGroup['tests'] = {
  'a whole comes as the one part of its upload': async (context) => {
    const { upload, signed } = await startWhole(context)
    const response = await send(signed, bytes)
    assert.ok(response.ok, `PUT answered ${response.status}`)
    await context.assertUnreadable(upload.key)
    await upload.completeWhole()
  },
  'a whole comes from a client that sends no hash header': async (context) => {
    const { upload, signed } = await startWhole(context, { withHash: false })
    assert.equal(signed.headers['x-amz-content-sha256'], undefined)
    assert.ok((await send(signed, bytes)).ok)
    await upload.completeWhole()
  },
  'a whole that is sent again is the same whole': async (context) => {
    const { upload, signed } = await startWhole(context)
    for (let time = 0; time < 2; time += 1) assert.ok((await send(signed, bytes)).ok)
    await upload.completeWhole()
  },
  'a whole of other bytes is refused by the store, or by complete': async (context) => {
    const { upload, signed } = await startWhole(context)
    const response = await send(signed, other)
    if (requirePresign(context).bindsPayload)
      assert.ok(!response.ok, `bindsPayload, but the store took other bytes with ${response.status}`)
    else await assertStorageError(context.backend, 'digest-mismatch', upload.complete())
    await context.assertUnreadable(upload.key)
  },
  'a whole of another length is refused by the store, or by complete': async (context) => {
    const { upload, signed } = await startWhole(context)
    const response = await send(signed, bytes.subarray(0, 60_000))
    if (response.ok) await assertStorageError(context.backend, 'size-mismatch', upload.complete())
    await context.assertUnreadable(upload.key)
  },
  'a URL that is still valid cannot change a finished blob': async (context) => {
    const { upload, signed } = await startWhole(context)
    assert.ok((await send(signed, bytes)).ok)
    const key = await upload.completeWhole()
    await send(signed, other)
    await send(signed, bytes)
    await context.assertHolds(key, bytes)
  },
  'an upload that is bound to its bytes takes no others': async (context) => {
    const { multipart, presign } = context.backend
    const { upload } = await startWhole(context)
    const foreign = { ...upload.ref, partNumber: 1, ...describeBytes(other), expiresSeconds: 120 }
    const signed = await presign?.part?.(foreign).catch(() => undefined)
    const taken = signed !== undefined && (await send(signed, other)).ok
    if (!taken) return
    const parts = (await multipart?.listParts(upload.ref)) ?? []
    await assertStorageError(context.backend, 'digest-mismatch', upload.complete({ parts }))
    await context.assertUnreadable(upload.key)
  },
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
}

/** While uploads by URL are blocked, each test holds the backend to signing none. */
const unlessBlocked =
  (test: StorageGroup['tests'][string]): StorageGroup['tests'][string] =>
  async (context) => {
    if (context.backend.presign?.uploadsBlocked === undefined) return test(context)
    const { ref } = await startUpload(context, { parts: 1 })
    const asked = { ...ref, partNumber: 1, size: 12_345, expiresSeconds: 120 }
    await assertStorageError(context.backend, 'unsupported', requirePresign(context).part?.(asked) ?? Promise.resolve())
  }

export const presignPartTests: StorageGroup = {
  name: 'presigned parts',
  needs: 'presign.part',
  tests: Object.fromEntries(Object.entries(partTests).map(([name, test]) => [name, unlessBlocked(test)])),
}
