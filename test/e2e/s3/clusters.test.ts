/** What only Ceph and Swift do: parts of them that fall silent, quotas, suspended users, regions, late parts, copies in parts. */
import { readFile } from 'node:fs/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { type RunningS3Server, type S3Daemon, startCeph, startMinio, startSwift } from '../../../scripts/s3-servers.mjs'
import { makeBytes } from '../../../src/testing/storage/fixtures.js'
import { CLI } from '../harness/paths.js'
import { makePushCalls } from '../harness/push-calls.js'
import { run } from '../harness/run.js'
import { BUCKET, s3Credentials, startServeOn, storageUrl } from '../harness/s3-registry.js'
import { makeUploadKey, type UploadKey } from './ceph-upload-key.js'
import { rawRequest } from './requests.js'
import { describeBytes, describeOn, MiB, readDigest, startOrSkip, storageOn, stream, testBytes } from './servers.js'

const [minio, ceph, swift, smallSwift] = await Promise.all([
  startOrSkip('MinIO', startMinio),
  startOrSkip('Ceph', startCeph),
  startOrSkip('Swift', startSwift),
  startOrSkip('Swift with small files', () => startSwift({ maxFileBytes: 8 * MiB, maxParts: 100 })),
])
afterAll(() => Promise.all([minio, ceph, swift, smallSwift].map((server) => server?.stop())))

/** The key with which Ceph takes uploads by URL; other stores need none. */
let madeKey: Promise<UploadKey> | undefined
async function uploadKeyOf(server: RunningS3Server): Promise<UploadKey | undefined> {
  if (ceph === undefined || server !== ceph) return undefined
  madeKey ??= makeUploadKey(ceph, '*')
  return madeKey
}

async function secondsOf<T>(work: Promise<T>): Promise<{ readonly seconds: number; readonly found: T }> {
  const started = performance.now()
  const found = await work
  return { seconds: (performance.now() - started) / 1000, found }
}

/** Runs doctor on a storage; resolves with its code and its findings. */
async function examine(server: RunningS3Server, storage: string, env: Readonly<Record<string, string>> = {}) {
  const { code, stdout, stderr } = await run(process.execPath, {
    args: [CLI, 'doctor', '--json', '--storage', storage, '--data', `${server.directory}/new`],
    env: { ...s3Credentials(server), ...env },
    timeout: 120_000,
  })
  if (stdout === '') throw new Error(stderr)
  const { findings } = JSON.parse(stdout) as {
    readonly findings: readonly { check: string; state: string; found: string; cause?: string; fix?: string }[]
  }
  return { code, findings, failed: findings.filter(({ state }) => state === 'failed') }
}

/** A part that is stopped takes connections and never answers. */
async function whileSilent<T>(daemon: Pick<S3Daemon, 'pause' | 'resume'>, work: () => Promise<T>): Promise<T> {
  daemon.pause()
  try {
    return await work()
  } finally {
    daemon.resume()
  }
}

const pausing = (pid: number) => ({
  pause: () => void process.kill(pid, 'SIGSTOP'),
  resume: () => void process.kill(pid, 'SIGCONT'),
})

describeOn(ceph, 'doctor on Ceph', (server) => {
  const cluster = ceph as NonNullable<typeof ceph>
  const storage = storageUrl(server, { prefix: 'doctor' })

  test('a full quota is named, with its remedy', async () => {
    await storageOn(server, { bucket: 'images' }).ready?.()
    await cluster.admin('quota', 'set', '--quota-scope=user', '--uid=tester', '--max-size=1')
    await cluster.admin('quota', 'enable', '--quota-scope=user', '--uid=tester')
    try {
      const { code, failed } = await examine(server, storage)
      expect(code).toBe(1)
      expect(failed[0]).toMatchObject({
        found: expect.stringContaining('QuotaExceeded'),
        cause: expect.stringContaining('quota'),
        fix: expect.stringContaining('radosgw-admin quota set'),
      })
    } finally {
      await cluster.admin('quota', 'disable', '--quota-scope=user', '--uid=tester')
    }
  })

  test('a suspended user is named, with its remedy', async () => {
    await cluster.admin('user', 'suspend', '--uid=tester')
    try {
      const { failed } = await examine(server, storage)
      expect(failed[0]).toMatchObject({
        found: expect.stringContaining('UserSuspended'),
        fix: expect.stringContaining('radosgw-admin user enable'),
      })
    } finally {
      await cluster.admin('user', 'enable', '--uid=tester')
    }
  })

  test('a region that no bucket is made in is named, with its remedy', async () => {
    const url = storage.replace('s3://images/', 's3://never-made/').replace(/region=[^&]+/, 'region=mars-1')
    const { failed } = await examine(server, url)
    expect(failed[0]?.fix).toContain('zonegroup')
    // an existing bucket is used under any region
    const key = await uploadKeyOf(server)
    const known = await examine(server, storage.replace(/region=[^&]+/, 'region=mars-1'), key?.env)
    expect(known.failed).toEqual([])
  })

  test('upload URLs that would copy are named, with the ways out', async () => {
    const { code, failed } = await examine(server, storage)
    expect(code).toBe(1)
    expect(failed).toMatchObject([
      {
        check: 'upload URLs: an unsigned x-amz-copy-source',
        found: expect.stringMatching(/^copies another object .* Uploads go through the registry$/),
        fix: expect.stringContaining('SIF_LIBRARY_UPLOAD_ACCESS_KEY_ID'),
      },
    ])
  })
})

