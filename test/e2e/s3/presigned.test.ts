import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startMinio, startVersitygw } from '../../../scripts/s3-servers.mjs'
import type { S3LogEntry } from '../../../src/storage/blob/s3/index.js'
import { createSigner } from '../../../src/storage/blob/s3/signer.js'
import { rawRequest } from './requests.js'
import { describeOn, MiB, readAll, startOrSkip, storageOn, testBytes } from './servers.js'
import { startWhole } from './whole.js'

const minio = await startOrSkip('MinIO', startMinio)
const versitygw = await startOrSkip('versitygw', startVersitygw)
afterAll(() => Promise.all([minio?.stop(), versitygw?.stop()]))

const right = testBytes(1000)
const other = testBytes(1000)
const minutes = { expiresSeconds: 300 }

describeOn(minio, 'MinIO holds a bound URL to its bytes', (minio) => {
  const storage = storageOn(minio)
  beforeAll(() => storage.ready?.())
  afterAll(() => storage.close?.())

  const partUrl = async (key: string) => {
    const upload = { key, ...(await storage.multipart.create(key, { size: 1000, partSize: 5 * MiB })) }
    return {
      upload,
      signed: await storage.presign.part!({ ...upload, partNumber: 1, size: 1000, sha256: right.sha256, ...minutes }),
    }
  }
  const kinds = {
    'a single PUT': async (key: string) => {
      const { ref, signed } = await startWhole(storage, key, right)
      return { signed, landed: async () => (await storage.multipart.listParts(ref))[0] }
    },
    'a part': async (key: string) => {
      const { upload, signed } = await partUrl(key)
      return { signed, landed: async () => (await storage.multipart.listParts(upload))[0] }
    },
  }

  test('the probe finds that it does', () => {
    expect(storage.presign.bindsPayload).toBe(true)
  })

  for (const [kind, sign] of Object.entries(kinds)) {
    test(`${kind}: right bytes are accepted, and only host, length and hash are signed`, async () => {
      const { signed, landed } = await sign(`blobs/right-${kind.length}`)
      expect(new URL(signed.url).search).toContain('X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-content-sha256')
      expect(signed.headers).toEqual({ 'content-length': '1000', 'x-amz-content-sha256': right.sha256 })
      expect((await rawRequest(signed.url, { method: 'PUT', headers: signed.headers, body: right.bytes })).status).toBe(
        200,
      )
      expect((await landed())?.size).toBe(1000)
    })

    const refusals: Record<
      string,
      (signed: {
        url: string
        headers: Readonly<Record<string, string>>
      }) => Promise<{ status: number; code: string | undefined }>
    > = {
      'other bytes': ({ url, headers }) =>
        rawRequest(url, { method: 'PUT', headers: { ...headers }, body: other.bytes }),
      'another length': ({ url, headers }) =>
        rawRequest(url, {
          method: 'PUT',
          headers: { ...headers, 'content-length': '900' },
          body: right.bytes.subarray(0, 900),
        }),
      'the header of other bytes': ({ url, headers }) =>
        rawRequest(url, {
          method: 'PUT',
          headers: { ...headers, 'x-amz-content-sha256': other.sha256 },
          body: other.bytes,
        }),
      'a missing header': ({ url }) =>
        rawRequest(url, { method: 'PUT', headers: { 'content-length': '1000' }, body: right.bytes }),
      'an unsigned payload': ({ url, headers }) =>
        rawRequest(url, {
          method: 'PUT',
          headers: { ...headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
          body: other.bytes,
        }),
      'another key': ({ url, headers }) =>
        rawRequest(url.replace('/blobs/', '/blobs/x'), { method: 'PUT', headers: { ...headers }, body: right.bytes }),
      'an altered expiry': ({ url, headers }) =>
        rawRequest(url.replace('X-Amz-Expires=300', 'X-Amz-Expires=900'), {
          method: 'PUT',
          headers: { ...headers },
          body: right.bytes,
        }),
      'another method': ({ url, headers }) =>
        rawRequest(url, { method: 'DELETE', headers: { ...headers, 'content-length': '0' } }),
    }
    test.each(Object.keys(refusals))(`${kind}: %s is refused, and nothing lands`, async (name) => {
      const { signed, landed } = await sign(`blobs/refused-${kind.length}-${Object.keys(refusals).indexOf(name)}`)
      const answer = await refusals[name]!(signed)
      expect(answer.status, `${answer.code}`).toBeGreaterThanOrEqual(400)
      expect(await landed()).toBeUndefined()
    })

    test(`${kind}: an expired URL is refused`, async () => {
      const anHourAgo = storageOn(minio, {
        bindPayload: true,
        clock: () => new Date(Date.now() - (isOld ? 3600_000 : 0)),
        prefix: 'expired',
      })
      let isOld = false
      await anHourAgo.ready?.()
      isOld = true
      const key = `blobs/expired-${kind.length}`
      const upload = { key, ...(await anHourAgo.multipart.create(key, { size: 1000, partSize: 5 * MiB })) }
      const signed = await (kind === 'a part'
        ? anHourAgo.presign.part!({ ...upload, partNumber: 1, size: 1000, sha256: right.sha256, ...minutes })
        : startWhole(anHourAgo, key, right).then((whole) => whole.signed))
      expect(signed.expiresAt.getTime()).toBeLessThan(Date.now())
      expect(
        await rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body: right.bytes }),
      ).toMatchObject({
        status: 403,
        code: 'AccessDenied',
      })
      await anHourAgo.close?.()
    })
  }

  test('a part of five MiB by URL becomes a blob that a URL reads back in ranges, under a file name', async () => {
    const parts = [testBytes(5 * MiB), testBytes(1234)]
    const bytes = new Uint8Array([...parts[0]!.bytes, ...parts[1]!.bytes])
    const upload = {
      key: 'blobs/whole',
      ...(await storage.multipart.create('blobs/whole', { size: bytes.length, partSize: 5 * MiB })),
    }
    const claims: { partNumber: number; etag: string }[] = []
    for (const [index, part] of parts.entries()) {
      const signed = await storage.presign.part!({ ...upload, partNumber: index + 1, ...part, ...minutes })
      const answer = await rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body: part.bytes })
      expect(answer.status).toBe(200)
      // the client hands the ETag back with its quotes
      claims.push({ partNumber: index + 1, etag: String(answer.headers.etag) })
    }
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(await storage.multipart.complete({ ...upload, parts: claims, size: bytes.length, sha256 })).toEqual({
      key: 'blobs/whole',
      proof: 'proven',
    })
    const { url } = await storage.presign.get('blobs/whole', { ...minutes, filename: 'größe "x"_latest.sif' })
    const range = await rawRequest(url, { headers: { range: `bytes=${5 * MiB - 10}-${5 * MiB + 9}` } })
    expect(range.status).toBe(206)
    expect(new Uint8Array(range.body)).toEqual(bytes.subarray(5 * MiB - 10, 5 * MiB + 10))
    expect(range.headers['content-disposition']).toBe(
      `attachment; filename="gr__e _x__latest.sif"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%22x%22_latest.sif`,
    )
  })

  test('objects with every character that S3 allows are signed as they are sent', async () => {
    const bucketUrl = new URL(`${minio.endpoint}/sif-library`)
    const signUrl = await createSigner({
      credentials: async () => minio,
      region: minio.region,
      bucketUrl,
      clock: () => new Date(),
    })
    for (const object of [
      "odd/!-_.*'()",
      'odd/&$@=;:+ ,?',
      'odd/ü漢字🚀',
      'odd/%2F%41',
      'odd/a~b',
      'odd/{}^%`[]"<>#|',
      `odd/${'x'.repeat(200)}`,
    ]) {
      const headers = { 'content-length': '1000', 'x-amz-content-sha256': right.sha256 }
      const put = await signUrl({ method: 'PUT', object, headers, expiresSeconds: 300 })
      expect(await rawRequest(put.url, { method: 'PUT', headers, body: right.bytes }), object).toMatchObject({
        status: 200,
      })
      const get = await signUrl({ method: 'GET', object, expiresSeconds: 300 })
      expect(new Uint8Array((await rawRequest(get.url)).body), object).toEqual(right.bytes)
    }
  })

  test('a client without the hash header is read back, and its URL leads nowhere afterwards', async () => {
    const { signed, complete } = await startWhole(storage, 'blobs/old-client', right, { withHash: false })
    expect(signed.headers).toEqual({ 'content-length': '1000' })
    const send = (body: Uint8Array) => rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body })
    expect((await send(right.bytes)).status).toBe(200)
    expect(await storage.stat('blobs/old-client')).toBeUndefined()
    expect(await complete()).toEqual({ key: 'blobs/old-client', proof: 'proven' })
    expect(await send(other.bytes)).toMatchObject({ status: 404, code: 'NoSuchUpload' })
    expect(await readAll((await storage.get('blobs/old-client')).body)).toEqual(right.bytes)
    expect(await storage.sweepTemporary?.(new Date(Date.now() + 60_000))).toBe(0)
  })

  test('bytes that the store held to their hash are not read again, others are', async () => {
    for (const [withHash, reads] of [
      [true, 0],
      [false, 1],
    ] as const) {
      const entries: S3LogEntry[] = []
      const logged = storageOn(minio, { log: (entry) => entries.push(entry) })
      await logged.ready?.()
      const { signed, complete } = await startWhole(logged, 'blobs/reads', right, { withHash })
      await rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body: right.bytes })
      await complete()
      expect(entries.filter(({ operation }) => operation === 'GetObject')).toHaveLength(reads)
      await logged.close?.()
    }
  })
})

