/** The built-in accounts, for hosts that have none: users, groups and API tokens. */
import { hash, randomBytes } from 'node:crypto'
import type { MetadataStore, TokenRecord, UserRecord } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import { checkName } from '../model/references.js'
import type { EmitAccountEvent } from './account-events.js'
import { type Action, actions, bearerToken, type Grant, type Principal } from './policy.js'

/** A token without its hash. */
export type TokenInfo = Omit<TokenRecord, 'hash'> & { readonly userName: string }

export interface CreateTokenOptions {
  /** Name of the user. */
  readonly user: string
  /** What it is for, for people. Default: empty. */
  readonly label?: string
  /** `action` or `action:path` each, such as `pull` or `push:alice/tools`. Default: all that the user may do. */
  readonly scopes?: readonly string[]
  /** Default: never. */
  readonly expiresAt?: Date
}

export interface Accounts {
  /** The `authenticate` hook over these accounts: null without a token; throws `unauthorized` for one that is unknown, expired or revoked. */
  readonly authenticate: (request: LibraryRequest) => Promise<Principal | null>
  /** The `recall` hook over these accounts: null once the token is revoked or expired, or its user removed. */
  readonly recall: (grant: Grant) => Promise<Principal | null>
  /**
   * The name is also the user's own entity, so it keeps the grammar of names. Throws `conflict` when it is taken, and
   * without `takeOver` also when the user would come into what others left or have: a removed user, an entity or a
   * group has the name, it is the default entity, or a group has the name of a user.
   */
  addUser(user: {
    readonly name: string
    readonly admin?: boolean
    readonly groups?: readonly string[]
    /** What is there under the name and the groups is meant for this user. Default: false. */
    readonly takeOver?: boolean
  }): Promise<UserRecord>
  findUser(name: string): Promise<UserRecord | undefined>
  listUsers(): Promise<readonly UserRecord[]>
  /** Changes the given members only. Throws `not-found`; `conflict` for a new group as `addUser`. */
  updateUser(
    name: string,
    change: { readonly admin?: boolean; readonly groups?: readonly string[]; readonly takeOver?: boolean },
  ): Promise<UserRecord>
  /** With all tokens; images stay, and the name is kept for `takeOver`. False when there was none. */
  removeUser(name: string): Promise<boolean>
  /** The token is shown here once and stored only as a hash. Throws `not-found` for an unknown user, `invalid-request` for a scope that says nothing and an invalid date. */
  createToken(options: CreateTokenOptions): Promise<{ readonly token: string; readonly info: TokenInfo }>
  /** Of one user, or all; newest first. */
  listTokens(user?: string): Promise<readonly TokenInfo[]>
  /** What a token is, expired or not; undefined when it is none (any more). */
  findToken(token: string): Promise<TokenInfo | undefined>
  /** False when there was none. It works no more from the next request on. */
  revokeToken(id: string): Promise<boolean>
  /** Revokes all tokens of a user, who stays; returns those that it ended. Throws `not-found` for an unknown user. */
  revokeTokens(user: string): Promise<readonly TokenInfo[]>
}

// `remote login --tokenfile` refuses tokens under 200 characters (protocol 6.3); 153 bytes give 204
const tokenBytes = 153
const touchEvery = 60_000
const maxRemembered = 10_000

/** 1,224 random bits cannot be guessed, so one fast hash is enough at rest, and looking it up by index reveals nothing of the token. */
const hashToken = (token: string): string => hash('sha256', token)

function checkScope(scope: string): string {
  const colon = scope.indexOf(':')
  const action = colon < 0 ? scope : scope.slice(0, colon)
  if (!actions.includes(action as Action))
    throw new LibraryError(
      'invalid-request',
      `scope: ${JSON.stringify(scope)} does not start with one of ${actions.join(', ')}`,
    )
  const parts = colon < 0 ? [] : scope.slice(colon + 1).split('/')
  if (parts.length > 3)
    throw new LibraryError(
      'invalid-request',
      `scope: ${JSON.stringify(scope)} names more than entity/collection/container`,
    )
  for (const part of parts) checkName('scope', part)
  return scope
}

const userFacts = ({ id, name, admin, groups }: UserRecord) => ({ userId: id, user: name, admin, groups })
const tokenFacts = ({ id, userName, label }: TokenInfo) => ({ tokenId: id, user: userName, label })
const isExpired = ({ expiresAt }: TokenRecord, now: number): boolean => expiresAt !== null && expiresAt <= now

const principalOf = ({ token, user }: { readonly token: TokenRecord; readonly user: UserRecord }): Principal => ({
  id: user.id,
  name: user.name,
  admin: user.admin,
  groups: user.groups,
  scopes: token.scopes,
  credential: token.id,
})

/** Names the one act that gives it away. */
const notGivenAway = (reason: string, cause?: unknown): LibraryError =>
  new LibraryError(
    'conflict',
    `${reason}: if what is there is meant for this user, say so (--take-over, or takeOver: true)`,
    { cause },
  )

const asConflict = (error: unknown): unknown =>
  isMetadataError(error, 'name-held') ? notGivenAway(error.message, error) : error

const withoutHash = ({ hash: _, ...info }: TokenRecord & { readonly userName: string }): TokenInfo => info

