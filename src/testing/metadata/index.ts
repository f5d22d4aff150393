import type { MetadataStore } from '../../storage/metadata/contract.js'
import { registerGroups, type TestRunner } from '../runner.js'
import { accountTests, memberTests, settingTests } from './accounts.js'
import { eventTests, historyTests, pullTests } from './activity.js'
import { changeTests } from './changes.js'
import { type MetadataCapability, MetadataContext, type MetadataGroup } from './context.js'
import { deletionTests } from './deletions.js'
import { documentTests } from './documents.js'
import { imageTests } from './images.js'
import { inspectionTests } from './inspections.js'
import { lifecycleTests, secondTests, textTests } from './lifecycle.js'
import { limitTests } from './limits.js'
import { listTests } from './lists.js'
import { collectionTests, containerTests, entityTests } from './names.js'
import { adoptTests, publishTests } from './publish.js'
import { creationRaces, pushRaces, tagRaces } from './races.js'
import { restoreTests } from './restore.js'
import { hostileSearchTests, searchTests } from './search.js'
import { tagTests } from './tags.js'
import { blobTests, uploadTests } from './uploads.js'

export interface MetadataSubject {
  readonly store: MetadataStore
  /** Another instance over the same database, as another process would have it. */
  second?(): Promise<MetadataStore> | MetadataStore
  /** Called after the test, also when it failed; the suite has closed the instances before. */
  dispose?(): Promise<void> | void
}

export interface MetadataSuiteOptions {
  /** Title of the suite. */
  readonly name: string
  /** Called for every test: an empty database of its own. The suite calls `ready`. */
  create(): Promise<MetadataSubject> | MetadataSubject
  /**
   * `['second']` for a store that only one instance can use: its group is left out, and concurrent
   * callers share the one instance. Default: nothing lacking.
   */
  readonly lacks?: readonly MetadataCapability[]
  /** Deviations: name of the test -> reason. A name that no test has fails. */
  readonly skip?: Readonly<Record<string, string>>
}

const groups: readonly MetadataGroup[] = [
  lifecycleTests,
  entityTests,
  collectionTests,
  containerTests,
  imageTests,
  publishTests,
  inspectionTests,
  adoptTests,
  tagTests,
  uploadTests,
  blobTests,
  changeTests,
  restoreTests,
  limitTests,
  searchTests,
  hostileSearchTests,
  accountTests,
  memberTests,
  settingTests,
  documentTests,
  listTests,
  deletionTests,
  historyTests,
  eventTests,
  pullTests,
  textTests,
  creationRaces,
  pushRaces,
  tagRaces,
  secondTests,
]

/**
 * Holds a MetadataStore to its contract. Works with any runner that has `describe` and `test`;
 * asserts by node:assert. Where there is a second instance, concurrent callers are spread over
 * both.
 *
 * After every test the counters of every entity must equal what its images and uploads add up to,
 * and a blob must be unreferenced exactly when no image refers to it.
 */
export function describeMetadataStore(runner: TestRunner, options: MetadataSuiteOptions): void {
  const lacks = options.lacks ?? []
  const run = async (body: (context: MetadataContext) => Promise<void>) => {
    const subject = await options.create()
    let second: MetadataStore | undefined
    try {
      await subject.store.ready()
      if (!lacks.includes('second')) {
        if (subject.second === undefined)
          throw new Error(`${options.name}: create() gave no second(), so it must be in lacks`)
        second = await subject.second()
        await second.ready()
      }
      const context = new MetadataContext(subject.store, second)
      await body(context)
      await context.assertConsistent()
    } finally {
      await second?.close()
      await subject.store.close()
      await subject.dispose?.()
    }
  }
  runner.describe(options.name, () => registerGroups(runner, { groups, lacks, skip: options.skip ?? {}, run }))
}