describeOn(minio, 'endpoints', (minio) => {
  test('a URL is signed for the public endpoint, and is good for no other name', async () => {
    const publicEndpoint = minio.endpoint.replace('127.0.0.1', 'localhost')
    const storage = storageOn(minio, { publicEndpoint })
    await storage.ready?.()
    const { signed, complete } = await startWhole(storage, 'blobs/public', right)
    expect(new URL(signed.url).origin).toBe(publicEndpoint)
    const internal = signed.url.replace('localhost', '127.0.0.1')
    const put = { method: 'PUT', headers: { ...signed.headers }, body: right.bytes }
    expect(await rawRequest(internal, put)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
    expect((await rawRequest(signed.url, put)).status).toBe(200)
    expect(await complete()).toEqual({ key: 'blobs/public', proof: 'proven' })
    await storage.close?.()
  })

  test('virtual host form: the bucket is in the host', async () => {
    const virtual = (await startOrSkip('MinIO', () => startMinio({ env: { MINIO_DOMAIN: 'localhost' } })))!
    try {
      const bucket = 'in-the-host'
      const create = storageOn(virtual, { bucket })
      await create.ready?.()
      const signUrl = await createSigner({
        credentials: async () => virtual,
        region: virtual.region,
        bucketUrl: new URL(virtual.endpoint.replace('127.0.0.1', `${bucket}.localhost`)),
        clock: () => new Date(),
      })
      const bound = { 'content-length': '1000', 'x-amz-content-sha256': right.sha256 }
      const signed = await signUrl({ method: 'PUT', object: 'blobs/v', headers: bound, expiresSeconds: 300 })
      expect(new URL(signed.url).hostname).toBe('in-the-host.localhost')
      // not every resolver knows *.localhost, so the address is pinned and the name sent as Host
      const url = signed.url.replace('in-the-host.localhost', '127.0.0.1')
      const headers = { ...bound, host: new URL(signed.url).host }
      expect(await rawRequest(url, { method: 'PUT', headers, body: right.bytes })).toMatchObject({ status: 200 })
      await create.close?.()
    } finally {
      await virtual.stop()
    }
  })

  test('region, wrong secret and missing bucket say what they are', async () => {
    const wrong = async (options: Parameters<typeof storageOn>[1]) => {
      const storage = storageOn(minio, options)
      const error = await storage.ready?.().then(
        () => undefined,
        (reason: unknown) => reason as { code: string; message: string; retryable: boolean },
      )
      await storage.close?.()
      return error
    }
    expect(await wrong({ region: 'eu-west-1' })).toMatchObject({
      code: 'access-denied',
      message: expect.stringContaining('us-east-1'),
    })
    const secretAccessKey = 'not-the-secret-of-this-server'
    const denied = await wrong({ credentials: { accessKeyId: minio.accessKeyId, secretAccessKey } })
    expect(denied).toMatchObject({ code: 'access-denied', message: expect.stringContaining('SignatureDoesNotMatch') })
    expect(denied?.message).not.toContain(secretAccessKey)
    expect(await wrong({ bucket: 'not-there-yet', createBucket: false })).toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringContaining('not-there-yet'),
    })
    expect(await wrong({ endpoint: 'http://127.0.0.1:9' })).toMatchObject({ code: 'unavailable', retryable: true })
  })
})

