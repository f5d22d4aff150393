/** Pushes to real S3 servers that break, lie or come too late. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { track } from '../../../scripts/children.mjs'
import { type RunningS3Server, startMinio, startVersitygw } from '../../../scripts/s3-servers.mjs'
import { describeWhen } from '../harness/availability.js'
import { generationsOf, makeClient } from '../harness/client.js'
import { startCountingProxy } from '../harness/counting-proxy.js'
import { buildGo, goMissing } from '../harness/go.js'
import { makeImageFolder } from '../harness/images.js'
import { makePushCalls, type PushCalls, putHeaders, sha256Of } from '../harness/push-calls.js'
import { type Bucket, openBucket } from '../harness/s3-bucket.js'
import { startServeOn } from '../harness/s3-registry.js'
import type { ServeRegistry } from '../harness/server.js'
import { rawRequest } from './requests.js'
import { MiB, startOrSkip, testBytes } from './servers.js'

const LARGE = 70_000_000
const [newest] = generationsOf('scs-1.4.16')

const servers = [
  { name: 'MinIO', server: await startOrSkip('MinIO', startMinio), bindsPayload: true },
  { name: 'versitygw', server: await startOrSkip('versitygw', startVersitygw), bindsPayload: false },
]
afterAll(() => Promise.all(servers.map(({ server }) => server?.stop())))

describe.each(servers)('$name', ({ name, server, bindsPayload }) => {
  const absent = server === undefined ? 'the store is not on this machine' : undefined

  describeWhen(goMissing() ?? absent, `a client killed in the middle of a part, on ${name}`)(
    'a client killed in the middle of a part',
    () => {
      it('can push again, and a sweep leaves nothing of the first push', async () => {
        await killInTheMiddle(server as RunningS3Server)
      })
    },
  )

  describeWhen(absent, `pushes that lie, on ${name}`)('pushes that lie', () => {
    const prefix = 'lies'
    let registry: ServeRegistry
    let bucket: Bucket
    let alice: PushCalls
    beforeAll(async () => {
      if (server === undefined) return
      registry = await startServeOn(server, { prefix, args: ['--part-size', '5MiB'] })
      bucket = openBucket(server)
      alice = makePushCalls(registry, await registry.tokenOf('alice'))
    })
    afterAll(async () => {
      await registry?.stop()
      bucket?.close()
    })

    /** What the bucket holds of an image, at staging keys too. */
    const objectsOf = async (sha256: string): Promise<readonly string[]> =>
      (await bucket.objects(`${prefix}/`)).filter((object) => object.includes(sha256))

    async function expectNothing(
      path: string,
      image: { readonly bytes: Uint8Array; readonly sha256: string },
    ): Promise<void> {
      expect((await alice.pull(path, image.bytes)).status).toBe(404)
      expect(await objectsOf(image.sha256)).toEqual([])
    }

    it('complete without bytes is 409, and nothing is visible', async () => {
      const image = testBytes(1000)
      const id = await alice.makeImage('alice/lies/none', image.bytes)
      await alice.startSingle(id, image.bytes)
      expect(await alice.completeSingle(id)).toMatchObject({ status: 409 })
      await expectNothing('alice/lies/none', image)
    })

    it('complete of a multipart upload without parts is refused, never with 404', async () => {
      const image = testBytes(6 * MiB)
      const id = await alice.makeImage('alice/lies/no-parts', image.bytes)
      const { uploadID, totalParts } = await alice.startMultipart(id, image.size)
      const { status } = await alice.completeMultipart(
        id,
        uploadID,
        Array(totalParts).fill('"00000000000000000000000000000000"'),
      )
      expect([400, 409, 410]).toContain(status)
      await expectNothing('alice/lies/no-parts', image)
    })

    it('other bytes of the same length in one PUT: the store or complete refuses them, and nothing stays', async () => {
      const image = testBytes(1000)
      const id = await alice.makeImage('alice/lies/single', image.bytes)
      const url = await alice.startSingle(id, image.bytes)
      const sent = await rawRequest(url, {
        method: 'PUT',
        headers: putHeaders(url, image.bytes),
        body: testBytes(1000).bytes,
      })
      expect(sent.status).toBe(bindsPayload ? 400 : 200)
      expect((await alice.completeSingle(id)).status).toBe(bindsPayload ? 409 : 422)
      await expectNothing('alice/lies/single', image)
    })

    it('other bytes by a client that sends no hash header: complete is 422', async () => {
      const image = testBytes(1000)
      const id = await alice.makeImage('alice/lies/old', image.bytes)
      const url = await alice.startSingle(id, image.bytes, { withHash: false })
      expect(putHeaders(url, image.bytes)).not.toHaveProperty('x-amz-content-sha256')
      expect(
        (await rawRequest(url, { method: 'PUT', headers: putHeaders(url, image.bytes), body: testBytes(1000).bytes }))
          .status,
      ).toBe(200)
      expect((await alice.completeSingle(id)).status).toBe(422)
      await expectNothing('alice/lies/old', image)
    })

    it('other bytes in a part: the store or complete refuses them, and nothing stays', async () => {
      const [first, second] = [testBytes(5 * MiB), testBytes(1000)]
      const whole = Buffer.concat([first.bytes, second.bytes])
      const id = await alice.makeImage('alice/lies/parts', whole)
      const { uploadID, options } = await alice.startMultipart(id, whole.length)
      expect(options.s3compliant).toBe(String(bindsPayload))
      const tokens: string[] = []
      for (const [index, part] of [first, second].entries()) {
        const url = await alice.partUrl(id, { uploadID, partNumber: index + 1, bytes: part.bytes, hash: bindsPayload })
        const body = index === 1 ? testBytes(1000).bytes : part.bytes
        const sent = await rawRequest(url, { method: 'PUT', headers: putHeaders(url, part.bytes), body })
        expect(sent.status).toBe(bindsPayload && index === 1 ? 400 : 200)
        tokens.push(String(sent.headers.etag ?? '""'))
      }
      const { status } = await alice.completeMultipart(id, uploadID, tokens)
      expect(status).toBe(bindsPayload ? 400 : 422)
      if (bindsPayload)
        expect((await alice.call('PUT', `/v2/imagefile/${id}/_multipart_abort`, { uploadID })).status).toBe(200)
      await expectNothing('alice/lies/parts', { bytes: whole, sha256: sha256Of(whole) })
      expect(await bucket.uploads(`${prefix}/`)).not.toContainEqual(
        expect.objectContaining({ key: expect.stringContaining(id) }),
      )
    })

    it.each([true, false])(
      'a URL that is still valid changes nothing after publishing (the client sends a hash: %s)',
      async (withHash) => {
        const image = testBytes(1000)
        const path = `alice/lies/late-${withHash}`
        const id = await alice.makeImage(path, image.bytes)
        const url = await alice.startSingle(id, image.bytes, { withHash })
        const headers = putHeaders(url, image.bytes)
        expect((await rawRequest(url, { method: 'PUT', headers, body: image.bytes })).status).toBe(200)
        expect((await alice.completeSingle(id)).status).toBe(200)
        const other = testBytes(1000)
        const late = await rawRequest(url, { method: 'PUT', headers, body: other.bytes })
        expect([400, 404]).toContain(late.status)
        expect(
          (await rawRequest(url, { method: 'PUT', headers: putHeaders(url, other.bytes), body: other.bytes })).status,
        ).toBe(bindsPayload && withHash ? 403 : 404)
        const pulled = await alice.pull(path, image.bytes)
        expect(pulled.status).toBe(200)
        expect(Buffer.compare(pulled.bytes, image.bytes)).toBe(0)
        // nor does another complete take the new bytes over
        expect((await alice.completeSingle(id)).status).toBe(200)
        expect(Buffer.compare((await alice.pull(path, image.bytes)).bytes, image.bytes)).toBe(0)
      },
    )

    it('a URL of a part changes nothing after publishing', async () => {
      const parts = [testBytes(5 * MiB), testBytes(1000)]
      const whole = Buffer.concat(parts.map(({ bytes }) => bytes))
      const id = await alice.makeImage('alice/lies/late-part', whole)
      const { uploadID } = await alice.startMultipart(id, whole.length)
      const urls: string[] = []
      const tokens: string[] = []
      for (const [index, { bytes }] of parts.entries()) {
        const url = await alice.partUrl(id, { uploadID, partNumber: index + 1, bytes, hash: bindsPayload })
        const sent = await rawRequest(url, { method: 'PUT', headers: putHeaders(url, bytes), body: bytes })
        expect(sent.status).toBe(200)
        urls.push(url)
        tokens.push(String(sent.headers.etag))
      }
      expect(await alice.completeMultipart(id, uploadID, tokens)).toMatchObject({ status: 200 })
      for (const body of [parts[1]?.bytes, testBytes(1000).bytes]) {
        const late = await rawRequest(urls[1] ?? '', {
          method: 'PUT',
          headers: putHeaders(urls[1] ?? '', parts[1]?.bytes ?? whole),
          ...(body && { body }),
        })
        // versitygw may close the connection before it has read the body (status 0)
        expect([0, 400, 403, 404]).toContain(late.status)
      }
      expect(Buffer.compare((await alice.pull('alice/lies/late-part', whole)).bytes, whole)).toBe(0)
    })
  })
})

