import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { filesystemStorage } from '../../../../src/storage/blob/filesystem/index.js'
import { describeStorageBackend } from '../../../../src/testing/storage/index.js'

for (const durability of ['full', 'none'] as const) {
  describeStorageBackend(
    { describe, test },
    {
      name: `filesystem, durability ${durability}`,
      lacks: ['presign', 'presign.part', 'prove'],
      async create() {
        const directory = await mkdtemp(join(tmpdir(), 'sif-library-'))
        return {
          backend: filesystemStorage({ directory, durability }),
          dispose: () => rm(directory, { recursive: true }),
        }
      },
    },
  )
}
