/** What a fault run counted and found. */
import type { Swept } from './settle.js'

export interface FaultReport {
  kills: number
  /** How often each fault struck; a server that was killed beside another fault counts for both. */
  readonly faults: Record<string, number>
  readonly counts: Record<
    'pushes' | 'acknowledged' | 'interrupted' | 'repeated' | 'deletes' | 'pulls' | 'sweepersKilled',
    number
  >
  readonly swept: Record<keyof Swept, number>
  /** Failures that clients saw, by their words, so that a bad answer under a fault is seen. */
  readonly failures: Map<string, number>
  readonly violations: string[]
}

/** For people. */
export function describeReport({ kills, faults, counts, swept, failures, violations }: FaultReport): string {
  const table = (record: Readonly<Record<string, number>>): string =>
    Object.entries(record)
      .map(([name, count]) => `  ${name}: ${count}`)
      .join('\n')
  const seen = [...failures].sort(([, a], [, b]) => b - a).slice(0, 12)
  return [
    `${kills} kills, ${violations.length} violations`,
    table(counts),
    'faults:',
    table(faults),
    'swept:',
    table(swept),
    'what clients saw:',
    ...seen.map(([words, count]) => `  ${count} × ${words}`),
    ...violations,
  ].join('\n')
}
