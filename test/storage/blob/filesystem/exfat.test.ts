/** A real file system without hard links: exFAT, through FUSE, on a file. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { filesystemStorage } from '../../../../src/storage/blob/filesystem/index.js'
import { describeStorageBackend } from '../../../../src/testing/storage/index.js'
import { describeWhen } from '../../../e2e/harness/availability.js'

const root = mkdtempSync(join(tmpdir(), 'sif-library-exfat-'))
const disk = join(root, 'disk')
let missing: string | undefined
let device: string | undefined
try {
  const image = join(root, 'image')
  writeFileSync(image, '')
  truncateSync(image, 256 * 1024 ** 2)
  execFileSync('mkdir', [disk])
  execFileSync('mkfs.exfat', [image], { stdio: 'ignore' })
  device = execFileSync('losetup', ['-f', '--show', image], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
  execFileSync('mount.exfat-fuse', [device, disk], { stdio: 'ignore' })
} catch {
  missing = 'no exFAT can be mounted here (needs root, exfat-fuse and exfatprogs)'
}
afterAll(() => {
  if (missing === undefined) execFileSync('umount', [disk])
  if (device !== undefined) execFileSync('losetup', ['-d', device])
  rmSync(root, { recursive: true })
})

describeWhen(missing, 'exFAT')('exFAT', () => {
  test('is taken, and says so', async () => {
    const backend = filesystemStorage({ directory: join(disk, 'blobs') })
    await backend.ready!()
    expect(await backend.check!()).toMatchObject({ ok: true })
  })

  describeStorageBackend(
    { describe, test },
    {
      name: 'filesystem',
      lacks: ['presign', 'presign.part', 'prove'],
      async create() {
        const directory = await mkdtemp(join(disk, 'blobs-'))
        return { backend: filesystemStorage({ directory }), dispose: () => rm(directory, { recursive: true }) }
      },
    },
  )
})
