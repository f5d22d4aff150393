/** Who a change is told of in the events that the metadata store keeps. */
import type { Activity, TagCause } from '../../storage/metadata/contract.js'
import type { Principal } from '../auth/policy.js'

/** The registry's own work: sweeps and checks. */
export const systemActivity: Activity = { actor: { id: null, name: null, via: 'system' } }

export function activityOf(
  { principal, requestId }: { readonly principal: Principal | null; readonly requestId?: string | undefined },
  cause?: TagCause,
): Activity {
  const known = principal?.via ?? (principal?.credential === undefined ? 'host' : 'token')
  const via = principal === null ? 'anonymous' : known
  return {
    actor: { id: principal?.id ?? null, name: principal?.name ?? null, via, tokenId: principal?.credential ?? null },
    requestId: requestId ?? null,
    ...(cause === undefined ? {} : { cause }),
  }
}
