import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningS3Server, startMinio } from '../../../scripts/s3-servers.mjs'
import type { S3Credentials } from '../../../src/storage/blob/s3/index.js'
import { collect } from '../../../src/testing/storage/fixtures.js'
import { describeStorageBackend } from '../../../src/testing/storage/index.js'
import { assumeRole, type Policy } from './credentials.js'
import { S3_DEVIATIONS } from './deviations.js'
import { rawRequest } from './requests.js'
import { describeOn, MiB, startOrSkip, storageOn, stream, testBytes } from './servers.js'
import { startWhole } from './whole.js'

/** The policies that docs/storage.md tells people to use: of the registry, and of the key that signs its uploads. */
const [documented, ofUploads] = [
  ...readFileSync(new URL('../../../docs/storage.md', import.meta.url), 'utf8').matchAll(/```json\n([\s\S]*?)```/g),
].map(([, json = '']) => JSON.parse(json) as Policy) as [Policy, Policy]
/** The policy of uploads for another prefix. */
const policyBelow = (prefix: string): Policy =>
  JSON.parse(JSON.stringify(ofUploads).replaceAll('images/prefix/', `images/${prefix}/`)) as Policy
const bucket = 'images'
const actions = documented.Statement.flatMap((statement) => statement.Action)

const minio = await startOrSkip('MinIO', startMinio)
afterAll(() => minio?.stop())

/** Everything that the registry asks of a backend, once. */
async function useEverything(server: RunningS3Server, credentials: S3Credentials): Promise<void> {
  const prefix = `prefix/${randomUUID()}`
  const uploadCredentials = await assumeRole(server, policyBelow(prefix))
  const storage = storageOn(server, { bucket, prefix, credentials, uploadCredentials, createBucket: false })
  try {
    await storage.ready?.()
    const small = testBytes(100)
    await storage.put('blobs/a', stream(small.bytes), small)
    await storage.prove?.('blobs/a', small)
    const { signed, complete } = await startWhole(storage, 'blobs/b', small)
    expect(
      (await rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body: small.bytes })).status,
    ).toBe(200)
    await complete()
    const ref = { key: 'blobs/c', ...(await storage.multipart.create('blobs/c', { size: 100, partSize: 5 * MiB })) }
    const part = await storage.multipart.writePart!(stream(small.bytes), {
      ...ref,
      ...small,
      partNumber: 1,
      partSize: 5 * MiB,
    })
    await storage.multipart.complete({ ...ref, parts: [part], size: 100, sha256: small.sha256 })
    await storage.multipart.abort({
      key: 'blobs/d',
      ...(await storage.multipart.create('blobs/d', { size: 100, partSize: 5 * MiB })),
    })
    await collect(storage.multipart.listUploads())
    expect((await collect(storage.list('blobs/'))).length).toBe(3)
    await storage.sweepTemporary?.(new Date())
    await storage.delete('blobs/a')
  } finally {
    await storage.close?.()
  }
}

describeOn(minio, 'the documented policy', (minio) => {
  let credentials: S3Credentials
  beforeAll(async () => {
    const root = storageOn(minio, { bucket })
    await root.ready?.()
    await root.close?.()
    credentials = await assumeRole(minio, documented)
  })

  test('is enough, and the session token is signed', async () => {
    expect(credentials.sessionToken).toBeTruthy()
    await useEverything(minio, credentials)
  })

  test.each(actions)('is not enough without %s', async (action) => {
    const Statement = documented.Statement.map((statement) => ({
      ...statement,
      Action: statement.Action.filter((name) => name !== action),
    })).filter((statement) => statement.Action.length > 0)
    await expect(useEverything(minio, await assumeRole(minio, { ...documented, Statement }))).rejects.toMatchObject({
      message: expect.stringMatching(/\b403\b/),
    })
  })

  describe('conformance', () => {
    describeStorageBackend(
      { describe, test },
      {
        name: 'under the policy',
        create: async () => {
          const prefix = `prefix/${randomUUID()}`
          const uploadCredentials = await assumeRole(minio, policyBelow(prefix))
          const options = { bucket, prefix, credentials, uploadCredentials, createBucket: false } as const
          return { backend: storageOn(minio, { ...options, verify: 'store' }) }
        },
        skip: S3_DEVIATIONS,
      },
    )
  })
})
