/** A registry whose database is backed up, goes on, and is lost: what is left is the storage of today and the database of then. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLibrary, type Library } from '../../src/core/index.js'
import type { StorageBackend } from '../../src/storage/blob/contract.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { loadBetterSqlite, loadNodeSqlite } from '../../src/storage/metadata/sqlite/library.js'
import { createTestRegistry, type LogLine, TEST_SECRET, type TestRegistry } from './registry.js'

export interface Restored {
  readonly library: Library
  readonly metadata: MetadataStore
  readonly storage: StorageBackend
  readonly logs: LogLine[]
}

export interface BackedUp {
  readonly registry: TestRegistry
  readonly storage: StorageBackend
  backUp(): void
  /** A registry on the backup, with the clock of the one before, which must be closed. It is closed by {@link close}; another one may follow it. */
  restore(storage?: StorageBackend): Restored
  close(): Promise<void>
}

export async function startBackedUp(storage: StorageBackend = memoryStorage()): Promise<BackedUp> {
  const directory = await mkdtemp(join(tmpdir(), 'sif-library-backup-'))
  const [file, copy] = [join(directory, 'registry.db'), join(directory, 'backup.db')]
  const registry = await createTestRegistry({ storage, metadata: sqliteMetadata({ file }) })
  const opened: Library[] = []
  const open = loadNodeSqlite() ?? (await loadBetterSqlite())
  return {
    registry,
    storage,
    backUp: () => {
      const database = open(file)
      database.exec(`VACUUM INTO '${copy}'`)
      database.close()
    },
    restore: (over = storage) => {
      const logs: LogLine[] = []
      const at = (level: LogLine['level']) => (facts: object, message?: string) =>
        void logs.push({ level, facts, message })
      const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
      const metadata = sqliteMetadata({ file: copy })
      const library = createLibrary({
        publicUrl: registry.publicUrl,
        secret: TEST_SECRET,
        storage: over,
        metadata,
        logger,
        clock: registry.now,
      })
      opened.push(library)
      return { library, metadata, storage: over, logs }
    },
    close: async () => {
      for (const library of opened) await library.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
