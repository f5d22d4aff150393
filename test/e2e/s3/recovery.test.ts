import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { startCeph, startMinio, startVersitygw } from '../../../scripts/s3-servers.mjs'
import type { S3LogEntry, S3Storage } from '../../../src/storage/blob/s3/index.js'
import { rawRequest } from './requests.js'
import { describeBytes, describeOn, MiB, readDigest, startOrSkip, storageOn, stream, testBytes } from './servers.js'
import { startWhole } from './whole.js'

const minio = await startOrSkip('MinIO', startMinio)
const versitygw = await startOrSkip('versitygw', startVersitygw)
const ceph = await startOrSkip('Ceph', startCeph)
afterAll(() => Promise.all([minio?.stop(), versitygw?.stop(), ceph?.stop()]))

const first = testBytes(5 * MiB)
const last = testBytes(70_000)
const whole = describeBytes(new Uint8Array([...first.bytes, ...last.bytes]))

async function upload(storage: S3Storage, key: string) {
  const ref = { key, ...(await storage.multipart.create(key, { size: whole.size, partSize: 5 * MiB })) }
  const parts = []
  for (const [index, part] of [first, last].entries())
    parts.push(
      await storage.multipart.writePart!(stream(part.bytes), {
        ...ref,
        ...part,
        partNumber: index + 1,
        partSize: 5 * MiB,
      }),
    )
  return { ref, claim: { ...ref, parts, size: whole.size, sha256: whole.sha256 } }
}

