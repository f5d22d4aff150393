/** The built-in accounts, for hosts that have none: users, groups and API tokens. */
import { randomBytes } from 'node:crypto'
import type { MetadataStore, TokenHolder, TokenRecord, UserRecord } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import { checkName } from '../model/references.js'
import type { EmitAccountEvent } from './account-events.js'
import { createMembers, type Members } from './members.js'
import { type Action, actions, bearerToken, type Grant, type Principal } from './policy.js'
import { hashSecret, newSecret } from './secrets.js'
import { readSessionCookie } from './session-cookie.js'
import { createSessions, renewedExpiry, type Sessions } from './sessions.js'
import { isExpired, type TokenInfo, withoutHash } from './token-info.js'

export interface CreateTokenOptions {
  /** Name of the user. */
  readonly user: string
  /** What it is for, for people. Default: empty. */
  readonly label?: string
  /**
   * `action` or `action:path` each, such as `pull` or `push:alice/tools`. Default: all that the
   * user may do.
   */
  readonly scopes?: readonly string[]
  /** Default: never. */
  readonly expiresAt?: Date
}

export interface Accounts extends Sessions {
  /** Who may do what in the entities of others. */
  readonly members: Members
  /**
   * The `authenticate` hook over these accounts, by the token of an `Authorization` header, else by
   * the cookie of a session. null without either, and for a session that is over; throws
   * `unauthorized` for a token that is unknown, expired or revoked.
   */
  readonly authenticate: (request: LibraryRequest) => Promise<Principal | null>
  /**
   * The `recall` hook over these accounts: null once the token or session is over, or its user
   * removed.
   */
  readonly recall: (grant: Grant) => Promise<Principal | null>
  /**
   * The name is also the user's own entity, so it keeps the grammar of names. Throws `conflict`
   * when it is taken, and without `takeOver` also when the user would come into what others left or
   * have: a removed user, an entity or a group has the name, it is the default entity, or a group
   * has the name of a user.
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
  /**
   * Changes the given members only. Throws `not-found`; `conflict` for a new group as `addUser`.
   */
  updateUser(
    name: string,
    change: { readonly admin?: boolean; readonly groups?: readonly string[]; readonly takeOver?: boolean },
  ): Promise<UserRecord>
  /**
   * With all tokens; images stay, and the name is kept for `takeOver`. False when there was none.
   */
  removeUser(name: string): Promise<boolean>
  /**
   * The token is shown here once and stored only as a hash. Throws `not-found` for an unknown user,
   * `invalid-request` for a scope that says nothing and an invalid date.
   */
  createToken(options: CreateTokenOptions): Promise<{ readonly token: string; readonly info: TokenInfo }>
  /** Of one user, or all; newest first. */
  listTokens(user?: string): Promise<readonly TokenInfo[]>
  /** What a token is, expired or not; undefined when it is none (any more). */
  findToken(token: string): Promise<TokenInfo | undefined>
  /**
   * A token with the sessions that were made of it, or one session. False when there was none. It
   * works no more from the next request on.
   */
  revokeToken(id: string): Promise<boolean>
  /**
   * Revokes all tokens of a user, who stays, ends their sessions and their sign-in links; returns
   * the tokens. Throws `not-found` for an unknown user.
   */
  revokeTokens(user: string): Promise<readonly TokenInfo[]>
}

const touchEvery = 60_000
const maxRemembered = 10_000

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

