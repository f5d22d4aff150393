import { createHash, createHmac } from 'node:crypto'
import { Sha256 } from '@aws-crypto/sha256-js'
import { HttpRequest } from '@smithy/protocol-http'
import { SignatureV4 } from '@smithy/signature-v4'
import { describe, expect, test } from 'vitest'
import { canonicalRequest } from '../../../../src/storage/blob/s3/canonical-request.js'
import { createSigner } from '../../../../src/storage/blob/s3/signer.js'

const credentials = { accessKeyId: 'AKTEST', secretAccessKey: 'a secret key' }
const signingDate = new Date('2026-01-15T12:00:00Z')
const scope = '20260115/eu-west-1/s3/aws4_request'
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** AWS "Create a signed AWS API request", steps 2 to 4, by hand. */
function signatureOf(canonical: string): string {
  const key = scope
    .split('/')
    .reduce<string | Buffer>(
      (last, word) => createHmac('sha256', last).update(word).digest(),
      `AWS4${credentials.secretAccessKey}`,
    )
  return createHmac('sha256', key)
    .update(`AWS4-HMAC-SHA256\n20260115T120000Z\n${scope}\n${sha256(canonical)}`)
    .digest('hex')
}

async function signHeaders(extra: { readonly sessionToken?: string } = {}) {
  const signer = new SignatureV4({
    credentials: { ...credentials, ...extra },
    region: 'eu-west-1',
    service: 's3',
    sha256: Sha256,
    uriEscapePath: false,
  })
  const request = new HttpRequest({
    method: 'PUT',
    protocol: 'https:',
    hostname: 's3.example',
    path: '/bucket/a%20b%2B',
    query: { uploadId: 'a/b+c=', partNumber: '2', tag: ['y', 'x'] },
    headers: { host: 's3.example', 'content-length': '3', 'X-Amz-Meta-Moved': '  a   b ' },
    body: 'abc',
  })
  return signer.sign(request, { signingDate })
}

describe('canonical request', () => {
  test('of a signed header request gives its signature again', async () => {
    const request = await signHeaders()
    const canonical = canonicalRequest(request as never) ?? ''
    expect(request.headers.authorization?.split('Signature=')[1]).toBe(signatureOf(canonical))
    expect(canonical.split('\n').slice(0, 3)).toEqual([
      'PUT',
      '/bucket/a%20b%2B',
      'partNumber=2&tag=x&tag=y&uploadId=a%2Fb%2Bc%3D',
    ])
    expect(canonical.endsWith(`\n${sha256('abc')}`)).toBe(true)
    expect(canonical).not.toMatch(/AKTEST|Signature/)
  })

  test('of a presigned URL gives its signature again, once the key is put back', async () => {
    const signUrl = await createSigner({
      credentials: async () => credentials,
      region: 'eu-west-1',
      bucketUrl: new URL('https://s3.example:9443/bucket'),
      clock: () => signingDate,
    })
    const bound: Readonly<Record<string, string>> = { 'content-length': '3', 'x-amz-content-sha256': sha256('abc') }
    for (const headers of [{ 'content-length': '3' } as typeof bound, bound]) {
      const { url, canonical } = await signUrl({
        method: 'PUT',
        object: "a b/ü'(1)",
        query: { partNumber: '1', uploadId: 'x/y=' },
        headers,
        expiresSeconds: 60,
      })
      const text = canonical() ?? ''
      expect(text).toContain('X-Amz-Credential=[redacted]%2F20260115%2Feu-west-1%2Fs3%2Faws4_request&')
      expect(signatureOf(text.replace('[redacted]', 'AKTEST'))).toBe(new URL(url).searchParams.get('X-Amz-Signature'))
      expect(text.split('\n').at(-1)).toBe(headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD')
    }
  })

  test('shows no session token, in headers or in the query', async () => {
    const request = await signHeaders({ sessionToken: 'token+of/a=session' })
    expect(canonicalRequest(request as never)).toContain('\nx-amz-security-token:[redacted]\n')
    const signUrl = await createSigner({
      credentials: async () => ({ ...credentials, sessionToken: 'token+of/a=session' }),
      region: 'eu-west-1',
      bucketUrl: new URL('https://s3.example/bucket'),
      clock: () => signingDate,
    })
    const text = (await signUrl({ method: 'GET', object: 'x', expiresSeconds: 60 })).canonical()
    expect(text).toContain('X-Amz-Security-Token=[redacted]&')
    expect(text).not.toMatch(/token(\+|%2B)of|AKTEST/)
  })

  test('of an unsigned request there is none', () => {
    expect(
      canonicalRequest({
        method: 'GET',
        path: '/',
        query: {},
        headers: { host: 'a', authorization: 'Bearer SignedHeaders=host' },
      }),
    ).toBeUndefined()
  })
})
