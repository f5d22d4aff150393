import { afterAll, expect, test } from 'vitest'
import { startMinio } from '../../../scripts/s3-servers.mjs'
import type { S3LogEntry } from '../../../src/storage/blob/s3/index.js'
import { describeOn, MiB, startOrSkip, storageOn, stream, testBytes } from './servers.js'

const minio = await startOrSkip('MinIO', startMinio)
afterAll(() => minio?.stop())

describeOn(minio, 'a signature that MinIO refuses', (minio) => {
  const small = testBytes(100)
  const secretAccessKey = 'not-the-secret-of-this-server'

  test('is logged with the canonical request of each call, and nothing that was secret', async () => {
    const entries: S3LogEntry[] = []
    const storage = storageOn(minio, {
      credentials: { ...minio, secretAccessKey },
      bindPayload: 'probe',
      log: (entry) => entries.push(entry),
    })
    await expect(storage.ready?.()).rejects.toMatchObject({ code: 'access-denied' })
    await expect(storage.put('blobs/a', stream(small.bytes), small)).rejects.toMatchObject({ code: 'access-denied' })
    await expect(storage.multipart.create('blobs/b', { size: 100, partSize: 5 * MiB })).rejects.toMatchObject({
      code: 'access-denied',
    })
    const ref = { key: 'blobs/c', uploadId: 'MGE1' }
    await expect(
      storage.presign.part?.({ ...ref, partNumber: 1, size: small.size, expiresSeconds: 60 }),
    ).rejects.toMatchObject({ code: 'unsupported' })
    await storage.close?.()

    // the store's own calls; what opens sessions has another path and no bucket
    const refused = entries.filter(({ status, operation }) => status === 403 && operation !== 'AssumeRole')
    expect(new Set(refused.map(({ operation }) => operation))).toEqual(
      new Set(['HeadBucket', 'ListObjectsV2', 'HeadObject', 'PutObject', 'CreateMultipartUpload', 'presigned PUT']),
    )
    const list = refused.find(({ operation }) => operation === 'ListObjectsV2')
    expect(list).toMatchObject({
      error: 'SignatureDoesNotMatch',
      requestId: expect.any(String),
      ms: expect.any(Number),
    })
    const { host } = new URL(minio.endpoint)
    expect(list?.canonicalRequest).toMatch(
      /^GET\n\/sif-library\/\nlist-type=2&max-keys=1\n[\s\S]+\nx-amz-date:\d{8}T\d{6}Z\n[\s\S]*\n\n[a-z0-9;-]*host;[a-z0-9;-]+\n[0-9a-f]{64}$/,
    )
    for (const { canonicalRequest, operation } of refused) {
      expect(canonicalRequest, operation).toContain(`\nhost:${host}\n`)
      expect(canonicalRequest, operation).toMatch(/^(GET|HEAD|POST|PUT)\n\/sif-library/)
    }
    const text = JSON.stringify(entries)
    for (const secret of [minio.accessKeyId, secretAccessKey]) expect(text).not.toContain(secret)
    expect(text).not.toMatch(/X-Amz-Signature|Signature=/)
  })

  test('a call that is refused for another reason carries none', async () => {
    const entries: S3LogEntry[] = []
    const storage = storageOn(minio, { log: (entry) => entries.push(entry) })
    await storage.ready?.()
    await storage.get('blobs/none').catch(() => {})
    expect(entries.find(({ error }) => error === 'NoSuchKey')).toMatchObject({ status: 404 })
    expect(entries.filter(({ canonicalRequest }) => canonicalRequest !== undefined)).toEqual([])
    await storage.close?.()
  })
})
