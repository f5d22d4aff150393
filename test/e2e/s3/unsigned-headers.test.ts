/**
 * Headers that no signature covers, on real stores: whoever holds an upload URL writes his own bytes with it and nothing
 * else. Copies of other objects, other metadata, other rights and the store's own extensions are tried on every URL that
 * the registry hands out, before and after the completion, directly and through deploy/nginx.conf.
 */
import { createHash } from 'node:crypto'
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningS3Server, startMinio, startS3Proxy, startVersitygw } from '../../../scripts/s3-servers.mjs'
import { describeWhen } from '../harness/availability.js'
import { makePushCalls, type PushCalls, putHeaders, sha256Of } from '../harness/push-calls.js'
import { BUCKET, startServeOn } from '../harness/s3-registry.js'
import type { ServeRegistry } from '../harness/server.js'
import { type RawAnswer, rawRequest } from './requests.js'
import { MiB, startOrSkip, testBytes } from './servers.js'

const servers = [
  // uploads go past the registry where the store refuses the copy, and through it where nothing else helps
  { name: 'MinIO', server: await startOrSkip('MinIO', startMinio), direct: true },
  { name: 'versitygw', server: await startOrSkip('versitygw', startVersitygw), direct: true },
  { name: 's3proxy', server: await startOrSkip('s3proxy', startS3Proxy), direct: false },
]
afterAll(() => Promise.all(servers.map(({ server }) => server?.stop())))

const FOREIGN = 'somebody-else'
const SECRET = 'what the registry must never show'
const copySource = (object: string, bucket = BUCKET) => `/${bucket}/${object}`