/** An upload in two parts: its URLs stay valid, and `complete` ends it. */
async function startUpload(server: RunningS3Server, { lastSize }: { readonly lastSize: number }) {
  const key = await uploadKeyOf(server)
  const storage = storageOn(server, {
    ...(key !== undefined && { bucket: BUCKET, uploadCredentials: key.key }),
  })
  await storage.ready?.()
  const parts = [testBytes(5 * MiB), testBytes(lastSize)]
  const whole = describeBytes(new Uint8Array(Buffer.concat(parts.map(({ bytes }) => bytes))))
  const blob = 'blobs/late'
  const ref = { key: blob, ...(await storage.multipart.create(blob, { size: whole.size, partSize: 5 * MiB })) }
  const sent = []
  for (const [index, part] of parts.entries())
    sent.push(
      await storage.multipart.writePart?.(stream(part.bytes), {
        ...ref,
        ...part,
        partNumber: index + 1,
        partSize: 5 * MiB,
      }),
    )
  const claim = { ...ref, parts: sent.flatMap((part) => (part ? [part] : [])), ...whole }
  return { storage, key: blob, whole, ref, claim }
}

for (const server of [ceph, swift])
  describeOn(server, `a part that comes late on ${server?.name}`, (server) => {
    test('does not damage what was published', async () => {
      const { storage, key, whole, ref, claim } = await startUpload(server, { lastSize: 70_000 })
      const late = testBytes(70_000)
      const { url, headers } = await storage.presign.part!({ ...ref, ...late, partNumber: 2, expiresSeconds: 300 })
      await storage.multipart.complete(claim)
      expect((await rawRequest(url, { method: 'PUT', headers, body: late.bytes })).status).toBe(404)
      expect(await readDigest(storage, key)).toBe(whole.sha256)
      await storage.delete(key)
      await storage.close?.()
    })
  })

describeOn(smallSwift, 'a store whose largest copy is smaller than the image', (server) => {
  test('copies it in parts, and leaves nothing else', async () => {
    const { storage, key, whole, claim } = await startUpload(server, { lastSize: 7 * MiB })
    expect(storage.limits.maxParts).toBe(100)
    await storage.multipart.complete(claim)
    expect(await readDigest(storage, key)).toBe(whole.sha256)
    const left: string[] = []
    for await (const upload of storage.multipart.listUploads()) left.push(upload.key)
    expect(left).toEqual([])
    await storage.delete(key)
    await storage.close?.()
  })
})

describe('docs/stores', () => {
  for (const [page, server] of [
    ['minio', minio],
    ['ceph', ceph],
    ['swift', swift],
  ] as const)
    describeOn(server, `the page of ${page}`, (server) => {
      test('shows what doctor prints', async () => {
        const { stdout } = await run(process.execPath, {
          args: [CLI, 'doctor', '--storage', storageUrl(server), '--data', `${server.directory}/new`],
          env: { ...s3Credentials(server), ...(await uploadKeyOf(server))?.env },
          timeout: 60_000,
        })
        const printed = stdout
          .replaceAll(server.endpoint, 'http://store.example')
          .replaceAll(/\d+ s apart/g, '0 s apart')
          .split('\n')
          // of the machine, not of the store
          .filter(
            (line) => !/^\S+ +(data folder|secret in|metadata store)|^ +(cause|fix).*serve|^all is well/.test(line),
          )
        const text = await readFile(new URL(`../../../docs/stores/${page}.md`, import.meta.url), 'utf8')
        const shown = /```text\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
        expect(shown.trim().split('\n')).toEqual(printed.join('\n').trim().split('\n'))
      })
    })
})

// last: a cluster whose parts stood still answers tools late
for (const [name, server, daemon] of [
  ['MinIO', minio, minio && pausing(minio.pid)],
  ['the gateway of Ceph', ceph, ceph?.daemons.gateway],
  ['the OSD of Ceph', ceph, ceph?.daemons.osd],
  ['the proxy of Swift', swift, swift?.daemons.proxy],
] as const) {
  describeOn(server, `${name} falls silent`, (server) => {
    test('nobody waits for long, and all goes on when it speaks again', async () => {
      const registry = await startServeOn(server)
      const push = makePushCalls(registry, registry.token)
      const bytes = makeBytes(1000, 1)
      try {
        const imageId = await push.makeImage('admin/default/silent', bytes)
        await push.call('POST', `/v2/imagefile/${imageId}/_multipart`, { filesize: 1000 })
        // readiness is remembered for five seconds
        await new Promise((resolve) => setTimeout(resolve, 5100))
        await whileSilent(daemon as S3Daemon, async () => {
          const ready = await secondsOf(fetch(`${registry.url}/readyz`))
          expect([ready.found.status, await ready.found.json()]).toMatchObject([
            503,
            { metadata: true, storage: false },
          ])
          expect(ready.seconds).toBeLessThan(2)
          const start = await secondsOf(push.call('POST', `/v2/imagefile/${imageId}/_multipart`, { filesize: 1000 }))
          expect(start.found.status).toBe(503)
          expect(start.seconds).toBeLessThan(10)
          const doctor = await secondsOf(examine(server, storageUrl(server)))
          expect(doctor.found.code).toBe(1)
          expect(doctor.found.failed[0]).toMatchObject({ found: expect.stringMatching(/no answer within|Timeout/) })
          expect(doctor.found.failed[0]?.cause).toContain('no answer')
          expect(doctor.seconds).toBeLessThan(60)
        })
        // how soon Ceph takes its OSD back is not ours to promise
        const end = Date.now() + 90_000
        while ((await fetch(`${registry.url}/readyz`)).status !== 200) {
          expect(Date.now()).toBeLessThan(end)
          await new Promise((resolve) => setTimeout(resolve, 500))
        }
        const again = await push.call('POST', `/v2/imagefile/${imageId}/_multipart`, { filesize: 1000 })
        expect(again.status).toBe(200)
      } finally {
        await registry.stop()
      }
    })
  })
}