/** Passes everything on to the store, except that the answer to a call that `lose` picks is thrown away after the store has done it. */
async function lossyProxy(target: string, lose: (method: string, url: string) => boolean) {
  const server = createServer((incoming, outgoing) => {
    const forward = httpRequest(
      new URL(incoming.url ?? '/', target),
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        if (lose(incoming.method ?? '', incoming.url ?? '')) {
          answer.resume()
          answer.on('end', () => incoming.socket.destroy())
          return
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    forward.on('error', () => incoming.socket.destroy())
    incoming.pipe(forward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

for (const server of [minio, versitygw, ceph]) {
  describeOn(server, `complete on ${server?.name}`, (server) => {
    for (const verify of ['read', 'store', 'background'] as const) {
      const proof = verify === 'background' ? 'unproven' : 'proven'
      describe(`verify: ${verify}`, () => {
        test('the answer to complete is lost: the next try finds the blob and proves it', async () => {
          let losses = 0
          const proxy = await lossyProxy(
            server.endpoint,
            (method, url) => method === 'POST' && url.includes('uploadId=') && losses++ === 0,
          )
          const storage = storageOn(server, { endpoint: proxy.endpoint, verify })
          await storage.ready?.()
          const { claim } = await upload(storage, 'blobs/lost')
          expect(await storage.multipart.complete(claim)).toEqual({ key: 'blobs/lost', proof })
          expect(losses).toBeGreaterThan(0)
          expect(await readDigest(storage, 'blobs/lost')).toBe(whole.sha256)
          await storage.close?.()
          proxy.close()
        })

        test('complete again, by another instance: the same answer, proven anew', async () => {
          const storage = storageOn(server, { verify, prefix: `again-${verify}` })
          await storage.ready?.()
          const { claim, ref } = await upload(storage, 'blobs/again')
          const finished = await storage.multipart.complete(claim)
          const another = storageOn(server, { verify, prefix: `again-${verify}` })
          expect(await another.multipart.complete(claim)).toEqual(finished)
          // another upload's claim does not pass for it: its parts are others
          const parts = claim.parts.map((part) => ({ ...part, etag: part.etag.replace(/./g, '0') }))
          const wrong = { ...claim, ...ref, parts, size: whole.size + 1 }
          await expect(another.multipart.complete(wrong)).rejects.toMatchObject({ code: 'upload-not-found' })
          await another.multipart.abort(ref)
          expect(await readDigest(storage, 'blobs/again')).toBe(whole.sha256)
          await Promise.all([storage.close?.(), another.close?.()])
        })

        test('an upload that began under another verify mode ends well', async () => {
          const begun = storageOn(server, { verify: verify === 'store' ? 'read' : 'store', prefix: `mode-${verify}` })
          await begun.ready?.()
          const { claim } = await upload(begun, 'blobs/mode')
          const storage = storageOn(server, { verify, prefix: `mode-${verify}` })
          expect(await storage.multipart.complete(claim)).toEqual({ key: 'blobs/mode', proof })
          await storage.prove?.('blobs/mode', whole)
          expect(await storage.sweepTemporary?.(new Date(Date.now() + 60_000))).toBe(0)
          await Promise.all([begun.close?.(), storage.close?.()])
        })
      })
    }

    test("verify: 'store' reads nothing back where the copy has a SHA-256, verify: 'read' reads once", async () => {
      for (const [verify, reads] of [
        // Ceph keeps none
        ['store', server === ceph ? 1 : 0],
        ['read', 1],
      ] as const) {
        const entries: S3LogEntry[] = []
        const storage = storageOn(server, { verify, log: (entry) => entries.push(entry) })
        await storage.ready?.()
        const { claim } = await upload(storage, 'blobs/reads')
        // what was tried at the start was read too
        entries.length = 0
        await storage.multipart.complete(claim)
        expect(entries.filter(({ operation }) => operation.startsWith('GetObject')).length, verify).toBe(reads)
        await storage.close?.()
      }
    })
  })
}

describeOn(minio, 'what stands between us and the store breaks', (minio) => {
  test('the read-back takes a connection that breaks up again, and gives up when nothing comes', async () => {
    let cuts = 3
    let dead = false
    const server = createServer((incoming, outgoing) => {
      const forward = httpRequest(
        new URL(incoming.url ?? '/', minio.endpoint),
        { method: incoming.method, headers: incoming.headers },
        (answer) => {
          if (dead && incoming.method === 'GET') return incoming.socket.destroy()
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          let seen = 0
          answer.on('data', (chunk: Buffer) => {
            seen += chunk.length
            outgoing.write(chunk)
            if (incoming.method === 'GET' && incoming.headers.range !== undefined && seen > MiB && cuts-- > 0)
              incoming.socket.destroy()
          })
          answer.on('end', () => outgoing.end())
        },
      )
      forward.on('error', () => incoming.socket.destroy())
      incoming.pipe(forward)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const storage = storageOn(minio, { endpoint, bindPayload: true, maxAttempts: 2 })
    await storage.ready?.()
    await storage.put('blobs/cut', stream(whole.bytes), whole)
    await storage.prove?.('blobs/cut', whole)
    expect(cuts).toBeLessThanOrEqual(0)
    dead = true
    await expect(storage.prove?.('blobs/cut', whole)).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    server.close()
    await storage.close?.()
  })

  test('the store restarts: the next calls on pooled sockets succeed, and parts are kept', async () => {
    const own = await startMinio()
    const storage = storageOn(own)
    await storage.ready?.()
    const { ref, claim } = await upload(storage, 'blobs/restart')
    await own.stop({ keep: true, signal: 'SIGKILL' })
    await expect(storage.stat('blobs/restart')).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    expect(await storage.check?.()).toMatchObject({ ok: false })
    const again = await startMinio({
      directory: own.directory,
      port: own.port,
      env: { MINIO_ROOT_USER: own.accessKeyId, MINIO_ROOT_PASSWORD: own.secretAccessKey },
    })
    try {
      expect((await storage.multipart.listParts(ref)).length).toBe(2)
      const big = testBytes(3 * MiB)
      await storage.put('blobs/after', stream(big.bytes), big)
      expect(await storage.multipart.complete(claim)).toEqual({ key: 'blobs/restart', proof: 'proven' })
    } finally {
      await storage.close?.()
      await again.stop()
      await own.stop()
    }
  })

  test('parts are listed past the first thousand', async () => {
    const storage = storageOn(minio)
    await storage.ready?.()
    const ref = { key: 'blobs/many', ...(await storage.multipart.create('blobs/many', { size: 1050, partSize: 1 })) }
    const one = describeBytes(new Uint8Array([1]))
    const numbers = Array.from({ length: 1050 }, (_, index) => index + 1)
    for (let at = 0; at < numbers.length; at += 50)
      await Promise.all(
        numbers
          .slice(at, at + 50)
          .map((partNumber) =>
            storage.multipart.writePart!(stream(one.bytes), { ...ref, ...one, partNumber, partSize: 1 }),
          ),
      )
    expect((await storage.multipart.listParts(ref)).map(({ partNumber }) => partNumber)).toEqual(numbers)
    await storage.multipart.abort(ref)
    await storage.close?.()
  })

  test('the log names every call and holds no secret and no signature', async () => {
    const entries: S3LogEntry[] = []
    const storage = storageOn(minio, { log: (entry) => entries.push(entry) })
    await storage.ready?.()
    const { signed, complete } = await startWhole(storage, 'blobs/log', last)
    await rawRequest(signed.url, { method: 'PUT', headers: { ...signed.headers }, body: last.bytes })
    await complete()
    await storage.multipart.complete((await upload(storage, 'blobs/log2')).claim)
    await storage.get('blobs/none').catch(() => {})
    const operations = entries.map(({ operation }) => operation)
    for (const operation of [
      'HeadBucket',
      'presigned PUT',
      'presigned PUT part',
      'presign PUT part',
      'AssumeRole',
      'UploadPart',
      'ListParts',
      'CompleteMultipartUpload',
      'GetObject',
    ])
      expect(operations).toContain(operation)
    expect(entries.find(({ error }) => error === 'NoSuchKey')).toMatchObject({
      operation: 'GetObject',
      status: 404,
      requestId: expect.any(String),
    })
    const text = JSON.stringify(entries)
    expect(text).not.toMatch(/signature|credential(?!=\[redacted\])/i)
    for (const secret of [minio.accessKeyId, minio.secretAccessKey]) expect(text).not.toContain(secret)
    for (const name of ['X-Amz-Signature', 'X-Amz-Security-Token'])
      expect(text).not.toContain(new URL(signed.url).searchParams.get(name))
    await storage.close?.()
  })
})
