/**
 * The long fuzz run: property tests with many more runs, then hostile raw requests, then schemathesis where it is installed. Prints the seed; the same seed makes the same run.
 *
 *     npm run fuzz [-- --seed 1 --factor 100 --requests 100000]
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    factor: { type: 'string', default: '100' },
    requests: { type: 'string', default: '100000' },
  },
})
const { seed, factor, requests } = values
console.log(`seed ${seed}, ${factor} times the runs of CI, ${requests} raw requests`)

const env = { ...process.env, SIF_LIBRARY_FUZZ_SEED: seed, SIF_LIBRARY_FUZZ_FACTOR: factor }
let failed = false
const run = (args, name) => {
  console.log(`\n${name}`)
  const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  if (status !== 0) failed = true
}
run(
  [
    `${root}node_modules/vitest/vitest.mjs`,
    'run',
    '--project',
    'unit',
    'test/fuzz/upload-model.test.ts',
    'test/fuzz/grammar.test.ts',
    'test/fuzz/sif.test.ts',
  ],
  'property tests',
)
run([`${root}scripts/fuzz-http.mjs`, '--requests', requests, '--seed', seed], 'raw requests')
if (existsSync(`${root}.cache/schemathesis/bin/schemathesis`)) {
  run(
    [`${root}node_modules/vitest/vitest.mjs`, 'run', '--project', 'unit', 'test/fuzz/schemathesis.test.ts'],
    'schemathesis',
  )
} else {
  console.warn('schemathesis is not installed (scripts/schemathesis.sh --install): its part was left out')
}
process.exit(failed ? 1 : 0)
