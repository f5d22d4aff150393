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

/** Rows of a list: as they are, for programs, and as people read them. */
export interface Rows {
  readonly values: readonly object[]
  readonly shown: readonly Readonly<Record<string, string>>[]
  /** There are more. */
  readonly isCut: boolean
}

export function printRows(
  terminal: Terminal,
  { json, csv }: { readonly json: boolean; readonly csv: boolean },
  { values, shown }: Rows,
): void {
  if (json) printJson(terminal, values)
  else if (csv) printCsv(terminal, values)
  else for (const line of formatTable(shown)) terminal.out(line)
}

/**
 * A cell of RFC 4180; a text that a spreadsheet would run as a formula begins with an apostrophe.
 */
function csvCell(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = plainLine(typeof value === 'object' ? JSON.stringify(value) : String(value))
  const harmless = typeof value === 'string' && /^[=+\-@]/.test(text) ? `'${text}` : text
  return /[",\n\r]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

/** Names of the members, then a line for each row. Nothing at all for no rows. */
export function printCsv(terminal: Terminal, rows: readonly object[]): void {
  const [first] = rows
  if (first === undefined) return
  const names = Object.keys(first)
  terminal.out(names.join(','))
  for (const row of rows) terminal.out(names.map((name) => csvCell(row[name as never])).join(','))
}

/** For work that failed midway: what it did stays done. */
export function printJsonOfFailure(terminal: Terminal, soFar: object, error: unknown): void {
  printJson(terminal, { ...soFar, error: error instanceof Error ? error.message : String(error) })
}

/** For JSON of a run that a signal ended: otherwise it looks like that of a whole one. */
export function stoppedMark({ aborted }: AbortSignal): { readonly stopped?: true } {
  return aborted ? { stopped: true } : {}
}

/** A time as people and programs read it; a dash for none. */
export function formatTime(milliseconds: number | null): string {
  return milliseconds === null ? '-' : new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z')
}