describeOn(versitygw, 'versitygw refuses bound URLs', (versitygw) => {
  const storage = storageOn(versitygw)
  beforeAll(() => storage.ready?.())
  afterAll(() => storage.close?.())

  test('the probe finds that, and the URLs still bind the length', async () => {
    expect(storage.presign.bindsPayload).toBe(false)
    const { signed } = await startWhole(storage, 'blobs/length', right)
    expect(signed.headers).toEqual({ 'content-length': '1000' })
    const answer = await rawRequest(signed.url, {
      method: 'PUT',
      headers: { 'content-length': '900' },
      body: right.bytes.subarray(0, 900),
    })
    expect(answer.status).toBe(403)
  })

  test('a URL that is still valid cannot change or revive what was completed', async () => {
    const { signed, complete } = await startWhole(storage, 'blobs/late', right)
    const send = (bytes: Uint8Array) =>
      rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body: bytes })
    expect((await send(right.bytes)).status).toBe(200)
    expect(await complete()).toEqual({ key: 'blobs/late', proof: 'proven' })
    expect((await send(other.bytes)).status).toBe(404)
    expect(await readAll((await storage.get('blobs/late')).body)).toEqual(right.bytes)
    await storage.delete('blobs/late')
    expect((await send(right.bytes)).status).toBe(404)
    expect(await storage.stat('blobs/late')).toBeUndefined()
    expect(await storage.sweepTemporary?.(new Date(Date.now() + 60_000))).toBe(0)
  })

  test('other bytes are found by complete, and nothing of them stays', async () => {
    const { signed, complete } = await startWhole(storage, 'blobs/other', right)
    expect(
      (await rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body: other.bytes })).status,
    ).toBe(200)
    await expect(complete()).rejects.toMatchObject({ code: 'digest-mismatch' })
    expect(await storage.stat('blobs/other')).toBeUndefined()
    expect(await storage.sweepTemporary?.(new Date(Date.now() + 60_000))).toBe(0)
  })

  test('the wrong region is named', async () => {
    const wrong = storageOn(versitygw, { region: 'eu-west-1' })
    await expect(wrong.ready?.()).rejects.toMatchObject({
      code: 'access-denied',
      message: expect.stringContaining('AuthorizationHeaderMalformed'),
    })
    await wrong.close?.()
  })
})