/** Kills the client when the store has some bytes of its first part, pushes again by another server process, sweeps, and looks at the bucket. */
async function killInTheMiddle(server: RunningS3Server): Promise<void> {
  if (newest === undefined) return
  const prefix = 'killed'
  const data = await mkdtemp(join(tmpdir(), 'sif-library-killed-'))
  const images = await makeImageFolder()
  const image = await images.fresh({ size: LARGE, arch: 'amd64' })
  const toStore = await startCountingProxy({ target: server.port })
  const bucket = openBucket(server)
  const reference = 'alice/killed/large:1.0'
  const shortLived = await startServeOn(server, {
    data,
    prefix,
    publicEndpoint: toStore.url,
    args: ['--upload-time', '10s'],
  })
  const stops: (() => Promise<unknown>)[] = [() => shortLived.stop()]
  try {
    const token = await shortLived.tokenOf('alice')
    const held = toStore.holdAfter(10 * MiB)
    const begun = Date.now()
    const args = ['--url', shortLived.url, '--token', token, 'push', image.file, reference, '--arch', 'amd64']
    const child = track(spawn(await buildGo(newest.name), args, { stdio: 'ignore' }))
    await held
    child.kill('SIGKILL')
    await once(child, 'exit')
    toStore.release()
    expect(await bucket.uploads(`${prefix}/`)).toHaveLength(1)
    await shortLived.stop()

    const registry = await startServeOn(server, { data, prefix })
    stops.push(() => registry.stop())
    const alice = await makeClient({ generation: newest, url: registry.url, token })
    expect((await alice.run(['pull', reference, images.target(), '--arch', 'amd64'])).ok).toBe(false)
    const again = await alice.run(['push', image.file, reference, '--arch', 'amd64'])
    expect(again.error ?? '').toBe('')

    await new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + 15_000 - Date.now())))
    const swept = JSON.parse(await registry.operate(['sweep', '--grace', '0s', '--json'])) as {
      readonly uploads: number
    }
    expect(swept.uploads).toBe(1)
    expect(await bucket.uploads(`${prefix}/`)).toEqual([])
    const objects = await bucket.objects(`${prefix}/`)
    const isSidecar = (object: string): boolean => object.startsWith(`${prefix}/records/`)
    expect(objects.filter((object) => !isSidecar(object))).toEqual([
      expect.stringContaining(image.hash.replace('sha256.', '')),
    ])
    // of the entity, the collection, the container and the image, and the mark of the storage
    expect(objects.filter(isSidecar)).toHaveLength(5)
    const out = images.target()
    expect(await alice.run(['pull', reference, out, '--arch', 'amd64'])).toMatchObject({
      ok: true,
      hash: image.hash,
      size: LARGE,
    })
  } finally {
    for (const stop of stops.reverse()) await stop().catch(() => {})
    await toStore.close()
    bucket.close()
    await images.close()
    await rm(data, { recursive: true, force: true })
  }
}
