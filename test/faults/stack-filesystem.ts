/** A folder, with records in SQLite as `serve` does it by default, or in PostgreSQL. With `diskBytes` on a small disk of its own (tmpfs, needs root) that can fill up. */
import { execFile } from 'node:child_process'
import { mkdtemp, open, readdir, rm, stat, statfs, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { loadFilesystem } from './package.js'
import { postgresRecords, type Records, sqliteRecords } from './records.js'
import type { PackageRoot, Stack, StorageContents, StoreFault } from './stack.js'

const run = promisify(execFile)
const KiB = 1024

async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

async function contentsOf(blobsFolder: string): Promise<StorageContents> {
  const keys = join(blobsFolder, 'keys')
  const blobs = new Map<string, number>()
  const sidecars: string[] = []
  for (const key of await filesOf(keys)) {
    if (key.startsWith('records/')) sidecars.push(key)
    else blobs.set(key, (await stat(join(keys, key))).size)
  }
  const leftovers = []
  for (const name of ['tmp', 'uploads'])
    leftovers.push(...(await readdir(join(blobsFolder, name))).map((entry) => `${name}/${entry}`))
  return { blobs, sidecars, leftovers }
}

/** Leaves a few pages at the most, for a second or two. */
const fillDisk =
  (folder: string): StoreFault =>
  async (random) => {
    const file = join(folder, 'ballast')
    const handle = await open(file, 'w')
    try {
      const { bavail, bsize } = await statfs(folder)
      const size = Math.max(0, bavail * bsize - random.between(0, 2048) * KiB)
      // what is written in the meantime takes room too: whatever fits is enough
      for (let written = 0; written < size; written += 256 * KiB)
        await handle.write(Buffer.alloc(Math.min(256 * KiB, size - written)))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    } finally {
      await handle.close()
    }
    await wait(random.between(200, 1500))
    await unlink(file)
  }

export interface FilesystemStackOptions extends PackageRoot {
  readonly diskBytes?: number
  /** Default `sqlite`. */
  readonly records?: 'sqlite' | 'postgres'
}

export async function filesystemStack({
  root,
  diskBytes,
  records: wanted = 'sqlite',
}: FilesystemStackOptions): Promise<Stack & { readonly records: Records }> {
  const data = await mkdtemp(join(tmpdir(), 'sif-library-faults-'))
  const mounted = diskBytes !== undefined
  if (mounted) await run('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes},mode=0700`, 'tmpfs', data])
  const blobs = join(data, 'blobs')
  const records = await (wanted === 'sqlite' ? sqliteRecords(root, data) : postgresRecords(root))
  return {
    name: `${mounted ? 'a folder on a small disk' : 'a folder'} and ${records.name}`,
    data,
    records,
    serveArgs: [...records.serveArgs, '--part-size', '256KiB'],
    env: {},
    pace: 1,
    sizes: { single: { min: 40 * KiB, max: 1500 * KiB }, multipart: { min: 300 * KiB, max: 3000 * KiB } },
    open: async () => ({
      storage: (await loadFilesystem(root)).filesystemStorage({ directory: blobs }),
      metadata: await records.open(),
    }),
    contents: () => contentsOf(blobs),
    faults: { ...(mounted ? { 'disk-full': fillDisk(data) } : {}), ...records.faults },
    close: async () => {
      await records.close()
      if (mounted) await run('umount', [data])
      await rm(data, { recursive: true, force: true })
    },
  }
}