/** Makes accounts over a metadata store; `library.accounts` is the same thing over the library's own. */
export function createAccounts(options: {
  readonly metadata: MetadataStore
  readonly clock?: () => number
  readonly generateId?: () => string
  readonly ready?: () => Promise<void>
  /** Called with `user.added`, `user.changed`, `user.removed`, `token.created` and `token.revoked`. Default: nobody is told. */
  readonly emit?: EmitAccountEvent
  /** As the option of the library. Default: `library`. */
  readonly defaultEntity?: string
}): Accounts {
  const { defaultEntity = 'library' } = options
  const clock = options.clock ?? Date.now
  const emit: EmitAccountEvent = options.emit ?? (() => {})
  const generateId = options.generateId ?? (() => randomBytes(12).toString('hex'))
  let prepared: Promise<void> | undefined
  let open = false
  const store = async () => {
    prepared ??= (options.ready ?? (() => options.metadata.ready()))().catch((error: unknown) => {
      // the next call tries again
      prepared = undefined
      throw error
    })
    await prepared
    open = true
    return options.metadata.accounts
  }
  /** When the use of a token was last written, so that a busy one costs a write a minute. */
  const touched = new Map<string, number>()

  const touch = (id: string, now: number): void => {
    if (now - (touched.get(id) ?? 0) < touchEvery) return
    if (touched.size >= maxRemembered) touched.clear()
    touched.set(id, now)
    // the time of last use is a convenience: a request never waits for it, nor fails with it
    options.metadata.accounts.touchToken(id, now).catch(() => touched.delete(id))
  }

  const existingUser = async (name: string): Promise<UserRecord> => {
    const user = await (await store()).findUser(name)
    if (user === undefined) throw new LibraryError('not-found', `no such user: ${name}`)
    return user
  }

  const listTokens: Accounts['listTokens'] = async (name) => {
    const accounts = await store()
    return (await accounts.listTokens(name === undefined ? undefined : (await existingUser(name)).id)).map(withoutHash)
  }

  const revoke = async (token: TokenInfo): Promise<boolean> => {
    const removed = await (await store()).removeToken(token.id)
    if (removed) emit('token.revoked', tokenFacts(token))
    return removed
  }

  return {
    authenticate: async (request) => {
      const token = bearerToken(request)
      if (token === null) return null
      const found = await (open ? options.metadata.accounts : await store()).findToken(hashToken(token))
      const now = clock()
      if (found === undefined || isExpired(found.token, now)) {
        throw new LibraryError('unauthorized', 'the access token is not valid (any more): log in again', {
          headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
        })
      }
      touch(found.token.id, now)
      return principalOf(found)
    },
    recall: async ({ id, credential }) => {
      if (credential === undefined) return null
      const found = await (open ? options.metadata.accounts : await store()).findTokenById(credential)
      if (found === undefined || found.user.id !== id || isExpired(found.token, clock())) return null
      return principalOf(found)
    },
    addUser: async ({ name, admin = false, groups = [], takeOver = false }) => {
      checkName('name', name)
      for (const group of groups) checkName('group', group)
      if (name === defaultEntity && !takeOver) throw notGivenAway(`${name} is the entity of references without one`)
      const user = { id: generateId(), name, admin, groups, createdAt: clock() }
      const made = await (await store()).createUser(user, { takeOver }).catch((error: unknown) => {
        throw isMetadataError(error, 'exists')
          ? new LibraryError('conflict', `there is a user ${name} already`, { cause: error })
          : asConflict(error)
      })
      emit('user.added', userFacts(made))
      return made
    },
    findUser: async (name) => (await store()).findUser(name),
    listUsers: async () => (await store()).listUsers(),
    updateUser: async (name, change) => {
      for (const group of change.groups ?? []) checkName('group', group)
      const { id } = await existingUser(name)
      const updated = await (await store()).updateUser(id, change).catch((error: unknown) => {
        throw asConflict(error)
      })
      if (updated === undefined) throw new LibraryError('not-found', `no such user: ${name}`)
      emit('user.changed', userFacts(updated))
      return updated
    },
    removeUser: async (name) => {
      const accounts = await store()
      const user = await accounts.findUser(name)
      if (user === undefined || !(await accounts.removeUser(name))) return false
      emit('user.removed', { userId: user.id, user: name })
      return true
    },
    createToken: async ({ user: name, label = '', scopes = [], expiresAt }) => {
      for (const scope of scopes) checkScope(scope)
      // stored as no expiry at all, an invalid date would make a token that never expires
      if (expiresAt !== undefined && Number.isNaN(expiresAt.getTime()))
        throw new LibraryError('invalid-request', 'expiresAt: is no date')
      const user = await existingUser(name)
      const token = `sif_${randomBytes(tokenBytes).toString('base64url')}`
      const record = await (await store()).createToken({
        id: generateId(),
        userId: user.id,
        label,
        hash: hashToken(token),
        scopes,
        createdAt: clock(),
        expiresAt: expiresAt?.getTime() ?? null,
        lastUsedAt: null,
      })
      const info = withoutHash({ ...record, userName: user.name })
      emit('token.created', { ...tokenFacts(info), scopes: info.scopes, expiresAt: info.expiresAt })
      return { token, info }
    },
    listTokens,
    findToken: async (token) => {
      const found = await (await store()).findToken(hashToken(token))
      return found === undefined ? undefined : withoutHash({ ...found.token, userName: found.user.name })
    },
    revokeToken: async (id) => {
      const token = (await listTokens()).find((each) => each.id === id)
      return token !== undefined && revoke(token)
    },
    revokeTokens: async (name) => {
      const revoked: TokenInfo[] = []
      for (const token of await listTokens(name)) if (await revoke(token)) revoked.push(token)
      return revoked
    },
  }
}
