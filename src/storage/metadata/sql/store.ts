import { messageOf } from '../../../foreign.js'
import type { MetadataCheck, MetadataStore, MigrationProgress } from '../contract.js'
import { MetadataError } from '../errors.js'
import { accountStore } from './accounts.js'
import { blobStore } from './blobs.js'
import { changeStore } from './changes.js'
import { collectionStore } from './collections.js'
import { containerStore } from './containers.js'
import { documentStore } from './documents.js'
import { entityStore } from './entities.js'
import { eventStore } from './events.js'
import { imageStore } from './images.js'
import { laterStep, listSteps } from './later-steps.js'
import { migrate } from './migrate.js'
import { pullStore, usageStore } from './pulls.js'
import { search } from './search.js'
import { settingStore } from './settings.js'
import { changed, type SqlDriver, type SqlRunner } from './steps.js'
import { tagStore } from './tags.js'
import { uploadStore } from './uploads.js'

/**
 * A driver that connects and migrates by itself at its first use, and refuses after it was closed.
 */
interface LazyDriver extends SqlRunner {
  ready(onProgress?: (progress: MigrationProgress) => void): Promise<void>
  close(): Promise<void>
}

type OnProgress = (progress: MigrationProgress) => void

/**
 * Does what a migration left for later, one short transaction after the other. Several instances
 * take turns.
 */
async function finishMigration(driver: SqlDriver, onProgress: OnProgress): Promise<void> {
  const isLeft = (): Promise<boolean> => driver.run('read', () => changed('SELECT name FROM schema_steps LIMIT 1'))
  while (await isLeft()) {
    let step: string | undefined
    await driver.migrate(function* () {
      step = yield* laterStep(driver.dialect)
    })
    if (step !== undefined) onProgress({ step, done: listSteps.indexOf(step), total: listSteps.length })
    // whoever reads or writes in between goes first
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function lazyDriver(driver: SqlDriver): LazyDriver {
  let isReady = false
  let opening: Promise<void> | undefined
  let closing: Promise<void> | undefined

  const closed = (): Promise<never> => Promise.reject(new MetadataError('closed', 'the metadata store was closed'))

  const open = async (onProgress: OnProgress): Promise<void> => {
    await driver.open()
    await driver.migrate(() => migrate(driver.dialect))
    await finishMigration(driver, onProgress)
    isReady = true
  }

  const ready = (onProgress: OnProgress = () => undefined): Promise<void> => {
    if (closing !== undefined) return closed()
    // a failure is not kept: the database may be there at the next call
    opening ??= open(onProgress).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  return {
    dialect: driver.dialect,
    ready,
    run: (mode, steps) => {
      if (closing !== undefined) return closed()
      return isReady ? driver.run(mode, steps) : ready().then(() => driver.run(mode, steps))
    },
    close: () => {
      closing ??= (opening ?? Promise.resolve()).catch(() => undefined).then(() => driver.close())
      return closing
    },
  }
}

/** The MetadataStore over a driver: the same statements for every database. */
export function sqlStore(driver: SqlDriver): MetadataStore {
  const gate = lazyDriver(driver)
  const name = driver.dialect.name

  const check = async (): Promise<MetadataCheck> => {
    try {
      await gate.run('probe', () => changed('SELECT version FROM schema_version'))
      return { ok: true, message: `${name} answers` }
    } catch (error) {
      return { ok: false, message: `${name}: ${messageOf(error)}` }
    }
  }

  return {
    name,
    ready: gate.ready,
    check,
    close: gate.close,
    entities: entityStore(gate),
    collections: collectionStore(gate),
    containers: containerStore(gate),
    images: imageStore(gate),
    tags: tagStore(gate),
    uploads: uploadStore(gate),
    blobs: blobStore(gate),
    changes: changeStore(gate),
    accounts: accountStore(gate),
    settings: settingStore(gate),
    documents: documentStore(gate),
    events: eventStore(gate),
    pulls: pullStore(gate),
    usage: usageStore(gate),
    search: (query) => search(gate, query),
  }
}