/** What stores read from headers that a presigned URL does not sign. */
const others: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a type and an encoding': { 'content-encoding': 'gzip', 'content-type': 'text/html', 'content-language': 'x' },
  metadata: { 'x-amz-meta-evil': 'yes', 'x-amz-meta-moved': 'yes' },
  'an ACL': { 'x-amz-acl': 'public-read' },
  'a grant': { 'x-amz-grant-read': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' },
  tags: { 'x-amz-tagging': 'a=b' },
  'a storage class': { 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
  'a redirect': { 'x-amz-website-redirect-location': 'https://evil.example/' },
  'a lock': { 'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': '2099-01-01T00:00:00Z' },
  'an encryption': { 'x-amz-server-side-encryption': 'AES256' },
  'a key of one’s own': {
    'x-amz-server-side-encryption-customer-algorithm': 'AES256',
    'x-amz-server-side-encryption-customer-key': Buffer.alloc(32, 1).toString('base64'),
    'x-amz-server-side-encryption-customer-key-md5': 'xAJPs6r68DP3Ra+uPwkKPg==',
  },
  'an archive to unpack': { 'x-amz-meta-snowball-auto-extract': 'true' },
  'a condition': { 'if-none-match': '*' },
  'another method': { 'x-http-method-override': 'DELETE' },
  'the marks of a replica': { 'x-minio-source-replication-request': 'true', 'x-minio-source-etag': '0'.repeat(32) },
}
/** Through the registry none of them means anything. */
const spellings = ['X-Amz-Copy-Source', 'x-amz-copy-source', 'X-AMZ-COPY-SOURCE', 'x-Amz-cOpy-sOurce']
const queries = ['acl', 'tagging', 'retention', 'versionId=null', 'x-id=CopyObject', 'response-content-type=text/html']

for (const { name, server, direct } of servers) {
  describeWhen(server === undefined ? 'the store is not on this machine' : undefined, `unsigned headers on ${name}`)(
    name,
    () => {
      const prefix = 'unsigned'
      const evil = testBytes(1000)
      let registry: ServeRegistry
      let alice: PushCalls
      let s3: S3Client
      let ownObject: string
      let count = 0
      const nextPath = (): string => {
        count += 1
        return `alice/unsigned/n${count}`
      }

      beforeAll(async () => {
        const { endpoint, region, accessKeyId, secretAccessKey } = server as RunningS3Server
        s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
        registry = await startServeOn(server as RunningS3Server, { prefix, args: ['--part-size', '5MiB'] })
        alice = makePushCalls(registry, await registry.tokenOf('alice'))
        // an object of one's own, pushed as it should be
        await push(nextPath(), evil.bytes)
        const { data } = await alice.call('GET', `/v1/images/alice/unsigned/n1:sha256.${evil.sha256}`)
        expect(data.uploaded).toBe(true)
        ownObject = await findObject(evil.sha256)
        await s3.send(new CreateBucketCommand({ Bucket: FOREIGN }))
        await s3.send(new PutObjectCommand({ Bucket: FOREIGN, Key: 'secret', Body: SECRET }))
      })
      afterAll(async () => {
        await registry?.stop()
        s3?.destroy()
      })

      const findObject = async (sha256: string): Promise<string> => {
        const { Contents = [] } = await s3.send(
          new ListObjectsV2Command({
            Bucket: BUCKET,
            Prefix: `${prefix}/blobs/sha256/${sha256.slice(0, 2)}/${sha256}/`,
          }),
        )
        expect(Contents).toHaveLength(1)
        return Contents[0]?.Key ?? ''
      }

      /** The upload URL of a new image with these bytes. */
      async function start(path: string, bytes: Uint8Array): Promise<{ readonly id: string; readonly url: string }> {
        const id = await alice.makeImage(path, bytes)
        return { id, url: await alice.startSingle(id, bytes) }
      }
      const put = (url: string, bytes: Uint8Array, more: Readonly<Record<string, string>> = {}): Promise<RawAnswer> =>
        rawRequest(url, { method: 'PUT', headers: { ...putHeaders(url, bytes), ...more }, body: bytes })
      async function push(path: string, bytes: Uint8Array): Promise<string> {
        const { id, url } = await start(path, bytes)
        expect((await put(url, bytes)).status).toBe(200)
        expect((await alice.completeSingle(id)).status).toBe(200)
        return url
      }
      async function expectRight(path: string, bytes: Uint8Array): Promise<void> {
        const pulled = await alice.pull(path, bytes)
        expect(pulled.status).toBe(200)
        expect(sha256Of(pulled.bytes)).toBe(sha256Of(bytes))
      }

      it(`hands out URLs of ${direct ? 'the store' : 'its own, since this store would copy'}`, async () => {
        const { url } = await start(nextPath(), testBytes(1000).bytes)
        expect(new URL(url).origin).toBe(direct ? server?.endpoint : registry.url)
        const query = new URL(url).searchParams
        expect(query.has('X-Amz-Security-Token')).toBe(name === 'MinIO')
        // no final key has a PUT URL
        if (direct) expect(query.get('partNumber')).toBe('1')
      })

      describe.each(spellings.slice(0, direct ? spellings.length : 1))('%s', (header) => {
        it('a) puts no other bytes under a hash', async () => {
          const [path, claimed] = [nextPath(), testBytes(1000)]
          const { id, url } = await start(path, claimed.bytes)
          const sent = await put(url, claimed.bytes, { [header]: copySource(ownObject) })
          // through the registry the header means nothing, and these are the right bytes
          expect(sent.status).toBe(direct ? 403 : 200)
          const completed = await alice.completeSingle(id)
          expect(completed.status).toBe(direct ? 409 : 200)
          if (direct) expect((await alice.pull(path, claimed.bytes)).status).toBe(404)
          else await expectRight(path, claimed.bytes)
        })

        it('b) changes nothing that was pushed', async () => {
          const [path, honest] = [nextPath(), testBytes(1000)]
          const url = await push(path, honest.bytes)
          for (const source of [copySource(ownObject), encodeURIComponent(copySource(ownObject)), copySource('no')]) {
            const sent = await put(url, honest.bytes, { [header]: source, 'x-amz-metadata-directive': 'REPLACE' })
            expect(sent.status).toBeGreaterThanOrEqual(400)
          }
          await expectRight(path, honest.bytes)
          expect(JSON.parse(await registry.operate(['verify', '--all', '--json']))).toMatchObject({ damaged: 0 })
        })

        it('c) reads nothing into a part, whole or by range', async () => {
          const whole = Buffer.concat([testBytes(5 * MiB).bytes, Buffer.from('x')])
          const id = await alice.makeImage(nextPath(), whole)
          const { uploadID, options } = await alice.startMultipart(id, whole.length)
          const last = whole.subarray(5 * MiB)
          const hash = options.s3compliant === 'true'
          const url = await alice.partUrl(id, { uploadID, partNumber: 2, bytes: last, hash })
          const places = [
            copySource('secret', FOREIGN),
            copySource(ownObject),
            copySource(`${prefix}/records/storage-mark`),
            '/.minio.sys/config/config.json',
            copySource('never/there'),
          ]
          const ranges: readonly Record<string, string>[] = [{}, { 'x-amz-copy-source-range': 'bytes=0-0' }]
          for (const source of places)
            for (const range of ranges) {
              const sent = await put(url, last, { [header]: source, ...range })
              const md5s = [...SECRET].map((char) => md5(char))
              expect(md5s).not.toContain(String(sent.headers.etag ?? '').replaceAll('"', ''))
              if (direct) expect(sent.status, source).toBe(403)
              else expect(sent.body.toString()).not.toContain('CopyPartResult')
            }
          await alice.call('PUT', `/v2/imagefile/${id}/_multipart_abort`, { uploadID })
        })
      })

      describe('d) what else a header may say', () => {
        it.each(Object.keys(others))('%s changes neither bytes nor what is told of them', async (what) => {
          const [path, honest] = [nextPath(), testBytes(1000)]
          const { id, url } = await start(path, honest.bytes)
          const sent = await put(url, honest.bytes, others[what] ?? {})
          if (sent.status !== 200) expect((await put(url, honest.bytes)).status).toBe(200)
          expect(await alice.completeSingle(id)).toMatchObject({ status: 200 })
          // and once more, on what is published
          await put(url, honest.bytes, others[what] ?? {})
          await expectRight(path, honest.bytes)
          const Key = await findObject(honest.sha256)
          const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))
          expect(head.ContentType).toBe('application/octet-stream')
          expect(head.ContentEncoding).toBeUndefined()
          expect(head.Metadata ?? {}).toEqual({})
          expect(head.WebsiteRedirectLocation).toBeUndefined()
          expect(head.ObjectLockMode).toBeUndefined()
          expect(head.SSECustomerAlgorithm).toBeUndefined()
          expect([undefined, 'STANDARD']).toContain(head.StorageClass)
          expect((await rawRequest(`${server?.endpoint}/${BUCKET}/${Key}`)).status).not.toBe(200)
        })

        it.each(direct ? queries : [])('?%s is part of what is signed', async (query) => {
          const honest = testBytes(1000)
          const { url } = await start(nextPath(), honest.bytes)
          const sent = await put(`${url}&${query}`, honest.bytes)
          expect(sent.status).toBeGreaterThanOrEqual(400)
        })
      })

      // the other stores have no such buckets
      if (name === 'MinIO')
        describe('a bucket that everybody may read', () => {
          it('is no source of a copy either', async () => {
            const Statement = [
              { Effect: 'Allow', Principal: '*', Action: ['s3:GetObject'], Resource: [`arn:aws:s3:::${FOREIGN}/*`] },
            ]
            const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
            await s3.send(new PutBucketPolicyCommand({ Bucket: FOREIGN, Policy }))
            expect((await rawRequest(`${server?.endpoint}/${FOREIGN}/secret`)).body.toString()).toBe(SECRET)
            const claimed = Buffer.from(SECRET.replaceAll(/[a-z]/g, 'x'))
            const { id, url } = await start(nextPath(), claimed)
            const sent = await put(url, claimed, { 'x-amz-copy-source': copySource('secret', FOREIGN) })
            expect(sent.status).toBe(403)
            expect((await alice.completeSingle(id)).status).toBe(409)
          })
        })

      // uploads that go through the registry have no URL of the store
      if (direct)
        describe('an upload URL', () => {
          it('is good for nothing but its PUT', async () => {
            const { url } = await start(nextPath(), testBytes(1000).bytes)
            for (const method of ['GET', 'HEAD', 'DELETE', 'POST'])
              expect(
                (await rawRequest(url, { method, headers: { 'content-length': '0' } })).status,
                method,
              ).toBeGreaterThanOrEqual(400)
          })
        })
    },
  )
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