const principalOf = ({ token, user, roles }: TokenHolder): Principal => ({
  id: user.id,
  name: user.name,
  admin: user.admin,
  groups: user.groups,
  roles,
  scopes: token.scopes,
  credential: token.id,
  via: token.kind === 'session' ? 'session' : 'token',
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

/**
 * Makes accounts over a metadata store; `library.accounts` is the same thing over the library's
 * own.
 */
export function createAccounts(options: {
  readonly metadata: MetadataStore
  readonly clock?: () => number
  readonly generateId?: () => string
  readonly ready?: () => Promise<void>
  /**
   * Called with `user.added`, `user.changed`, `user.removed`, `token.created` and `token.revoked`.
   * Default: nobody is told.
   */
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

  const touch = (token: TokenRecord, now: number): void => {
    const { id } = token
    if (now - (touched.get(id) ?? 0) < touchEvery) return
    if (touched.size >= maxRemembered) touched.clear()
    touched.set(id, now)
    // the time of last use is a convenience: a request never waits for it, nor fails with it
    options.metadata.accounts.touchToken(id, now, renewedExpiry(token, now)).catch(() => touched.delete(id))
  }

  const existingUser = async (name: string): Promise<UserRecord> => {
    const user = await (await store()).findUser(name)
    if (user === undefined) throw new LibraryError('not-found', `no such user: ${name}`)
    return user
  }

  const listEveryKind = async (name: string | undefined): Promise<readonly TokenInfo[]> => {
    const accounts = await store()
    return (await accounts.listTokens(name === undefined ? undefined : (await existingUser(name)).id)).map(withoutHash)
  }
  const listKind = async (name: string | undefined, kind: TokenRecord['kind']): Promise<readonly TokenInfo[]> =>
    (await listEveryKind(name)).filter((token) => token.kind === kind)

  const revoke = async (token: TokenInfo): Promise<boolean> => {
    const removed = await (await store()).removeToken(token.id)
    if (removed && token.kind !== 'session') emit('token.revoked', tokenFacts(token))
    if (removed && token.kind === 'session')
      emit('session.ended', { tokenId: token.id, user: token.userName, parentId: token.parentId })
    return removed
  }

  /** Who a token or a session stands for, where it is one of this kind and not over. */
  const findGood = async (secret: string, kind: TokenRecord['kind']): Promise<Principal | undefined> => {
    const found = await (open ? options.metadata.accounts : await store()).findToken(hashSecret(secret))
    const now = clock()
    if (found?.token.kind !== kind || isExpired(found.token, now)) return undefined
    touch(found.token, now)
    return principalOf(found)
  }

  return {
    authenticate: async (request) => {
      const token = bearerToken(request)
      if (token === null) {
        const session = readSessionCookie(request)
        // no page can take a cookie back that no script reads: one that is over is worth as much as
        // none
        return session === null ? null : ((await findGood(session, 'session')) ?? null)
      }
      const principal = await findGood(token, 'token')
      if (principal !== undefined) return principal
      throw new LibraryError('unauthorized', 'the access token is not valid (any more): log in again', {
        headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
      })
    },
    recall: async ({ id, credential }) => {
      if (credential === undefined) return null
      const found = await (open ? options.metadata.accounts : await store()).findTokenById(credential)
      if (found === undefined || found.user.id !== id || isExpired(found.token, clock())) return null
      return found.token.kind === 'code' ? null : principalOf(found)
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
      const token = newSecret('token')
      const record = await (await store()).createToken({
        id: generateId(),
        kind: 'token',
        parentId: null,
        userId: user.id,
        label,
        hash: hashSecret(token),
        scopes,
        createdAt: clock(),
        expiresAt: expiresAt?.getTime() ?? null,
        lastUsedAt: null,
      })
      const info = withoutHash({ ...record, userName: user.name })
      emit('token.created', { ...tokenFacts(info), scopes: info.scopes, expiresAt: info.expiresAt })
      return { token, info }
    },
    members: createMembers({
      store,
      hasEntity: async (name) => (await options.metadata.entities.findByName(name)) !== undefined,
      clock,
      emit,
    }),
    ...createSessions({ store, existingUser, listTokens: listKind, end: revoke, clock, generateId, emit }),
    listTokens: (name) => listKind(name, 'token'),
    findToken: async (token) => {
      const found = await (await store()).findToken(hashSecret(token))
      return found?.token.kind !== 'token' ? undefined : withoutHash({ ...found.token, userName: found.user.name })
    },
    revokeToken: async (id) => {
      const found = await (await store()).findTokenById(id)
      return found !== undefined && revoke(withoutHash({ ...found.token, userName: found.user.name }))
    },
    revokeTokens: async (name) => {
      const revoked: TokenInfo[] = []
      // a session that ends with its token is ended by then
      for (const token of (await listEveryKind(name)).toSorted(
        (a, b) => Number(b.kind === 'token') - Number(a.kind === 'token'),
      ))
        if ((await revoke(token)) && token.kind === 'token') revoked.push(token)
      return revoked
    },
  }
}
