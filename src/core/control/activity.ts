/** Who a change is told of in the events of the registry. */
import type { Activity, TagCause } from '../../storage/metadata/contract.js'
import { activityOf as activityOfPerson } from '../hooks/activity.js'
import type { Asker } from './asker.js'

export function activityOf(
  { principal, isOperator, by }: Asker,
  { cause, details }: { readonly cause?: TagCause; readonly details?: Readonly<Record<string, unknown>> } = {},
): Activity {
  const activity = activityOfPerson({ principal, requestId: by?.requestId }, cause)
  return {
    ...activity,
    ...(isOperator && { actor: { id: null, name: null, via: 'operator' } }),
    ...(details !== undefined && { details }),
  }
}
