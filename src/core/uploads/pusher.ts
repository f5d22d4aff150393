/** Who pushes, with which request: what hooks and events are called with. */
import type { Principal } from '../auth/policy.js'
import type { LibraryRequest } from '../http/messages.js'

export interface Pusher {
  readonly principal: Principal | null
  readonly request: LibraryRequest
  readonly requestId?: string
}

export const principalId = (pusher: Pusher): string | null => pusher.principal?.id ?? null
