import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { Sha256 as JsSha256 } from '@aws-crypto/sha256-js'
import { describe, expect, test } from 'vitest'
import type { S3Credentials } from '../../../../src/storage/blob/s3/index.js'
import { loadSha256 } from '../../../../src/storage/blob/s3/sha256.js'
import { createSigner, type SignOptions } from '../../../../src/storage/blob/s3/signer.js'

const example: S3Credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}

interface Case extends SignOptions {
  readonly credentials: S3Credentials
  readonly region: string
  readonly bucketUrl: string
  readonly date: string
}

async function sign(
  { credentials, region, bucketUrl, date, ...request }: Case,
  sha256?: typeof JsSha256,
): Promise<string> {
  const signUrl = await createSigner({
    credentials: async () => credentials,
    region,
    bucketUrl: new URL(bucketUrl),
    clock: () => new Date(date),
    ...(sha256 === undefined ? {} : { sha256 }),
  })
  return (await signUrl(request)).url
}

describe('signer', () => {
  // AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", example
  test("AWS's published example, byte for byte", async () => {
    const aws: Case = {
      credentials: example,
      region: 'us-east-1',
      bucketUrl: 'https://examplebucket.s3.amazonaws.com/',
      date: '2013-05-24T00:00:00Z',
      method: 'GET',
      object: 'test.txt',
      expiresSeconds: 86_400,
    }
    const published =
      'https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404'
    expect(await sign(aws)).toBe(published)
    expect(await sign(aws, JsSha256)).toBe(published)
  })

  test('a path that a proxy takes off is in the URL and not in the signature', async () => {
    const make = (publicPath?: string) =>
      createSigner({
        credentials: async () => example,
        region: 'us-east-1',
        bucketUrl: new URL('https://portal.example/images'),
        clock: () => new Date('2026-01-15T12:00:00Z'),
        ...(publicPath === undefined ? {} : { publicPath }),
      }).then((signUrl) => signUrl({ method: 'GET', object: 'a/b c', expiresSeconds: 60 }))
    const [plain, below] = [await make(), await make('/store/images')]
    expect(below.url).toBe(plain.url.replace('/images/', '/store/images/'))
    expect(below.canonical()).toBe(plain.canonical())
  })

  test('a URL ends after a week at the most, and with the credentials that signed it', async () => {
    const now = new Date('2026-01-15T12:00:00Z')
    const make = (credentials: S3Credentials) =>
      createSigner({
        credentials: async () => credentials,
        region: 'r',
        bucketUrl: new URL('https://s3.example/b'),
        clock: () => now,
      })
    const long = await (await make(example))({ method: 'GET', object: 'x', expiresSeconds: 1e9 })
    expect(new URL(long.url).searchParams.get('X-Amz-Expires')).toBe('604800')
    expect(long.expiresAt).toEqual(new Date('2026-01-22T12:00:00Z'))
    const expiration = new Date('2026-01-15T12:10:00Z')
    const short = await (await make({ ...example, sessionToken: 'to/ken+=', expiration }))({
      method: 'GET',
      object: 'x',
      expiresSeconds: 3600,
    })
    expect(short.expiresAt).toEqual(expiration)
    expect(short.url).toContain('X-Amz-Security-Token=to%2Fken%2B%3D')
    expect(new URL(short.url).searchParams.get('X-Amz-Expires')).toBe('600')
  })

  test('the native hash gives what the JavaScript one gives', async () => {
    const Native = await loadSha256()
    for (const secret of [undefined, 'a secret ü', randomBytes(32)]) {
      for (const size of [0, 1, 63, 64, 65, 10_000]) {
        const data = randomBytes(size)
        const [native, js] = [new Native(secret), new JsSha256(secret)]
        for (const hash of [native, js]) {
          hash.update(data.subarray(0, size >> 1))
          hash.update(data.subarray(size >> 1))
        }
        expect(Buffer.from(await native.digest())).toEqual(Buffer.from(await js.digest()))
      }
    }
  })

  test('byte for byte what botocore signs, in 1,000 cases', async () => {
    const python =
      spawnSync('/usr/bin/python3', ['-c', 'import botocore'], { stdio: 'ignore' }).status === 0
        ? '/usr/bin/python3'
        : findPython()
    if (python === undefined) {
      if (process.env.SIF_LIBRARY_TEST_REQUIRE_ALL === '1')
        throw new Error('botocore is missing (Debian package python3-botocore)')
      console.warn('SKIPPED: the comparison with botocore: install python3-botocore')
      return
    }
    const cases = Array.from({ length: 1000 }, (_, index) => makeCase(index))
    const script = fileURLToPath(new URL('signer-botocore.py', import.meta.url))
    const expected = JSON.parse(
      execFileSync(python, [script], { input: JSON.stringify(cases), maxBuffer: 1e8 }).toString(),
    ) as string[]
    expect(expected.length).toBe(1000)
    for (const [index, one] of cases.entries())
      expect(sortQuery(await sign(one)), JSON.stringify(one)).toBe(sortQuery(expected[index] ?? ''))
  }, 120_000)
})

