/**
 * How fast a presigned part URL is made: ours through the whole backend, the SDK's `getSignedUrl`, and a floor written by hand with nothing but node:crypto.
 * Ratios are what counts; all three run in this process, in turns.
 *
 *   npm run bench:presign
 */
import { createHash, createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Client, UploadPartCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { Bench } from 'tinybench'
import { s3Storage } from '../src/storage/blob/s3/index.js'

const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const region = 'us-east-1'
const bucket = 'sif-library'
const key = `blobs/sha256/ab/${'ab'.repeat(32)}/0192f7a0c1d27d3e`
const part = {
  partNumber: 7,
  uploadId: 'VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA',
  size: 67_108_864,
  sha256: 'c5'.repeat(32),
  expiresSeconds: 300,
}

/**
 * A store that takes parts and refuses copies: before the first URL the backend tries whether it does. It opens no
 * sessions, so ours signs with the same key as the others.
 */
const store = createServer((request, response) => {
  request.resume().on('end', () => {
    const { searchParams } = new URL(request.url ?? '', 'http://store')
    if (request.method === 'PUT') {
      const isCopy = request.headers['x-amz-copy-source'] !== undefined
      response.writeHead(isCopy ? 403 : 200, { etag: '"00000000000000000000000000000000"' }).end()
    } else if (request.method === 'POST' && searchParams.has('uploads')) {
      const xml = '<InitiateMultipartUploadResult><UploadId>trial</UploadId></InitiateMultipartUploadResult>'
      response.writeHead(200, { 'content-type': 'application/xml' }).end(xml)
    } else response.writeHead(request.method === 'DELETE' ? 204 : 403).end()
  })
})
await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve))
const endpoint = `http://127.0.0.1:${(store.address() as AddressInfo).port}`

const storage = s3Storage({ bucket, endpoint, region, credentials, bindPayload: true })
const client = new S3Client({
  endpoint,
  region,
  credentials,
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
})

/** The least that SigV4 asks for: one hash, one HMAC, and the string that they sign. */
function createFloor(): () => string {
  let signingKey: { readonly day: string; readonly key: KeyObject } | undefined
  const keyOf = (day: string): KeyObject => {
    if (signingKey?.day === day) return signingKey.key
    const steps = [day, region, 's3', 'aws4_request']
    const bytes = steps.reduce<Buffer>(
      (secret, step) => createHmac('sha256', secret).update(step).digest(),
      Buffer.from(`AWS4${credentials.secretAccessKey}`),
    )
    signingKey = { day, key: createSecretKey(bytes) }
    return signingKey.key
  }
  const sha256 =
    typeof hash === 'function'
      ? (text: string) => hash('sha256', text)
      : (text: string) => createHash('sha256').update(text).digest('hex')
  const host = new URL(endpoint).host
  return () => {
    const now = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
    const day = now.slice(0, 8)
    const scope = `${day}/${region}/s3/aws4_request`
    const path = `/${bucket}/${key}`
    const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(`${credentials.accessKeyId}/${scope}`)}&X-Amz-Date=${now}&X-Amz-Expires=${part.expiresSeconds}&X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-content-sha256&partNumber=${part.partNumber}&uploadId=${part.uploadId}`
    const canonical = `PUT\n${path}\n${query}\ncontent-length:${part.size}\nhost:${host}\nx-amz-content-sha256:${part.sha256}\n\ncontent-length;host;x-amz-content-sha256\n${part.sha256}`
    const signature = createHmac('sha256', keyOf(day))
      .update(`AWS4-HMAC-SHA256\n${now}\n${scope}\n${sha256(canonical)}`)
      .digest('hex')
    return `${endpoint}${path}?${query}&X-Amz-Signature=${signature}`
  }
}

const floor = createFloor()
const ours = async (): Promise<string> => (await storage.presign.part?.({ key, ...part }))?.url ?? ''

const signatureOf = (url: string): string | null => new URL(url).searchParams.get('X-Amz-Signature')
for (let attempt = 0; ; attempt += 1) {
  // both carry the second in which they were signed
  if (signatureOf(await ours()) === signatureOf(floor())) break
  if (attempt === 3) throw new Error('the floor and the backend sign differently: the comparison would be worthless')
}

const bench = new Bench({ time: Number(process.argv[2] ?? 1500), warmupTime: 500 })
  .add('floor', () => {
    floor()
  })
  .add('ours', async () => {
    await ours()
  })
  .add('getSignedUrl', async () => {
    await getSignedUrl(
      client,
      new UploadPartCommand({ Bucket: bucket, Key: key, PartNumber: part.partNumber, UploadId: part.uploadId }),
      {
        expiresIn: part.expiresSeconds,
      },
    )
  })
await bench.run()

const medians = new Map(
  bench.tasks.map((task) => [
    task.name,
    task.result.state === 'completed' ? task.result.latency.p50 * 1000 : Number.NaN,
  ]),
)
const at = (name: string): number => medians.get(name) ?? Number.NaN
const result = {
  node: process.version,
  microseconds: Object.fromEntries([...medians].map(([name, value]) => [name, Number(value.toFixed(1))])),
  fasterThanGetSignedUrl: Number((at('getSignedUrl') / at('ours')).toFixed(1)),
  timesTheFloor: Number((at('ours') / at('floor')).toFixed(1)),
  goals: { fasterThanGetSignedUrl: 8, timesTheFloor: 5 },
}
await storage.close?.()
store.closeAllConnections()
store.close()
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
process.exitCode = result.fasterThanGetSignedUrl >= result.goals.fasterThanGetSignedUrl ? 0 : 1
