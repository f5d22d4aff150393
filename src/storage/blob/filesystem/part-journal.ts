import { randomUUID } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { PartStat } from '../contract.js'

/**
 * What happened to the parts of one upload, one JSON record a line, only ever appended:
 *
 *     begin  before the first byte of a part is written: an earlier part of this number no longer counts
 *     end    after the last byte was written: the part counts, unless somebody else began it meanwhile
 *     fail   the write is over and the part does not count
 *
 * A process that dies leaves a `begin` without an end, and perhaps a torn line. Each record is led
 * by a line feed of its own, so that a torn one spoils itself only.
 */
export interface JournalRecord {
  readonly event: 'begin' | 'end' | 'fail'
  readonly part: number
  /** Names one write of one part. */
  readonly write: string
  /** Names the backend instance that writes. */
  readonly writer: string
  /** With `end`. */
  readonly size?: number
  /** With `end`. */
  readonly etag?: string
}

export interface JournalState {
  /** Parts that count. */
  readonly parts: ReadonlyMap<number, PartStat>
  /** A write began and nobody knows that it is over: its process died, or it is still writing. */
  readonly unsettled: boolean
  readonly writers: ReadonlySet<string>
}

export interface PartEntry {
  finish(part: { readonly size: number; readonly etag: string }): Promise<void>
  fail(): Promise<void>
}

/**
 * Appends `begin` to a journal that is open for appending; the part is then ended by one call of
 * the entry.
 */
export async function beginPart(
  journal: FileHandle,
  { part, writer }: { readonly part: number; readonly writer: string },
): Promise<PartEntry> {
  const write = randomUUID()
  // One small write to a file opened with O_APPEND: records of several processes do not mix.
  const append = (record: JournalRecord) => journal.appendFile(`\n${JSON.stringify(record)}\n`)
  await append({ event: 'begin', part, write, writer })
  return {
    finish: ({ size, etag }) => append({ event: 'end', part, write, writer, size, etag }),
    fail: () => append({ event: 'fail', part, write, writer }),
  }
}

export function replayJournal(text: string): JournalState {
  const parts = new Map<number, PartStat>()
  const writers = new Set<string>()
  const open = new Set<string>()
  /** The latest write of each part. */
  const latest = new Map<number, string>()
  let torn = false
  for (const line of text.split('\n')) {
    if (line === '') continue
    const record = parseRecord(line)
    if (record === undefined) {
      torn = true
      continue
    }
    const { event, part, write } = record
    writers.add(record.writer)
    if (event === 'begin') {
      open.add(write)
      latest.set(part, write)
      parts.delete(part)
    } else {
      open.delete(write)
      if (event === 'end' && latest.get(part) === write && record.size !== undefined && record.etag !== undefined) {
        parts.set(part, { partNumber: part, size: record.size, etag: record.etag })
      }
    }
  }
  return { parts, writers, unsettled: torn || open.size > 0 }
}

function parseRecord(line: string): JournalRecord | undefined {
  try {
    const record: JournalRecord = JSON.parse(line)
    return typeof record.part === 'number' && typeof record.write === 'string' && typeof record.writer === 'string'
      ? record
      : undefined
  } catch {
    return undefined
  }
}
