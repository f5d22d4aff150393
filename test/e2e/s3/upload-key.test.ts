/**
 * Ceph opens no sessions without roles: signed by the registry's own key, its upload URLs would copy. A second user that
 * may write uploads and nothing else is the key to sign them with, as docs/stores/ceph.md says.
 */
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CephCluster, startCeph } from '../../../scripts/s3-servers.mjs'
import type { S3Credentials } from '../../../src/storage/blob/s3/index.js'
import { sendPlain } from '../../../src/storage/blob/s3/request.js'
import { makePushCalls, type PushCalls, putHeaders, sha256Of } from '../harness/push-calls.js'
import { BUCKET, startServeOn } from '../harness/s3-registry.js'
import type { ServeRegistry } from '../harness/server.js'
import { makeUploadKey, type UploadKey } from './ceph-upload-key.js'
import { type RawAnswer, rawRequest } from './requests.js'
import { describeOn, MiB, startOrSkip, storageOn, testBytes } from './servers.js'
import { startWhole } from './whole.js'

const ceph = await startOrSkip('Ceph', startCeph)
afterAll(() => ceph?.stop())

const PREFIX = 'prefix'

describeOn(ceph, 'Ceph', (server) => {
  test('copies by an unsigned header, so uploads by URL are blocked with the registry’s own key', async () => {
    const storage = storageOn(server)
    await storage.ready?.()
    const { verdict } = await storage.examineUploads()
    expect(verdict).toMatchObject({ signedBy: 'credentials', copying: 'copied', bound: false })
    await expect(startWhole(storage, 'blobs/a', testBytes(100))).rejects.toMatchObject({ code: 'unsupported' })
    await storage.close?.()
  })

  describe('with a second user that may put uploads', () => {
    let key: S3Credentials
    let env: UploadKey['env']
    let registry: ServeRegistry
    let alice: PushCalls

    beforeAll(async () => {
      ;({ key, env } = await makeUploadKey(server as CephCluster, PREFIX))
      const { endpoint, region, accessKeyId, secretAccessKey } = server
      const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'secret', Body: 'x'.repeat(1000) }))
      s3.destroy()
      registry = await startServeOn(server, { prefix: PREFIX, env, args: ['--part-size', '5MiB'] })
      alice = makePushCalls(registry, await registry.tokenOf('alice'))
    })
    afterAll(() => registry?.stop())

    const put = (url: string, bytes: Uint8Array, more: Readonly<Record<string, string>> = {}): Promise<RawAnswer> =>
      rawRequest(url, { method: 'PUT', headers: { ...putHeaders(url, bytes), ...more }, body: bytes })
    const isSignedByIt = (url: string): void => {
      expect(new URL(url).origin).toBe(server.endpoint)
      expect(new URL(url).searchParams.get('X-Amz-Credential')).toMatch(new RegExp(`^${key.accessKeyId}/`))
    }

    test('uploads go past the registry, single and in parts, and are what was sent', async () => {
      const single = testBytes(1000)
      const id = await alice.makeImage('alice/key/single', single.bytes)
      const url = await alice.startSingle(id, single.bytes)
      isSignedByIt(url)
      expect((await put(url, single.bytes)).status).toBe(200)
      expect((await alice.completeSingle(id)).status).toBe(200)
      expect(sha256Of((await alice.pull('alice/key/single', single.bytes)).bytes)).toBe(single.sha256)

      const whole = testBytes(6 * MiB)
      const imageId = await alice.makeImage('alice/key/parts', whole.bytes)
      const { uploadID, options } = await alice.startMultipart(imageId, whole.size)
      const tokens: string[] = []
      for (const [index, bytes] of [whole.bytes.subarray(0, 5 * MiB), whole.bytes.subarray(5 * MiB)].entries()) {
        const hash = options.s3compliant === 'true'
        const part = await alice.partUrl(imageId, { uploadID, partNumber: index + 1, bytes, hash })
        isSignedByIt(part)
        const sent = await put(part, bytes)
        expect(sent.status).toBe(200)
        tokens.push(String(sent.headers.etag))
      }
      expect((await alice.completeMultipart(imageId, uploadID, tokens)).status).toBe(200)
      expect(sha256Of((await alice.pull('alice/key/parts', whole.bytes)).bytes)).toBe(whole.sha256)
      expect(JSON.parse(await registry.operate(['verify', '--all', '--json']))).toMatchObject({ damaged: 0 })
    })

    const ranges: readonly Readonly<Record<string, string>>[] = [{}, { 'x-amz-copy-source-range': 'bytes=0-999' }]
    test.each(ranges)('a copy is refused (%o)', async (range) => {
      const [path, claimed] = [`alice/key/copy${Object.keys(range).length}`, testBytes(1000)]
      const id = await alice.makeImage(path, claimed.bytes)
      const url = await alice.startSingle(id, claimed.bytes)
      const copy = { 'x-amz-copy-source': `/${BUCKET}/secret`, ...range }
      expect((await put(url, claimed.bytes, copy)).status).toBe(403)
      // Ceph copies best where the announced body does not come
      const headers = { ...putHeaders(url, claimed.bytes), ...copy }
      const bare = await sendPlain(url, { method: 'PUT', headers, withhold: true, ca: undefined, idleMs: 5000 })
      expect(bare.status).toBe(403)
      expect((await alice.completeSingle(id)).status).toBe(409)
      // and the URL is still good for what it was made for
      expect((await put(url, claimed.bytes)).status).toBe(200)
      expect((await alice.completeSingle(id)).status).toBe(200)
      expect((await put(url, claimed.bytes, copy)).status).toBeGreaterThanOrEqual(400)
      expect(sha256Of((await alice.pull(path, claimed.bytes)).bytes)).toBe(claimed.sha256)
    })

    test('the key reaches nothing else', async () => {
      const credentials = { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey }
      const storage = storageOn(server, { bucket: BUCKET, prefix: PREFIX, credentials, uploadCredentials: key })
      await storage.ready?.()
      expect(await storage.examineUploads()).toMatchObject({
        verdict: { signedBy: 'uploadCredentials', copying: 'refused' },
        reach: [],
      })
      await storage.close?.()
    })

    test('half of the key in the environment is refused at the start', async () => {
      const half = { ...env, SIF_LIBRARY_UPLOAD_SECRET_ACCESS_KEY: '' }
      await expect(startServeOn(server, { prefix: PREFIX, env: half })).rejects.toThrow(
        'SIF_LIBRARY_UPLOAD_SECRET_ACCESS_KEY is missing',
      )
    })
  })
})
