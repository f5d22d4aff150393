/** Who a change is told of in the events of the registry. */
import type { Activity, TagCause } from '../../storage/metadata/contract.js'
import type { Asker } from './asker.js'

export function activityOf(
  { principal, isOperator, by }: Asker,
  { cause, details }: { readonly cause?: TagCause; readonly details?: Readonly<Record<string, unknown>> } = {},
): Activity {
  const via = isOperator
    ? 'operator'
    : principal === null
      ? 'anonymous'
      : principal.credential === undefined
        ? 'host'
        : 'token'
  return {
    actor: { id: principal?.id ?? null, name: principal?.name ?? null, via, tokenId: principal?.credential ?? null },
    requestId: by?.requestId ?? null,
    ...(cause !== undefined && { cause }),
    ...(details !== undefined && { details }),
  }
}
