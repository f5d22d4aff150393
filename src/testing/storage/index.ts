import assert from 'node:assert/strict'
import type { StorageBackend } from '../../storage/blob/contract.js'
import { registerGroups, type TestRunner } from '../runner.js'
import { blobTests, proveTests, rangeTests } from './blobs.js'
import { type StorageCapability, StorageContext, type StorageGroup } from './context.js'

import { failureTests } from './failures.js'
import { multipartTests } from './multipart.js'
import { multipartEndTests } from './multipart-end.js'
import { partFailureTests } from './parts.js'
import { presignPartTests, presignTests } from './presign.js'

export type { StorageCapability }

export interface StorageSubject {
  readonly backend: StorageBackend
  /** Called after the test, also when it failed; the suite has called `close` before. */
  dispose?(): Promise<void> | void
}

export interface StorageSuiteOptions {
  /** Title of the suite. */
  readonly name: string
  /**
   * Called for every test: an empty backend of its own (a new folder, a new prefix). The suite
   * calls `ready`.
   */
  create(): Promise<StorageSubject> | StorageSubject
  /**
   * Capabilities that this backend does not have; their groups are left out. A test compares the
   * list with the backend. Default: none lacking.
   */
  readonly lacks?: readonly StorageCapability[]
  /** Deviations: name of the test -> reason. A name that no test has fails. */
  readonly skip?: Readonly<Record<string, string>>
}

const groups: readonly StorageGroup[] = [
  blobTests,
  rangeTests,
  failureTests,
  multipartTests,
  partFailureTests,
  multipartEndTests,
  presignTests,
  presignPartTests,
  proveTests,
  {
    name: 'check',
    needs: 'check',
    tests: {
      'check answers ok with a message': async ({ backend }) => {
        const result = await backend.check?.()
        assert.equal(result?.ok, true, result?.message)
        assert.notEqual(result?.message, '')
      },
    },
  },
]

/**
 * Holds a StorageBackend to the contract in `sif-library/storage`. Works with any runner that has
 * `describe` and `test`; asserts by node:assert. Parts go through `multipart.writePart` where it is
 * present, and otherwise by fetch to the URL of `presign.part`. Parts are `limits.minPartSize`
 * bytes long, at least 128 KiB, so a store with S3's minimum of 5 MiB receives some hundred MiB in
 * all.
 *
 * After every test the backend must list what the test published and nothing else, and
 * `sweepTemporary` must find nothing.
 */
export function describeStorageBackend(runner: TestRunner, options: StorageSuiteOptions): void {
  const lacks = options.lacks ?? []
  const run = async (body: (context: StorageContext) => Promise<void>) => {
    const subject = await options.create()
    try {
      await subject.backend.ready?.()
      const context = new StorageContext(subject.backend)
      await body(context)
      await context.assertNoLeftovers()
    } finally {
      await subject.backend.close?.()
      await subject.dispose?.()
    }
  }
  runner.describe(options.name, () => {
    runner.test('has a name, limits, and every capability but the ones it is said to lack', () =>
      run(async ({ backend }) => {
        assert.notEqual(backend.name, '')
        for (const [limit, value] of Object.entries(backend.limits))
          assert.ok(Number.isSafeInteger(value) && value > 0, `limits.${limit} is ${value}`)
        assert.ok(backend.limits.minPartSize <= backend.limits.maxPartSize)
        assert.deepEqual([...lacks].sort(), findLacking(backend))
      }),
    )
    registerGroups(runner, { groups, lacks, skip: options.skip ?? {}, run })
  })
}

function findLacking(backend: StorageBackend): StorageCapability[] {
  const members: Record<StorageCapability, unknown> = {
    multipart: backend.multipart,
    presign: backend.presign,
    'presign.part': backend.presign?.part,
    prove: backend.prove,
    sweepTemporary: backend.sweepTemporary,
    check: backend.check,
  }
  return (Object.keys(members) as StorageCapability[]).filter((name) => members[name] === undefined).sort()
}
