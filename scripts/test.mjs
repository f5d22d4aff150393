/**
 * `npm test`: everything that a checkout can prove about itself, in one command, ending in one line that counts the tests.
 *
 *   npm test                  format, lint, types, build, then unit, package and e2e suites
 *   npm test -- --unit        unit suites only (what the other Node versions run)
 *   npm test -- --node 22     the unit suites on another Node, from the npm package `node`
 *
 * What needs a tool that this machine lacks (Go, MinIO, PostgreSQL …) is skipped aloud; SIF_LIBRARY_TEST_REQUIRE_ALL=1, or CI=true, makes that a failure.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { installTools } from './tools.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const args = process.argv.slice(2)
const nodes = args.flatMap((arg, index) => (arg === '--node' && args[index + 1] !== undefined ? [args[index + 1]] : []))
const unitOnly = args.includes('--unit')
const env = { ...process.env, ...(process.env.CI === 'true' ? { SIF_LIBRARY_TEST_REQUIRE_ALL: '1' } : {}) }
const reports = `${root}.cache/reports`
const totals = { passed: 0, failed: 0, skipped: 0 }
const failures = []
const times = []
const files = []
/** Lines that say what failed, for the end of the output: a long log is read from there. */
const causes = []
const began = performance.now()

const duration = (ms) =>
  ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`

function run(name, command, commandArgs) {
  const started = performance.now()
  console.log(`\n=== ${name} (${duration(started - began)} since the start)`)
  return new Promise((resolve) => {
    const child = spawn(command, commandArgs, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] })
    // whoever ends this ends what it started: it stops its own servers first
    const pass = (signal) => child.kill(signal)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, pass)
    const finish = (ok) => {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.off(signal, pass)
      times.push({ name, ms: performance.now() - started })
      resolve(ok)
    }
    child.on('error', (error) => {
      console.error(`${name}: ${error.message}`)
      finish(false)
    })
    child.on('close', (code, signal) => {
      if (signal !== null) process.exit(1)
      finish(code === 0)
    })
  })
}

async function step(name, command, commandArgs) {
  if (!(await run(name, command, commandArgs))) failures.push(name)
}

/** One vitest project; its counts are added to the totals. `launcher` is the node that runs it. */
async function suite(project, launcher = [process.execPath]) {
  const label = launcher.length === 1 ? project : `${project} on ${launcher.at(-1)}`
  const file = `${reports}/${label.replaceAll(/[^a-z0-9]+/gi, '-')}.json`
  const [command, ...before] = launcher
  const ok = await run(label, command, [
    ...before,
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ])
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'))
    totals.passed += report.numPassedTests
    totals.failed += report.numFailedTests
    totals.skipped += report.numPendingTests + report.numTodoTests
    for (const { name, startTime, endTime, status, message, assertionResults } of report.testResults) {
      const file = `${relative(root, name)} (${label})`
      files.push({ name: file, ms: endTime - startTime })
      const failed = assertionResults.filter((test) => test.status === 'failed')
      for (const { fullName, failureMessages } of failed)
        causes.push(cause(`${file} > ${fullName}`, failureMessages[0]))
      // the file could not be loaded, or a hook of it failed
      if (status === 'failed' && failed.length === 0) causes.push(cause(file, message))
    }
  } catch {
    failures.push(`${label}: no report`)
  }
  if (!ok) failures.push(label)
}

/** What failed, and the first lines of why. */
function cause(name, message = '') {
  const lines = stripVTControlCharacters(message)
    .split('\n')
    .filter((line) => line.trim() !== '')
  return [name, ...lines.slice(0, 6).map((line) => `  ${line.slice(0, 300)}`)]
}

rmSync(reports, { recursive: true, force: true })
mkdirSync(reports, { recursive: true })
const bin = (name) => `node_modules/.bin/${name}`
console.log(`node ${process.version}, ${availableParallelism()} cores`)
await installTools()

if (nodes.length > 0) {
  // the package node puts its program in place by an install script, which this checkout forbids
  for (const version of nodes) await suite('unit', ['npx', '-y', '--ignore-scripts=false', `node@${version}`])
} else {
  await step('lock file', process.execPath, ['scripts/complete-lock.mjs', '--check'])
  await step('format and lint', bin('biome'), ['ci', '.'])
  await step('types of the package', bin('tsc'), ['-p', 'tsconfig.json'])
  await step('build', bin('tsup'), ['--silent'])
  await step('types of the page', bin('tsc'), ['-p', 'src/ui'])
  await step('build of the page', bin('vite'), ['build', '--config', 'src/ui/vite.config.ts', '--logLevel', 'warn'])
  await step('types of tests, benches and examples', bin('tsc'), ['-p', 'tsconfig.test.json'])
  await suite('unit')
  if (!unitOnly) {
    await suite('package')
    await suite('e2e')
    await suite('e2e-alone')
  }
}

const list = (heading, entries) => {
  if (entries.length > 0) console.log(`\n${heading}`)
  for (const { name, ms } of entries) console.log(`${duration(ms).padStart(12)}  ${name}`)
}
list('steps', times)
list('slowest files', files.sort((a, b) => b.ms - a.ms).slice(0, 15))
for (const lines of causes) console.log(`\n${lines.map((line) => `FAILED ${line}`).join('\n')}`)
if (failures.length > 0) console.log(`\nfailed: ${failures.join(', ')}`)
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exitCode = failures.length > 0 || totals.failed > 0 || totals.passed === 0 ? 1 : 0
