/** What the built-in accounts tell of: the facts of each event, without its origin. */

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

export interface AccountEvents {
  'user.added': UserFacts & Rights
  /** `admin` and `groups` are those of now. */
  'user.changed': UserFacts & Rights
  /** The tokens of the user are gone too, without an event of their own. */
  'user.removed': UserFacts
  /** `expiresAt`: milliseconds since 1970, or null. */
  'token.created': TokenFacts & { readonly scopes: readonly string[]; readonly expiresAt: number | null }
  'token.revoked': TokenFacts
}

export type EmitAccountEvent = <Name extends keyof AccountEvents>(name: Name, facts: AccountEvents[Name]) => void
