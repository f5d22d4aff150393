import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { sqliteMetadata } from '../../../../src/storage/metadata/sqlite/index.js'
import { describeMetadataStore } from '../../../../src/testing/index.js'

const runner = { describe, test }

describeMetadataStore(runner, {
  name: 'SQLite in memory',
  lacks: ['second'],
  create: () => ({ store: sqliteMetadata({ file: ':memory:' }) }),
})

describeMetadataStore(runner, {
  name: 'SQLite in a file, two instances',
  create: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sif-library-metadata-'))
    const file = join(folder, 'registry.db')
    return {
      store: sqliteMetadata({ file }),
      second: () => sqliteMetadata({ file }),
      dispose: () => rm(folder, { recursive: true }),
    }
  },
})
