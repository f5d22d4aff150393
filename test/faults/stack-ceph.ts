/** Ceph behind a proxy of the harness, and records in SQLite or PostgreSQL: its gateway and its OSD, whose bytes lie in a file, are killed and restarted. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { loadS3, loadS3Servers } from './package.js'
import { postgresRecords, sqliteRecords } from './records.js'
import type { PackageRoot, Stack, StorageContents, StoreFault } from './stack.js'
import { startStoreProxy } from './store-proxy.js'

const MiB = 1024 ** 2
const BUCKET = 'faults'
/** Of the harness: whether the store takes bytes again. */
const PROBES = 'probes'

export async function cephStack({
  root,
  records: wanted,
}: PackageRoot & { readonly records: 'sqlite' | 'postgres' }): Promise<Stack> {
  const { startCeph } = await loadS3Servers(root)
  const data = await mkdtemp(join(tmpdir(), 'sif-library-faults-'))
  const ceph = await startCeph({ keep: 'file' })
  const { gateway, osd } = ceph.daemons
  const credentials = { accessKeyId: ceph.accessKeyId, secretAccessKey: ceph.secretAccessKey }
  const proxy = await startStoreProxy(ceph.endpoint)
  const records = await (wanted === 'sqlite' ? sqliteRecords(root, data) : postgresRecords(root))
  const urlAt = (endpoint: string): string => `s3://${BUCKET}?endpoint=${endpoint}&region=us-east-1&pathStyle=true`

  // the pools of the first bucket take Ceph seconds, which are not those of a start of the registry
  const { s3OptionsFromUrl, s3Storage } = await loadS3(root)
  const openStorage = () => s3Storage({ ...s3OptionsFromUrl(urlAt(ceph.endpoint)), credentials })
  const first = openStorage()
  await first.ready?.()
  await first.close?.()

  const makeClient = (maxAttempts = 3): S3Client =>
    new S3Client({ endpoint: ceph.endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts })
  const prober = makeClient(1)
  await prober.send(new CreateBucketCommand({ Bucket: PROBES }))
  /** A gateway answers before its OSD is back, whose objects it needs for nearly everything. */
  const untilItWrites = async (): Promise<void> => {
    const end = Date.now() + 120_000
    for (;;) {
      try {
        const probe = new PutObjectCommand({ Bucket: PROBES, Key: 'probe', Body: 'probe' })
        await prober.send(probe, { abortSignal: AbortSignal.timeout(60_000) })
        return
      } catch (error) {
        if (Date.now() > end) throw new Error(`Ceph does not come back: ${String(error)}`)
        await wait(200)
      }
    }
  }

  const contents = async (): Promise<StorageContents> => {
    const client = makeClient()
    const blobs = new Map<string, number>()
    const sidecars: string[] = []
    const leftovers: string[] = []
    try {
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: BUCKET }))
        for (const { Key = '', Size = 0 } of Contents) {
          if (Key.startsWith('blobs/')) blobs.set(Key, Size)
          else if (Key.startsWith('records/')) sidecars.push(Key)
          else leftovers.push(Key)
        }
      // a thousand of them are enough to be told
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }))
      for (const { Key = '', UploadId = '' } of Uploads) leftovers.push(`${Key} (upload ${UploadId})`)
    } finally {
      client.destroy()
    }
    return { blobs, sidecars, leftovers }
  }

  const kill: StoreFault = async (random) => {
    await gateway.end('SIGKILL')
    await wait(random.between(0, 800))
    gateway.start()
    await untilItWrites()
  }
  const pause: StoreFault = async (random) => {
    gateway.pause()
    await wait(random.between(200, 2500))
    gateway.resume()
  }
  const errors: StoreFault = async (random) => {
    proxy.spoil(0.05 + random.next() * 0.5, random)
    await wait(random.between(300, 2000))
    proxy.spoil(0, random)
  }
  const endOsd =
    (signal: 'SIGTERM' | 'SIGKILL'): StoreFault =>
    async (random) => {
      await osd.end(signal, { forceAfterMs: 120_000 })
      await wait(random.between(0, 3000))
      osd.start()
      await untilItWrites()
    }

  return {
    name: `Ceph and ${records.name}`,
    data,
    serveArgs: ['--storage', urlAt(proxy.url), ...records.serveArgs, '--part-size', '5MiB'],
    env: { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey },
    pace: 4,
    // no store takes smaller parts than 5 MiB
    sizes: { single: { min: MiB / 16, max: 2 * MiB }, multipart: { min: 5 * MiB + 1, max: 7 * MiB } },
    open: async () => ({ storage: openStorage(), metadata: await records.open() }),
    contents,
    faults: {
      'store-kill': kill,
      'store-pause': pause,
      'store-errors': errors,
      'osd-restart': endOsd('SIGTERM'),
      'osd-kill': endOsd('SIGKILL'),
      ...records.faults,
    },
    close: async () => {
      prober.destroy()
      await proxy.close()
      await ceph.stop()
      await records.close()
      await rm(data, { recursive: true, force: true })
    },
  }
}
