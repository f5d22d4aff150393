import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startMinio } from '../../../scripts/s3-servers.mjs'
import { s3OptionsFromUrl, s3Storage } from '../../../src/storage/blob/s3/index.js'
import { rawRequest } from './requests.js'
import { describeOn, MiB, startOrSkip, storageOn, stream, testBytes } from './servers.js'
import { startWhole } from './whole.js'

const folder = mkdtempSync(join(tmpdir(), 'sif-library-tls-'))

/** A CA of our own and a certificate of it for 127.0.0.1 and localhost. */
function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=Test CA')
  openssl('req', ...key, '-keyout', 'private.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'public.crt',
    '-days',
    '2',
    '-extfile',
    'names',
  )
}

makeCertificates()
const minio = await startOrSkip('MinIO', () => startMinio({ certsDirectory: folder }))
afterAll(async () => {
  await minio?.stop()
  rmSync(folder, { recursive: true, force: true })
})

describeOn(minio, 'a store with a certificate of an own CA', (minio) => {
  const caFile = join(folder, 'ca.crt')
  const ca = readFileSync(caFile, 'utf8')

  test('without the CA it is refused, and the message says so', async () => {
    const storage = storageOn(minio)
    await expect(storage.ready?.()).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringMatching(/certificate/i),
    })
    await storage.close?.()
  })

  test('with it everything works: calls, the probe, a long body, the hashing thread', async () => {
    const options = s3OptionsFromUrl(
      `s3://own-ca/p?endpoint=${encodeURIComponent(minio.endpoint)}&ca=${encodeURIComponent(caFile)}`,
    )
    const storage = s3Storage({ ...options, credentials: minio })
    await storage.ready?.()
    expect(storage.presign.bindsPayload).toBe(true)
    const big = testBytes(6 * MiB)
    await storage.put('blobs/big', stream(big.bytes), big)
    await storage.prove?.('blobs/big', big)
    await expect(storage.prove?.('blobs/big', { ...big, sha256: testBytes(1).sha256 })).rejects.toMatchObject({
      code: 'digest-mismatch',
    })
    const small = testBytes(100)
    const { signed } = await startWhole(storage, 'blobs/url', small)
    expect(
      (await rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body: small.bytes, ca })).status,
    ).toBe(200)
    await storage.close?.()
  })
})
