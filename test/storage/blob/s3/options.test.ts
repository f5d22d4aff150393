import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { s3OptionsFromUrl, s3Storage } from '../../../../src/storage/blob/s3/index.js'
import { createS3Keys } from '../../../../src/storage/blob/s3/keys.js'
import { resolveS3Options } from '../../../../src/storage/blob/s3/options.js'
import { importPeer } from '../../../../src/storage/blob/s3/peers.js'

const folder = mkdtempSync(join(tmpdir(), 'sif-library-s3-url-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('s3OptionsFromUrl', () => {
  test('reads every parameter', () => {
    const ca = join(folder, 'ca file.pem')
    writeFileSync(ca, 'PEM')
    const query = new URLSearchParams({
      endpoint: 'http://minio:9000',
      publicEndpoint: 'https://s3.example.org',
      region: 'eu-west-1',
      pathStyle: 'false',
      ca,
      verify: 'store',
    })
    expect(
      s3OptionsFromUrl(
        `s3://images/a/b%20c?${query}&bindPayload=false&createBucket=false&storageClass=X&serverSideEncryption=aws:kms&kmsKeyId=k`,
      ),
    ).toEqual({
      bucket: 'images',
      prefix: 'a/b c',
      endpoint: 'http://minio:9000',
      publicEndpoint: 'https://s3.example.org',
      region: 'eu-west-1',
      pathStyle: false,
      ca: 'PEM',
      verify: 'store',
      bindPayload: false,
      createBucket: false,
      storageClass: 'X',
      serverSideEncryption: 'aws:kms',
      kmsKeyId: 'k',
    })
    expect(s3OptionsFromUrl('s3://images')).toEqual({ bucket: 'images' })
    expect(s3OptionsFromUrl('s3://images/?pathStyle=true')).toEqual({ bucket: 'images', pathStyle: true })
  })

  test.each([
    ['s3:images', /expected s3:\/\/BUCKET/],
    ['https://images', /expected s3:\/\/BUCKET/],
    ['s3:///x', /bucket is missing/],
    ['s3://ab', /bucket name/],
    ['s3://images?endpoit=x', /unknown parameter "endpoit"; known are endpoint/],
    ['s3://images?region=a&region=b', /region is given twice/],
    ['s3://images?pathStyle=yes', /pathStyle must be true or false, not "yes"/],
    ['s3://images?verify=never', /verify must be read or store or background/],
    ['s3://images?endpoint=minio:9000', /endpoint must be an http or https URL/],
    ['s3://images?endpoint=http%3A%2F%2Fu%3Ap%40h', /endpoint must not carry credentials/],
    ['s3://images/a/../b', /segment/],
    ['s3://images/%zz', /percent-encoded/],
    ['s3://images?ca=/none/such.pem', /cannot read \/none\/such\.pem/],
    ['s3://images?kmsKeyId=k', /serverSideEncryption/],
    ['s3://images?__proto__=k', /unknown parameter/],
    ['s3://images?verify=constructor', /verify must be/],
  ])('%s is refused by name', (url, message) => {
    expect(() => s3OptionsFromUrl(url)).toThrow(message)
    expect(() => s3OptionsFromUrl(url)).toThrow(expect.objectContaining({ name: 'StorageError', code: 'unsupported' }))
  })

  test('a secret in the URL is not repeated', () => {
    for (const url of ['s3://AKIA:hunter2@images', 's3://images#hunter2', 'S3://hunter2']) {
      expect(() => s3OptionsFromUrl(url)).toThrow()
      try {
        s3OptionsFromUrl(url)
      } catch (error) {
        expect(String(error)).not.toContain('hunter2')
      }
    }
  })
})

describe('options', () => {
  test('defaults differ with an endpoint and without', () => {
    expect(resolveS3Options({ bucket: 'images', endpoint: 'http://minio:9000' })).toMatchObject({
      region: 'us-east-1',
      pathStyle: true,
      verify: 'read',
      bindPayload: 'probe',
    })
    const aws = resolveS3Options({ bucket: 'images', timeouts: { idleSeconds: 7 } })
    expect(aws).toMatchObject({
      pathStyle: false,
      maxAttempts: 3,
      timeouts: { connectSeconds: 5, requestSeconds: 60, idleSeconds: 7, finishSeconds: 3600 },
    })
    expect(aws.region).toBeUndefined()
  })

  test('one attempt is refused', () => {
    expect(() => s3Storage({ bucket: 'images', maxAttempts: 1 })).toThrow(/maxAttempts/)
  })

  test('a missing peer is named', async () => {
    await expect(
      importPeer('@aws-sdk/client-s3', () => Promise.reject(new Error('ERR_MODULE_NOT_FOUND'))),
    ).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('npm install @aws-sdk/client-s3'),
    })
  })

  test('AWS itself: regions, partitions and bucket names lead to the right host', async () => {
    const host = async (options: { bucket: string; region: string; pathStyle?: boolean }) => {
      const storage = s3Storage({
        ...options,
        bindPayload: true,
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      })
      const { url } = await storage.presign.get('blobs/x', { expiresSeconds: 60 })
      await storage.close?.()
      return url.split('?')[0]
    }
    expect(await host({ bucket: 'images', region: 'eu-west-1' })).toBe(
      'https://images.s3.eu-west-1.amazonaws.com/blobs/x',
    )
    expect(await host({ bucket: 'images', region: 'cn-north-1' })).toBe(
      'https://images.s3.cn-north-1.amazonaws.com.cn/blobs/x',
    )
    expect(await host({ bucket: 'images', region: 'us-east-1', pathStyle: true })).toBe(
      'https://s3.us-east-1.amazonaws.com/images/blobs/x',
    )
    expect(await host({ bucket: 'im.ages', region: 'us-east-1' })).toBe(
      'https://s3.us-east-1.amazonaws.com/im.ages/blobs/x',
    )
  })

  test('credentials that rotate are asked for again, and a session token is signed', async () => {
    let asked = 0
    const storage = s3Storage({
      bucket: 'images',
      endpoint: 'http://127.0.0.1:9',
      bindPayload: true,
      credentials: async () => ({
        accessKeyId: `A${++asked}`,
        secretAccessKey: 's',
        sessionToken: `token-${asked}`,
        expiration: new Date(Date.now() + 20),
      }),
    })
    const tokens: (string | null)[] = []
    for (let round = 0; round < 2; round += 1) {
      const { url, expiresAt } = await storage.presign.get('blobs/x', { expiresSeconds: 7200 })
      tokens.push(new URL(url).searchParams.get('X-Amz-Security-Token'))
      expect(tokens.at(-1)).toBe(`token-${asked}`)
      // the credentials end before the URL would
      expect(expiresAt.getTime()).toBeLessThan(Date.now() + 1000)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    expect(tokens[1]).not.toBe(tokens[0])
    await storage.close?.()
  })
})

describe('keys', () => {
  test('a staging key is no key, and the prefix hides what is not ours', () => {
    const keys = createS3Keys('pre/fix')
    expect(keys.object('blobs/a')).toBe('pre/fix/blobs/a')
    expect(keys.parse(keys.staging('blobs/a'))).toEqual({ key: 'blobs/a', staged: true })
    expect(keys.parse('pre/fixed/blobs/a')).toBeUndefined()
    expect(() => keys.object('.incoming/blobs/a')).toThrow(expect.objectContaining({ code: 'invalid-key' }))
    expect(() => keys.staging('../a')).toThrow(expect.objectContaining({ code: 'invalid-key' }))
  })
})
