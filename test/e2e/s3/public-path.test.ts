/** A store that clients reach below a path of another server, whose proxy takes the path off: what is signed is what the store sees. */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { startMinio } from '../../../scripts/s3-servers.mjs'
import { describeOn, startOrSkip, storageOn, testBytes } from './servers.js'

const minio = await startOrSkip('MinIO', startMinio)
const closing: (() => void)[] = []
afterAll(async () => {
  for (const close of closing) close()
  await minio?.stop()
})

/** As nginx with `location /store/ { proxy_pass http://minio/; proxy_set_header Host $http_host; }`. */
async function startProxy(endpoint: string): Promise<string> {
  const { hostname, port } = new URL(endpoint)
  const proxy = createServer((req, res) => {
    if (req.url?.startsWith('/store/') !== true) {
      res.writeHead(404).end()
      return
    }
    const { method, headers, url } = req
    const sent = request({ hostname, port, method, headers, path: url.slice('/store'.length) }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    // who announces a body and goes away takes the request to the store along
    res.on('close', () => sent.destroy())
    sent.on('error', () => res.destroy())
    req.pipe(sent)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  closing.push(() => proxy.close())
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

describeOn(minio, 'publicEndpoint with a path', (server) => {
  test.each(['/store', '/store/'])('%s: parts and GET go through the proxy', async (path) => {
    const origin = await startProxy(server.endpoint)
    const storage = storageOn(server, { publicEndpoint: `${origin}${path}` })
    await storage.ready?.()
    const small = testBytes(5000)
    const key = `blobs/sha256/ab/${small.sha256}/${path.length}`
    const { multipart, presign } = storage
    const { uploadId } = await multipart.create(key, { size: small.size, partSize: small.size, sha256: small.sha256 })
    const part = { key, uploadId, partNumber: 1, size: small.size, sha256: small.sha256, expiresSeconds: 60 }
    const put = await presign.part?.(part)
    if (put === undefined) throw new Error('the store signs no URLs of parts')
    expect(put.url.startsWith(`${origin}/store/images/`) || put.url.startsWith(`${origin}/store/`)).toBe(true)
    expect(put.url).not.toContain('//store//')
    const sent = await fetch(put.url, { method: 'PUT', body: small.bytes, headers: put.headers })
    expect(sent.status).toBe(200)
    const etag = (sent.headers.get('etag') ?? '').replaceAll('"', '')
    await multipart.complete({ ...small, key, uploadId, parts: [{ partNumber: 1, etag }] })
    const get = await storage.presign.get(key, { expiresSeconds: 60 })
    const read = await fetch(get.url)
    expect(read.status).toBe(200)
    expect(Buffer.from(await read.arrayBuffer()).equals(small.bytes)).toBe(true)
    // what clients are given leads nowhere without the path
    expect((await fetch(get.url.replace('/store/', '/'))).status).toBe(404)
    await storage.close?.()
  })
})
