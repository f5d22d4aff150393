/**
 * The floor under a push or a pull over an object store: answers the calls of the client from memory, checks and stores nothing, and hands out presigned URLs. What the
 * client sends to it still takes part in the time: hashing the file, the same requests, the same parts.
 */
import { createServer } from 'node:http'
import { S3 } from '@aws-sdk/client-s3'
import { s3Storage } from 'sif-library/storage/s3'

const { s3 } = JSON.parse(process.argv[2])
const storage = s3Storage(s3)
const { endpoint, region, bucket, credentials } = s3
const client = new S3({ endpoint, region, credentials, forcePathStyle: true })
const partSize = 64 * 2 ** 20
const expiresSeconds = 3600
const id = '0123456789abcdef01234567'
/** By hash of the image. */
const images = new Map()
let latest

const routes = [
  ['GET', /^\/version$/, () => ({ version: '1', apiVersion: '2.0.0-alpha.2' })],
  ['GET', /^\/v1\/(entities|collections|containers)\//, () => ({ id, name: 'bench' })],
  ['GET', /^\/v1\/images\/.*:sha256\.[0-9a-f]+$/, () => undefined],
  ['GET', /^\/v1\/images\//, () => ({ id, hash: latest.hash, size: latest.size, uploaded: true })],
  [
    'POST',
    /^\/v1\/images$/,
    ({ hash }) => {
      latest = { hash, key: `blobs/${hash.slice(7)}` }
      images.set(hash, latest)
      return { id, hash, uploaded: false }
    },
  ],
  [
    'POST',
    /\/_multipart$/,
    async ({ filesize }) => {
      Object.assign(latest, {
        size: filesize,
        ...(await storage.multipart.create(latest.key, { size: filesize, partSize })),
      })
      return {
        uploadID: latest.uploadId,
        totalParts: Math.ceil(filesize / partSize),
        partSize,
        options: { s3compliant: 'true' },
      }
    },
  ],
  [
    'PUT',
    /\/_multipart$/,
    async ({ partNumber, partSize: size, sha256sum: sha256 }) => {
      const { key, uploadId } = latest
      return {
        presignedURL: (await storage.presign.part({ key, uploadId, partNumber, size, sha256, expiresSeconds })).url,
      }
    },
  ],
  [
    'PUT',
    /\/_multipart_complete$/,
    async ({ uploadID: UploadId, completedParts }) => {
      const Parts = completedParts.map(({ partNumber, token }) => ({ PartNumber: partNumber, ETag: token }))
      await client.completeMultipartUpload({
        Bucket: bucket,
        Key: `${s3.prefix}/${latest.key}`,
        UploadId,
        MultipartUpload: { Parts },
      })
      return {}
    },
  ],
  ['GET', /^\/v2\/tags\//, () => ({})],
  ['POST', /^\/v2\/tags\//, () => ({})],
]

async function readBody(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://stub')
  const body = await readBody(request)
  if (pathname.startsWith('/v1/imagefile/')) {
    const { url } = await storage.presign.get(latest.key, { expiresSeconds })
    return response.writeHead(303, { location: url }).end()
  }
  const [, , answer] = routes.find(([method, path]) => method === request.method && path.test(pathname)) ?? []
  try {
    const data = await answer?.(body)
    if (data === undefined)
      return response
        .writeHead(404, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: { code: 404, message: 'none' } }))
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data }))
  } catch (error) {
    console.error(error)
    response.writeHead(500).end()
  }
})
server.listen(0, '127.0.0.1', async () => {
  await storage.ready()
  process.send({ port: server.address().port })
})
process.on('SIGTERM', () => process.exit(0))
