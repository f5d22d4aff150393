/**
 * Whether what was handed out to somebody (a transfer URL, an upload under way) is still theirs, as
 * things are now.
 */
import type { LibraryRequest } from '../http/messages.js'
import { may } from './access.js'
import type { Action, AuthHooks, Grant, Principal, Resource } from './policy.js'

/** What a transfer URL remembers of who it is made for; undefined for somebody anonymous. */
export function grantOf(principal: Principal | null): Grant | undefined {
  if (principal === null) return undefined
  return { id: principal.id, credential: principal.credential }
}

/**
 * Asks `recall`, then `authorize`. `unknown`: the host cannot tell, or nobody in particular was
 * granted anything.
 */
export async function stillHolds(
  question: { readonly auth: AuthHooks; readonly request: LibraryRequest },
  grant: Grant | undefined,
  wanted: { readonly action: Action; readonly resource: Resource },
): Promise<boolean | 'unknown'> {
  const { auth, request } = question
  if (grant === undefined || auth.recall === undefined) return 'unknown'
  const principal = await auth.recall(grant)
  return principal !== null && may({ auth, principal, request }, wanted.action, wanted.resource)
}
