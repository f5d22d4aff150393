/** Results for people (a table) or programs (JSON). */
import type { Terminal } from './command.js'
import { plainLine } from './plain-text.js'

/** Columns as wide as their widest cell; nothing at all for no rows. */
export function formatTable(rows: readonly Readonly<Record<string, string>>[]): readonly string[] {
  const [first] = rows
  if (first === undefined) return []
  const names = Object.keys(first)
  const lines = [
    names.map((name) => name.toUpperCase()),
    ...rows.map((row) => names.map((name) => plainLine(row[name] ?? ''))),
  ]
  const widths = names.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(JSON.stringify(value, null, 2))
}

/** For work that failed midway: what it did stays done. */
export function printJsonOfFailure(terminal: Terminal, soFar: object, error: unknown): void {
  printJson(terminal, { ...soFar, error: error instanceof Error ? error.message : String(error) })
}

/** For JSON of a run that a signal ended: otherwise it looks like that of a whole one. */
export function stoppedMark({ aborted }: AbortSignal): { readonly stopped?: true } {
  return aborted ? { stopped: true } : {}
}

/** A size as people read it, in the units that the options take: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

/** A time as people and programs read it; a dash for none. */
export function formatTime(milliseconds: number | null): string {
  return milliseconds === null ? '-' : new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z')
}
