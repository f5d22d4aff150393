/** File systems without hard links, or with some only: the whole suite of the filesystem backend runs there, with its crashes. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { describeWhen } from '../../../e2e/harness/availability.js'
import { PACKAGE } from '../../../e2e/harness/paths.js'
import { run } from '../../../e2e/harness/run.js'
import { buildRefuseLinks, type Refusals, refusing } from '../../../support/refuse-links.js'

const library = buildRefuseLinks()
const vitest = fileURLToPath(new URL('../../../../node_modules/vitest/vitest.mjs', import.meta.url))
const all = ['filesystem', 'crash', 'publish']
const rules = ['publish']

const fileSystems: readonly (readonly [string, Refusals, readonly string[]])[] = [
  ['no links (exFAT, vfat)', { REFUSE_LINKS: 'EPERM' }, all],
  ['no links (SMB)', { REFUSE_LINKS: 'ENOTSUP' }, rules],
  ['links inside one folder only (BeeGFS before 8, AFS)', { REFUSE_LINKS: 'EXDEV' }, rules],
  ['a mount on keys', { REFUSE_MOUNT: '/keys/' }, all],
  ['a mount on tmp', { REFUSE_MOUNT: '/tmp/' }, rules],
  ['a mount on uploads', { REFUSE_MOUNT: '/uploads/' }, rules],
]

describeWhen(library === undefined ? 'there is no cc that makes a library to preload' : undefined, 'refused links')(
  'the suites of the filesystem backend',
  () => {
    test.each(fileSystems)('%s', { timeout: 240_000 }, async (_, refusals, names) => {
      const suites = names.map((name) => `test/storage/blob/filesystem/${name}.test.ts`)
      const args = [vitest, 'run', '--project', 'unit', '--reporter', 'json', ...suites]
      const env = { ...refusing(library ?? '', refusals), VITEST: '', VITEST_POOL_ID: '', VITEST_WORKER_ID: '' }
      const { stdout, stderr } = await run(process.execPath, { args, cwd: PACKAGE, env, timeout: 230_000 })
      const report = JSON.parse(stdout.slice(stdout.indexOf('{"num'))) as {
        readonly numPassedTests: number
        readonly testResults: readonly {
          readonly message: string
          readonly assertionResults: readonly {
            readonly status: string
            readonly fullName: string
            readonly failureMessages: readonly string[]
          }[]
        }[]
      }
      const failed = report.testResults.flatMap(({ message, assertionResults }) => [
        ...(assertionResults.length === 0 ? [message] : []),
        ...assertionResults
          .filter(({ status }) => status === 'failed')
          .map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages.join('\n').slice(0, 600)}`),
      ])
      expect(failed, stderr).toEqual([])
      expect(report.numPassedTests).toBeGreaterThan(names === all ? 100 : 10)
    })
  },
)
