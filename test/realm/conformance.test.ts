/** The conformance suites inside a context of `node:vm`, where nothing that Node made is an `instanceof` anything. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type * as Core from '../../src/core/index.js'
import type * as Filesystem from '../../src/storage/blob/filesystem/index.js'
import type * as Memory from '../../src/storage/blob/memory.js'
import type * as Sqlite from '../../src/storage/metadata/sqlite/index.js'
import type * as Testing from '../../src/testing/index.js'
import { createRealm } from '../support/realm.js'

const realm = createRealm()
const { filesystemStorage } = realm.load<typeof Filesystem>('src/storage/blob/filesystem/index.ts')
const { memoryStorage } = realm.load<typeof Memory>('src/storage/blob/memory.ts')
const { sqliteMetadata } = realm.load<typeof Sqlite>('src/storage/metadata/sqlite/index.ts')
const { describeStorageBackend, describeMetadataStore } = realm.load<typeof Testing>('src/testing/index.ts')
const { isLibraryError, createAccounts } = realm.load<typeof Core>('src/core/index.ts')

test('it is another realm', () => {
  expect(realm.evaluate('Error')).not.toBe(Error)
  expect(realm.evaluate('new Uint8Array(1)') instanceof Uint8Array).toBe(false)
  expect(realm.evaluate('Buffer.alloc(1) instanceof Uint8Array')).toBe(false)
})

describeStorageBackend(
  { describe, test },
  {
    name: 'memory',
    lacks: ['presign', 'presign.part', 'prove', 'sweepTemporary'],
    create: async () => ({ backend: memoryStorage() }),
  },
)

describeStorageBackend(
  { describe, test },
  {
    name: 'filesystem',
    lacks: ['presign', 'presign.part', 'prove'],
    async create() {
      const directory = await mkdtemp(join(tmpdir(), 'sif-library-'))
      return {
        backend: filesystemStorage({ directory, durability: 'none' }),
        dispose: () => rm(directory, { recursive: true }),
      }
    },
  },
)

describeMetadataStore(
  { describe, test },
  { name: 'sqlite', lacks: ['second'], create: async () => ({ store: sqliteMetadata({ file: ':memory:' }) }) },
)

describe('guards', () => {
  test('know our errors from either side', async () => {
    const metadata = sqliteMetadata({ file: ':memory:' })
    await metadata.ready()
    const refused = await createAccounts({ metadata })
      .createToken({ user: 'nobody' })
      .catch((error: unknown) => error)
    await metadata.close()
    expect(refused instanceof Error).toBe(false)
    expect(isLibraryError(refused, 'not-found')).toBe(true)
    const here = await import('../../src/core/index.js')
    expect(here.isLibraryError(refused, 'not-found')).toBe(true)
    expect(isLibraryError(new here.LibraryError('refused'), 'refused')).toBe(true)
    for (const other of [undefined, null, 'LibraryError', {}, { name: 'LibraryError' }, new Error('x')])
      expect(isLibraryError(other)).toBe(false)
  })
})
