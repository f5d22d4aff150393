/** Ceph behind a proxy of the harness, and records in SQLite or PostgreSQL: its gateway and its OSD are killed, stopped and started. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { ListMultipartUploadsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import { loadS3, loadS3Servers } from './package.js'
import { postgresRecords, sqliteRecords } from './records.js'
import type { PackageRoot, Stack, StorageContents, StoreFault } from './stack.js'
import { startStoreProxy } from './store-proxy.js'

const MiB = 1024 ** 2
const BUCKET = 'faults'

export async function cephStack({
  root,
  records: wanted,
}: PackageRoot & { readonly records: 'sqlite' | 'postgres' }): Promise<Stack> {
  const { startCeph } = await loadS3Servers(root)
  const data = await mkdtemp(join(tmpdir(), 'sif-library-faults-'))
  const ceph = await startCeph()
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

  const contents = async (): Promise<StorageContents> => {
    const client = new S3Client({ endpoint: ceph.endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
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
    await ceph.ready()
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
  // it is ended in order: its memory is the only copy of the bytes, and is written down then
  const restartOsd: StoreFault = async (random) => {
    await osd.end('SIGTERM', { forceAfterMs: 120_000 })
    await wait(random.between(0, 3000))
    osd.start()
    await wait(3000)
    await ceph.ready()
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
      'osd-restart': restartOsd,
      ...records.faults,
    },
    close: async () => {
      await proxy.close()
      await ceph.stop()
      await records.close()
      await rm(data, { recursive: true, force: true })
    },
  }
}
