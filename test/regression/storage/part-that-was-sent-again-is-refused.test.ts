/**
 * SeaweedFS lists a part number once for each time that it was sent, in any order. The claim was compared with the last one listed, so an upload whose part was
 * sent again with other bytes ended as invalid, and doctor, which counted the list, thought that another store answered.
 */
import { afterEach, expect, test } from 'vitest'
import { type FakeS3, startFakeS3 } from '../../support/fake-s3.js'

let store: FakeS3
afterEach(() => store.close())

const part = (etag: string, second: number) =>
  `<Part><PartNumber>1</PartNumber><ETag>"${etag}"</ETag><Size>9</Size><LastModified>2026-01-01T00:00:0${second}.000Z</LastModified></Part>`

async function listing(...parts: string[]) {
  const completed: string[] = []
  store = await startFakeS3(({ method, query, body }) => {
    if (method === 'GET' && query.has('uploadId'))
      return { status: 200, xml: `<ListPartsResult>${parts.join('')}</ListPartsResult>` }
    if (method === 'POST') {
      completed.push(body)
      return { status: 200, xml: '<CompleteMultipartUploadResult/>' }
    }
    return method === 'HEAD' ? { status: 200, headers: { 'content-length': '9', etag: '"e"' } } : { status: 200 }
  })
  return { storage: store.open({ verify: 'background' }), completed }
}

const claim = (etag: string) => ({
  key: 'a/b',
  uploadId: 'u',
  parts: [{ partNumber: 1, etag }],
  size: 9,
  sha256: '0'.repeat(64),
})

test.each([
  [part('old', 1), part('new', 2)],
  [part('new', 2), part('old', 1)],
])('the part that the client means is among those listed, in either order', async (one, other) => {
  const { storage, completed } = await listing(one, other)
  expect(await storage.multipart.complete(claim('new'))).toMatchObject({ key: 'a/b' })
  expect(completed.join()).toContain('new')
  expect(completed.join()).not.toContain('old')
})

test('a part that was never sent is refused', async () => {
  const { storage } = await listing(part('old', 1), part('new', 2))
  await expect(storage.multipart.complete(claim('third'))).rejects.toMatchObject({ code: 'invalid-part' })
})

test('the list has each number once, as it was sent last', async () => {
  const { storage } = await listing(part('new', 2), part('old', 1))
  expect(await storage.multipart.listParts({ key: 'a/b', uploadId: 'u' })).toEqual([
    { partNumber: 1, size: 9, etag: 'new' },
  ])
})
