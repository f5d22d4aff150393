/** Medians, tables, and the JSON beside them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
export const percentile = (values, share) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]
export const round = (value, digits = 2) => Number(value.toFixed(digits))

/** Rows: `{ what, value, unit, ratio?, to?, goal?, holds? }`. */
export function printTable(title, rows) {
  console.log(`\n## ${title}\n`)
  console.log('| what | value | ratio | goal | |')
  console.log('|---|---|---|---|---|')
  for (const row of rows) {
    const ratio = row.ratio === undefined ? '' : `${round(row.ratio)} × ${row.to}`
    console.log(
      `| ${row.what} | ${round(row.value, 1)} ${row.unit} | ${ratio} | ${row.goal ?? ''} | ${row.holds === undefined ? '' : row.holds ? 'holds' : 'FALLS SHORT'} |`,
    )
  }
}

export function saveResults(name, rows) {
  const folder = new URL('../results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  const machine = { node: process.version, cores: cpus().length, load: loadavg().map((value) => round(value)) }
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify({ machine, rows }, null, 2)}\n`)
}
