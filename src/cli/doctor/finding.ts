/** What doctor found. */

export interface Finding {
  /** What was done. */
  readonly check: string
  readonly state: 'ok' | 'warning' | 'failed'
  /** What came back. */
  readonly found: string
  readonly cause?: string
  /** The option to change, or the line to type. */
  readonly fix?: string
}

/** Findings in their order; a group ends early where the rest would only repeat its failure. */
export type Findings = AsyncGenerator<Finding, void, undefined>

/** Why something went wrong, and what to change. */
export interface Explanation {
  readonly cause?: string
  readonly fix?: string
}

const words = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }

/** Lines for people. */
export function formatFinding({ check, state, found, cause, fix }: Finding): readonly string[] {
  const more = [
    ...(cause === undefined ? [] : [`          cause: ${cause}`]),
    ...(fix === undefined ? [] : [`          fix:   ${fix}`]),
  ]
  return [`${words[state]}  ${check}: ${found}`, ...more]
}
