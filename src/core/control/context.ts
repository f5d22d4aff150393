/** What a use case works with. */
import type { Accounts } from '../auth/accounts.js'
import { LibraryError } from '../http/errors.js'
import type { Services } from '../services.js'
import type { Asker } from './asker.js'

export interface UseCase {
  readonly services: Services
  readonly accounts: Accounts
  readonly asker: Asker
}

/** RFC 3339, UTC. */
export const date = (milliseconds: number): string => new Date(milliseconds).toISOString()
export const dateOrNull = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : date(milliseconds)

/** Throws `precondition-failed`, which shows what is there, where that is not what was seen. */
export function assertVersion(seen: string | undefined, current: { readonly version: string }): void {
  if (seen !== undefined && seen !== current.version)
    throw new LibraryError('precondition-failed', 'it was changed in the meantime: look at it, and decide again', {
      current,
    })
}
