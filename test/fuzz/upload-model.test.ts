/** Random orders of every call of a push (protocol 5.4-5.15), with a model beside the registry. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { filesystemStorage } from '../../src/storage/blob/filesystem/index.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { makeContainer } from '../support/push.js'
import { createTestRegistry } from '../support/registry.js'
import { settings, timeout } from './settings.js'
import { containers, contents, Model, type Operation, partBytes, quota } from './upload-model.js'

const user = fc.constantFrom('bob' as const, 'admin' as const)
const container = fc.nat(containers.length - 1)
const content = fc.nat(contents.length - 1)
const upload = fc.nat(5)
const rarely = fc.nat(9).map((value) => value === 0)
const target = { user, container, content }
const unaimed: readonly Operation['kind'][] = ['create', 'wait', 'sweep']
const of = <K extends Operation['kind']>(kind: K, rest: object): fc.Arbitrary<Operation> =>
  fc.record({
    kind: fc.constant(kind),
    ...(unaimed.includes(kind) ? {} : { aim: fc.nat(9) }),
    ...rest,
  } as never) as unknown as fc.Arbitrary<Operation>

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: of('create', target) },
  { weight: 8, arbitrary: of('start', { ...target, multipart: fc.boolean() }) },
  { weight: 6, arbitrary: of('put', { upload, bytes: fc.constantFrom('good', 'good', 'other', 'short') }) },
  { weight: 5, arbitrary: of('completeSingle', target) },
  {
    weight: 14,
    arbitrary: of('part', {
      upload,
      part: fc.nat(2),
      bytes: fc.constantFrom('good', 'good', 'good', 'good', 'damaged', 'other'),
      oldUrl: rarely,
    }),
  },
  {
    weight: 8,
    arbitrary: of('completeMultipart', {
      upload,
      parts: fc.constantFrom('all', 'all', 'all', 'fewer', 'wrong etag'),
      foreign: rarely,
    }),
  },
  { weight: 2, arbitrary: of('abort', { upload, foreign: rarely }) },
  { weight: 4, arbitrary: of('direct', { ...target, good: fc.boolean() }) },
  { weight: 5, arbitrary: of('tag', { container, content, tag: fc.nat(2), foreign: rarely }) },
  { weight: 2, arbitrary: of('delete', { container, content, tag: fc.nat(2) }) },
  { weight: 2, arbitrary: of('delete', { container, content, tag: fc.constant(undefined) }) },
  { weight: 2, arbitrary: of('stranger', { container, content, call: fc.nat(5) }) },
  { weight: 1, arbitrary: of('wait', { milliseconds: fc.constantFrom(1, 3_700_000, 90_000_000) }) },
  { weight: 2, arbitrary: of('sweep', { graceSeconds: fc.constantFrom(0, 86_400) }) },
)

/** Statuses that every kind of call must have met over all runs, or the test proves less than it says. */
const mustMeet = [
  ...['create 200', 'create 201', 'create 403', 'start 200', 'start 403', 'start 404', 'put 200', 'put 410', 'put 422'],
  ...['completeSingle 200', 'completeSingle 404', 'completeSingle 409', 'part 200', 'part 404', 'part 410', 'part 422'],
  ...[
    'completeMultipart 200',
    'completeMultipart 400',
    'completeMultipart 404',
    'completeMultipart 410',
    'completeMultipart 422',
  ],
  ...[
    'abort 200',
    'abort 404',
    'direct 200',
    'direct 403',
    'direct 422',
    'tag 200',
    'tag 404',
    'tag 409',
    'delete 200',
    'delete 404',
  ],
  ...['deleted by hash while published', 'deleted by hash while parts were sent', 'swept while open'],
  ...['stranger 403', 'stranger 404'],
]

test('nothing visible that is not verified, nothing acknowledged lost, nothing left, quotas exact', {
  timeout: timeout(120_000),
}, async () => {
  const met = new Map<string, number>()
  let calls = 0
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(operation, { minLength: 20, maxLength: 120, size: 'max' }),
      async (inMemory, operations) => {
        const directory = inMemory ? undefined : await mkdtemp(join(tmpdir(), 'sif-library-fuzz-'))
        const storage = directory === undefined ? memoryStorage() : filesystemStorage({ directory, durability: 'none' })
        const clock = { now: Date.now() }
        const limits = { partBytes, maxEntityBytes: quota, presignSeconds: 10_000_000, uploadSeconds: 86_400 }
        const registry = await createTestRegistry({ storage, library: { clock: () => clock.now, limits } })
        try {
          const ids = [await makeContainer(registry, 'bob/c/one'), await makeContainer(registry, 'bob/c/two')]
          const model = new Model(
            registry,
            clock,
            ids.map(({ containerId }) => containerId),
          )
          for (const next of operations) {
            await model.run(next)
            await model.check()
            calls += 1
          }
          await model.checkSwept()
          for (const [key, count] of model.met) met.set(key, (met.get(key) ?? 0) + count)
          expect(registry.logs.filter(({ level }) => level === 'error')).toEqual([])
          if (directory !== undefined)
            for (const folder of ['tmp', 'uploads']) expect(await readdir(join(directory, folder))).toEqual([])
        } finally {
          await registry.close()
          if (directory !== undefined) await rm(directory, { recursive: true, force: true })
        }
      },
    ),
    settings(60),
  )
  expect(mustMeet.filter((key) => !met.has(key))).toEqual([])
  expect(calls).toBeGreaterThan(1000)
})
