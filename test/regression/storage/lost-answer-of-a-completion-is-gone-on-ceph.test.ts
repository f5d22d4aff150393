/**
 * Ceph answers 404 NoSuchKey to the list of an upload that was completed. That is the answer of a key, not of an upload, so a completion whose answer was lost
 * ended with "the bytes are gone", and the joined bytes lay there. And of two completions at once it answers 500 to one, which nobody looked behind.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { type FakeAnswer, type FakeS3, refuse, startFakeS3 } from '../../support/fake-s3.js'

let store: FakeS3
afterEach(() => store.close())

const claim = { key: 'a/b', uploadId: 'u', parts: [{ partNumber: 1, etag: 'e' }], size: 9, sha256: '0'.repeat(64) }
const listed = '<Part><PartNumber>1</PartNumber><ETag>"e"</ETag><Size>9</Size></Part>'

/** `there`: the joined object lies at its key. */
async function completeOn({ list, join, there }: { list: FakeAnswer; join: FakeAnswer; there: boolean }) {
  store = await startFakeS3(({ method, query, object }) => {
    if (query.has('uploadId')) return method === 'GET' ? list : method === 'DELETE' ? refuse(404, 'NoSuchKey') : join
    if (method === 'HEAD' && object !== '')
      return there ? { status: 200, headers: { 'content-length': '9', etag: '"e"' } } : { status: 404 }
    return { status: 200 }
  })
  return store.open({ verify: 'background' })
}

describe('a completion whose answer was lost', () => {
  const list = refuse(404, 'NoSuchKey')
  const join = refuse(404, 'NoSuchUpload')

  test('finds what it left', async () => {
    const storage = await completeOn({ list, join, there: true })
    expect(await storage.multipart.complete(claim)).toEqual({ key: 'a/b', proof: 'unproven' })
  })

  test('is told that the upload is gone where it left nothing', async () => {
    const storage = await completeOn({ list, join, there: false })
    await expect(storage.multipart.complete(claim)).rejects.toMatchObject({ code: 'upload-not-found' })
  })

  test.each(['NoSuchKey', 'NotFound', 'NoSuchUpload'])('%s to a list is an upload that is gone', async (code) => {
    const storage = await completeOn({ list: refuse(404, code), join, there: false })
    await expect(storage.multipart.listParts(claim)).rejects.toMatchObject({ code: 'upload-not-found' })
    await expect(storage.multipart.abort(claim)).resolves.toBeUndefined()
  })
})

describe('a completion that the store answers with 500', () => {
  const list = { status: 200, xml: `<ListPartsResult>${listed}</ListPartsResult>` }
  const join = refuse(500, 'InternalError')

  test('was done by another one at the same moment', async () => {
    const storage = await completeOn({ list, join, there: true })
    expect(await storage.multipart.complete(claim)).toEqual({ key: 'a/b', proof: 'unproven' })
  })

  test('is a failure of the store where nothing was joined', async () => {
    const storage = await completeOn({ list, join, there: false })
    await expect(storage.multipart.complete(claim)).rejects.toMatchObject({ code: 'unavailable' })
  })
})
