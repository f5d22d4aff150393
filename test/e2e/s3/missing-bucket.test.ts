import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startMinio, startS3Proxy, startVersitygw } from '../../../scripts/s3-servers.mjs'
import type { S3Storage } from '../../../src/storage/blob/s3/index.js'
import { type FaultyProxy, startFaultyProxy } from '../harness/faulty-proxy.js'
import { assumeRole } from './credentials.js'
import { describeOn, MiB, startOrSkip, storageOn, stream, testBytes } from './servers.js'

const minio = await startOrSkip('MinIO', startMinio)
const versitygw = await startOrSkip('versitygw', startVersitygw)
const s3proxy = await startOrSkip('s3proxy', startS3Proxy)
afterAll(() => Promise.all([minio?.stop(), versitygw?.stop(), s3proxy?.stop()]))

const small = testBytes(1000)
/** Read back by the hashing thread. */
const large = testBytes(5 * MiB)
const unavailable = { code: 'unavailable', message: expect.stringContaining('NoSuchBucket') }

/** Everything that could take the bucket for a key. */
async function expectUnavailable(storage: S3Storage): Promise<void> {
  const ref = { key: 'blobs/large', uploadId: 'MGE1' }
  const questions = {
    stat: () => storage.stat('blobs/small'),
    get: () => storage.get('blobs/small'),
    'prove, read here': () => storage.prove?.('blobs/small', small),
    'prove, read by the thread': () => storage.prove?.('blobs/large', large),
    put: () => storage.put('blobs/other', stream(small.bytes), small),
    listParts: () => storage.multipart.listParts(ref),
    abort: () => storage.multipart.abort(ref),
    complete: () => storage.multipart.complete({ ...ref, parts: [{ partNumber: 1, etag: 'x' }], ...small }),
  }
  for (const [name, ask] of Object.entries(questions)) await expect(ask(), name).rejects.toMatchObject(unavailable)
}

describe('a bucket that does not exist is no missing blob', () => {
  for (const server of [minio, versitygw, s3proxy])
    describeOn(server, `${server?.name}`, (server) => {
      test('whoever asks', async () => {
        const storage = storageOn(server, { bucket: 'never-made', bindPayload: true })
        await expectUnavailable(storage)
        // what its upload URLs can do could not be tried, so there are none
        const part = { key: 'blobs/large', uploadId: 'MGE1', partNumber: 1, size: 1000, expiresSeconds: 60 }
        await expect(storage.presign.part?.(part)).rejects.toMatchObject({ ...unavailable, code: 'unsupported' })
        expect(storage.presign.uploadsBlocked).toContain('NoSuchBucket')
        await storage.close?.()
      })
    })

  describeOn(minio, 'a store that is starting', (minio) => {
    let proxy: FaultyProxy
    beforeAll(async () => {
      proxy = await startFaultyProxy()
      proxy.target = minio.endpoint
      // asked about its buckets it says nothing of use; about objects and with a list it works
      proxy.fault = ({ method, path }) => (method === 'HEAD' && /^\/[^/]+\/?$/.test(path) ? { status: 503 } : undefined)
    })
    afterAll(() => proxy.close())

    test('gets its bucket before the first blob', async () => {
      const storage = storageOn(minio, { bucket: 'late', endpoint: proxy.url })
      await storage.ready?.()
      await storage.put('blobs/small', stream(small.bytes), small)
      expect((await storage.stat('blobs/small'))?.size).toBe(small.size)
      expect(await storage.stat('blobs/none')).toBeUndefined()
      await storage.close?.()
    })

    test('has lost no blob while its bucket is missing', async () => {
      const storage = storageOn(minio, { bucket: 'never-made', endpoint: proxy.url, bindPayload: true })
      await expectUnavailable(storage)
      await storage.close?.()
    })
  })

  test('MinIO starts before its volume is mounted, and then with it', async ({ skip, onTestFinished }) => {
    if (minio === undefined) return skip()
    const own = await startMinio()
    onTestFinished(() => own.stop())
    const storage = storageOn(own)
    onTestFinished(() => storage.close?.())
    await storage.ready?.()
    for (const [key, bytes] of Object.entries({ 'blobs/small': small, 'blobs/large': large }))
      await storage.put(key, stream(bytes.bytes), bytes)
    const again = {
      port: own.port,
      env: { MINIO_ROOT_USER: own.accessKeyId, MINIO_ROOT_PASSWORD: own.secretAccessKey },
    }
    await own.stop({ keep: true })
    await expect(storage.stat('blobs/small')).rejects.toMatchObject({ code: 'unavailable' })
    const empty = await startMinio(again)
    await expectUnavailable(storage).finally(() => empty.stop())
    const mounted = await startMinio({ ...again, directory: own.directory })
    onTestFinished(() => mounted.stop())
    expect((await storage.stat('blobs/small'))?.size).toBe(small.size)
    await storage.prove?.('blobs/large', large)
    await expect(storage.prove?.('blobs/none', small)).rejects.toMatchObject({ code: 'not-found' })
  })

  describeOn(minio, 'a policy', (minio) => {
    test('that forbids to look at the bucket leaves absent keys absent', async () => {
      const root = storageOn(minio, { bucket: 'images' })
      await root.ready?.()
      await root.close?.()
      const allowed = {
        Effect: 'Allow',
        Action: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'],
        Resource: 'arn:aws:s3:::images/*',
      } as const
      const credentials = await assumeRole(minio, {
        Version: '2012-10-17',
        Statement: [{ ...allowed, Action: [...allowed.Action] }],
      })
      const storage = storageOn(minio, { bucket: 'images', credentials, createBucket: false })
      await storage.ready?.()
      expect(await storage.stat('blobs/none')).toBeUndefined()
      await expect(storage.prove?.('blobs/none', small)).rejects.toMatchObject({ code: 'not-found' })
      await storage.put('blobs/a', stream(small.bytes), small)
      await storage.prove?.('blobs/a', small)
      await storage.close?.()
    })
  })
})
