/** What the built-in accounts tell of: the facts of each event, without its origin. */

import type { Role } from '../../storage/metadata/contract.js'

interface UserFacts {
  readonly userId: string
  /** Name of the user whom it is about. */
  readonly user: string
}

interface TokenFacts {
  readonly tokenId: string
  /** Name of the user whose token it is. */
  readonly user: string
  readonly label: string
}

interface Rights {
  readonly admin: boolean
  readonly groups: readonly string[]
}

interface SessionFacts {
  /** Id of the session. */
  readonly tokenId: string
  readonly user: string
  /** Id of the token that it was made of; null for one of a sign-in link. */
  readonly parentId: string | null
}

export interface AccountEvents {
  'user.added': UserFacts & Rights
  /** `admin` and `groups` are those of now. */
  'user.changed': UserFacts & Rights
  /** The tokens of the user are gone too, without an event of their own. */
  'user.removed': UserFacts
  /** Of a sign-in link too, with that label. `expiresAt`: milliseconds since 1970, or null. */
  'token.created': TokenFacts & { readonly scopes: readonly string[]; readonly expiresAt: number | null }
  /** The sessions that were made of it are ended too, without an event of their own. */
  'token.revoked': TokenFacts
  'session.created': SessionFacts & { readonly by: 'token' | 'code' }
  /**
   * `role`: null = no member any more. Members that go with their entity or user are not told of.
   */
  'member.changed': {
    /** Name of the entity. */
    readonly entity: string
    readonly kind: 'user' | 'group'
    readonly name: string
    readonly role: Role | null
  }
  /** By signing out, or by somebody who revoked it; nobody tells of one that expires. */
  'session.ended': SessionFacts
}

export type EmitAccountEvent = <Name extends keyof AccountEvents>(name: Name, facts: AccountEvents[Name]) => void
