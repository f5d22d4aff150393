/** What a call of the client throws. */

/**
 * A refusal of the registry, or no answer at all. Recognise it by its `name`, or by
 * `isRegistryError`.
 */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  /**
   * Code of the error, such as `not-found`, `forbidden`, `precondition-failed`; `unreachable`:
   * there was no answer.
   */
  readonly reason: string
  /** HTTP status; 0 where there was no answer. */
  readonly status: number
  /** Leads to the log line of the server. */
  readonly requestId: string | undefined
  /** The member or parameter that is wrong. */
  readonly field: string | undefined
  /** Of a `precondition-failed`: what is there now. */
  readonly current: unknown

  constructor(
    message: string,
    facts: {
      readonly reason: string
      readonly status: number
      readonly requestId?: string | undefined
      readonly field?: string | undefined
      readonly current?: unknown
      readonly cause?: unknown
    },
  ) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.reason = facts.reason
    this.status = facts.status
    this.requestId = facts.requestId
    this.field = facts.field
    this.current = facts.current
  }
}

/** True for an error of any copy of this package; with `reason`, only for that one. */
export function isRegistryError(error: unknown, reason?: string): error is RegistryError {
  if (typeof error !== 'object' || error === null) return false
  const { name, reason: found } = error as Partial<Record<string, unknown>>
  return name === 'RegistryError' && typeof found === 'string' && (reason === undefined || found === reason)
}
