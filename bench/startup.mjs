/** What it costs to import each entry in a fresh process: time and resident memory, against a process that imports nothing; medians of interleaved rounds. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { median, printTable, saveResults } from './lib/report.mjs'

const entries = Object.keys(JSON.parse(readFileSync(new URL('../entries.json', import.meta.url), 'utf8')))

/** Runs in the fresh process: what it prints is milliseconds of the import, and resident bytes after it. */
const measure = `const begun = performance.now(); if (specifier !== '') await import(specifier); const took = performance.now() - begun; console.log(JSON.stringify([took, process.memoryUsage.rss()]))`

/** Milliseconds from the start of the process to its end, milliseconds of the import, MiB of resident memory after it. */
function startProcess(specifier) {
  const begun = performance.now()
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', `const specifier = ${JSON.stringify(specifier)}; ${measure}`],
    {
      cwd: new URL('..', import.meta.url),
      encoding: 'utf8',
    },
  )
  const total = performance.now() - begun
  if (status !== 0) throw new Error(`${specifier}: ${stderr}`)
  const [took, rss] = JSON.parse(stdout)
  return { total, took, rss: rss / 2 ** 20 }
}

export function benchStartup({ rounds = 15 }) {
  const cases = ['', ...entries.map((entry) => `sif-library${entry.slice(1)}`)]
  const samples = new Map(cases.map((name) => [name, []]))
  for (let round = -1; round < rounds; round += 1) {
    for (const name of cases) {
      const sample = startProcess(name)
      // the first round warms the disk
      if (round >= 0) samples.get(name).push(sample)
    }
  }
  const of = (name, what) => median(samples.get(name).map((sample) => sample[what]))
  const rows = [
    { what: 'node alone, whole process', value: of('', 'total'), unit: 'ms' },
    { what: 'node alone, memory', value: of('', 'rss'), unit: 'MiB' },
    ...cases.slice(1).flatMap((name) => [
      { what: `${name}, import`, value: of(name, 'took'), unit: 'ms' },
      {
        what: `${name}, whole process`,
        value: of(name, 'total'),
        unit: 'ms',
        ratio: of(name, 'total') / of('', 'total'),
        to: 'node alone',
      },
      {
        what: `${name}, memory`,
        value: of(name, 'rss') - of('', 'rss'),
        unit: 'MiB more',
        ratio: of(name, 'rss') / of('', 'rss'),
        to: 'node alone',
      },
    ]),
  ]
  printTable('Start-up of each entry', rows)
  saveResults('startup', rows)
  return rows
}