function findPython(): string | undefined {
  return spawnSync('python3', ['-c', 'import botocore'], { stdio: 'ignore' }).status === 0 ? 'python3' : undefined
}

/** The two put their parameters in another order; the signature covers them sorted. */
function sortQuery(url: string): string {
  const [path, query = ''] = url.split('?')
  return `${path}?${query.split('&').sort().join('&')}`
}

/** A case that depends on its number alone. */
function makeCase(index: number): Case {
  const bytes = createHash('sha512').update(`case ${index}`).digest()
  const pick = <T>(values: readonly T[], at: number): T => values[(bytes[at] ?? 0) % values.length] as T
  const legal = 'abcXYZ019-._~/!\'()*&$@=;:+ ,?ü漢🚀%^{}"<>#|[]`\\'
  const object =
    `o${Array.from({ length: 3 + ((bytes[0] ?? 0) % 30) }, (_, at) => pick([...legal], at + 1)).join('')}`.replace(
      /\/(?=\/|$)|\/\.+(?=\/|$)/g,
      '',
    )
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const size = String(bytes.readUInt32BE(40))
  const kind = index % 5
  const uploadId = bytes.subarray(0, 40).toString('base64')
  return {
    credentials: {
      accessKeyId: `AK${bytes.subarray(41, 50).toString('hex').toUpperCase()}`,
      secretAccessKey: bytes.subarray(20, 50).toString('base64'),
      ...(pick([true, false, false], 51) ? { sessionToken: bytes.toString('base64') } : {}),
    },
    region: pick(['us-east-1', 'eu-west-1', 'garage', 'cn-north-1'], 52),
    bucketUrl: pick(
      [
        'https://s3.example.org/bucket',
        'http://127.0.0.1:9000/b.u-cket',
        'https://bucket.s3.eu-west-1.amazonaws.com/',
        'https://[::1]:9443/b',
        'http://minio:80/b',
        'https://h/base/b',
      ],
      53,
    ),
    date: new Date(1_600_000_000_000 + bytes.readUInt32BE(54) * 100).toISOString().replace(/\.\d+Z/, 'Z'),
    method: kind < 2 ? 'GET' : 'PUT',
    object,
    expiresSeconds: 1 + (bytes.readUInt32BE(58) % 604_800),
    ...(kind === 1
      ? { query: { 'response-content-disposition': `attachment; filename="${pick(['a b', 'ü', "x'*()"], 62)}.sif"` } }
      : {}),
    ...(kind === 3 || kind === 4 ? { query: { partNumber: String(1 + (bytes[63] ?? 0)), uploadId } } : {}),
    ...(kind === 2 || kind === 3 ? { headers: { 'content-length': size, 'x-amz-content-sha256': sha256 } } : {}),
    ...(kind === 4 ? { headers: { 'content-length': size } } : {}),
  }
}
