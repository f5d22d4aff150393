/** MinIO behind a proxy of the harness, and records in SQLite or PostgreSQL: clients send their bytes to the store itself. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import type { RunningS3Server } from '../../scripts/s3-servers.mjs'
import { loadS3, loadS3Servers } from './package.js'
import { postgresRecords, sqliteRecords } from './records.js'
import type { PackageRoot, Stack, StorageContents, StoreFault } from './stack.js'
import { startStoreProxy } from './store-proxy.js'

const MiB = 1024 ** 2
const BUCKET = 'faults'

/**
 * Parts, past the API: MinIO lists only the uploads that began since its last start. An upload without parts whose beginning was never answered (the server was
 * killed, or MinIO) is known to nobody after a restart of MinIO, which removes it itself after a day.
 */
async function partsOnDisk(directory: string): Promise<readonly string[]> {
  const folder = join(directory, '.minio.sys/multipart')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile() && /^part\.\d+$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
}

export async function minioStack({
  root,
  records: wanted,
}: PackageRoot & { readonly records: 'sqlite' | 'postgres' }): Promise<Stack> {
  const { startMinio } = await loadS3Servers(root)
  const data = await mkdtemp(join(tmpdir(), 'sif-library-faults-'))
  const directory = join(data, 'minio')
  const keys = { accessKeyId: 'faults-access', secretAccessKey: 'faults-secret-key' }
  const env = { MINIO_ROOT_USER: keys.accessKeyId, MINIO_ROOT_PASSWORD: keys.secretAccessKey }
  let minio: RunningS3Server = await startMinio({ directory, env })
  const { port } = minio
  const proxy = await startStoreProxy(minio.endpoint)
  const records = await (wanted === 'sqlite' ? sqliteRecords(root, data) : postgresRecords(root))
  const url = `s3://${BUCKET}?endpoint=${proxy.url}&region=us-east-1&pathStyle=true`
  const direct = `s3://${BUCKET}?endpoint=${minio.endpoint}&region=us-east-1&pathStyle=true`

  const contents = async (): Promise<StorageContents> => {
    const client = new S3Client({
      endpoint: minio.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: keys,
    })
    const blobs = new Map<string, number>()
    const sidecars: string[] = []
    const leftovers = [...(await partsOnDisk(directory))]
    try {
      for await (const page of paginateListObjectsV2({ client }, { Bucket: BUCKET })) {
        for (const { Key = '', Size = 0 } of page.Contents ?? []) {
          if (Key.startsWith('blobs/')) blobs.set(Key, Size)
          else if (Key.startsWith('records/')) sidecars.push(Key)
          else leftovers.push(Key)
        }
      }
    } finally {
      client.destroy()
    }
    return { blobs, sidecars, leftovers }
  }

  const kill: StoreFault = async (random) => {
    await minio.stop({ signal: 'SIGKILL' })
    await wait(random.between(0, 800))
    minio = await startMinio({ directory, port, env })
  }
  const pause: StoreFault = async (random) => {
    process.kill(minio.pid, 'SIGSTOP')
    await wait(random.between(200, 2500))
    process.kill(minio.pid, 'SIGCONT')
  }
  const errors: StoreFault = async (random) => {
    proxy.spoil(0.05 + random.next() * 0.5, random)
    await wait(random.between(300, 2000))
    proxy.spoil(0, random)
  }

  return {
    name: `MinIO and ${records.name}`,
    data,
    serveArgs: ['--storage', url, ...records.serveArgs, '--part-size', '5MiB'],
    env: { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey },
    pace: 4,
    // no store takes smaller parts than 5 MiB
    sizes: { single: { min: MiB / 16, max: 2 * MiB }, multipart: { min: 5 * MiB + 1, max: 7 * MiB } },
    open: async () => {
      const { s3OptionsFromUrl, s3Storage } = await loadS3(root)
      return {
        storage: s3Storage({ ...s3OptionsFromUrl(direct), credentials: keys }),
        metadata: await records.open(),
      }
    },
    contents,
    faults: { 'store-kill': kill, 'store-pause': pause, 'store-errors': errors, ...records.faults },
    close: async () => {
      await proxy.close()
      await minio.stop()
      await records.close()
      await rm(data, { recursive: true, force: true })
    },
  }
}
