/** Closing a storage whose SDK could not be imported left a rejection that nobody handled, which ends a process of Node. */
import { afterEach, expect, test, vi } from 'vitest'

const rejections: unknown[] = []
const note = (reason: unknown) => void rejections.push(reason)
afterEach(() => {
  process.off('unhandledRejection', note)
  vi.doUnmock('@aws-sdk/client-s3')
})

test('close after a failed import', async () => {
  process.on('unhandledRejection', note)
  vi.doMock('@aws-sdk/client-s3', () => {
    throw new Error('Cannot find package')
  })
  const { s3Storage } = await import('../../../src/storage/blob/s3/index.js')
  const storage = s3Storage({
    bucket: 'images',
    endpoint: 'http://127.0.0.1:9',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  })
  await expect(storage.stat('blobs/a')).rejects.toMatchObject({ code: 'unsupported' })
  await storage.close?.()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(rejections).toEqual([])
})
