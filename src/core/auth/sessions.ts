/**
 * Sessions of browsers over the built-in accounts, and the one-time codes that begin them. No
 * password anywhere.
 */
import type { AccountStore, TokenRecord, UserRecord } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import type { EmitAccountEvent } from './account-events.js'
import { hashSecret, newSecret } from './secrets.js'
import { readSessionCookie } from './session-cookie.js'
import { isExpired, type TokenInfo, withoutHash } from './token-info.js'

export interface Sessions {
  /**
   * Signs a browser in, by a token or by a one-time code. A session of a token may do what the
   * token may, and ends with it. `session` is the value of the cookie, shown here once. Throws
   * `unauthorized` for a token or a code that is unknown, expired, revoked or used.
   */
  createSession(by: { readonly token: string } | { readonly code: string }): Promise<{
    readonly session: string
    readonly info: TokenInfo
  }>
  /** Ends the session whose cookie the request has. False when there was none. */
  endSession(request: LibraryRequest): Promise<boolean>
  /**
   * A code that signs the user in once, within ten minutes, on any browser. Throws `not-found` for
   * an unknown user.
   */
  createSignInCode(user: string): Promise<{ readonly code: string; readonly expiresAt: Date }>
  /** Those of one user, or all; newest first. Expired ones may be among them. */
  listSessions(user?: string): Promise<readonly TokenInfo[]>
}

/**
 * In milliseconds. A session that is used in the second half of its time lives so long from then
 * on.
 */
const sessionMs = 12 * 3_600_000
const codeMs = 600_000
/** Of one user; an earlier one ends where another one begins. */
const maxSessions = 50

/** For people: of the code, and of the session that it begins. */
const linkLabel = 'sign-in link'

/** When a session that is used now shall end; undefined = it has time enough. */
export function renewedExpiry({ kind, expiresAt }: TokenRecord, now: number): number | undefined {
  return kind === 'session' && expiresAt !== null && expiresAt - now < sessionMs / 2 ? now + sessionMs : undefined
}

export interface SessionsOptions {
  readonly store: () => Promise<AccountStore>
  readonly existingUser: (name: string) => Promise<UserRecord>
  readonly listTokens: (user: string | undefined, kind: TokenRecord['kind']) => Promise<readonly TokenInfo[]>
  readonly end: (token: TokenInfo) => Promise<boolean>
  readonly clock: () => number
  readonly generateId: () => string
  readonly emit: EmitAccountEvent
}

const notGood = (what: string): LibraryError => new LibraryError('unauthorized', `the ${what} is not valid (any more)`)

export function createSessions(options: SessionsOptions): Sessions {
  const { store, clock, generateId, emit } = options

  /** What the session is made of, as things are now. */
  const credentialOf = async (by: { readonly token: string } | { readonly code: string }) => {
    const accounts = await store()
    const found =
      'code' in by ? await accounts.takeCode(hashSecret(by.code)) : await accounts.findToken(hashSecret(by.token))
    const what = 'code' in by ? 'sign-in link' : 'access token'
    const isGood = found?.token.kind === ('code' in by ? 'code' : 'token') && !isExpired(found.token, clock())
    if (found === undefined || !isGood) throw notGood(what)
    return found
  }

  return {
    createSession: async (by) => {
      const { token: credential, user } = await credentialOf(by)
      const accounts = await store()
      const now = clock()
      const isToken = credential.kind === 'token'
      const session = newSecret('session')
      const record = await accounts
        .createToken({
          id: generateId(),
          kind: 'session',
          parentId: isToken ? credential.id : null,
          userId: user.id,
          label: credential.label,
          hash: hashSecret(session),
          scopes: credential.scopes,
          createdAt: now,
          expiresAt: Math.min(now + sessionMs, (isToken ? credential.expiresAt : null) ?? Number.POSITIVE_INFINITY),
          lastUsedAt: null,
        })
        .catch((error: unknown) => {
          // revoked, or the user removed, in this moment
          throw isMetadataError(error, 'parent-missing') ? notGood('access token') : error
        })
      await accounts.trimSessions({ userId: user.id, keep: maxSessions, now })
      const info = withoutHash({ ...record, userName: user.name })
      emit('session.created', {
        tokenId: info.id,
        user: user.name,
        parentId: info.parentId,
        by: isToken ? 'token' : 'code',
      })
      return { session, info }
    },

    endSession: async (request) => {
      const session = readSessionCookie(request)
      if (session === null) return false
      const found = await (await store()).findToken(hashSecret(session))
      if (found?.token.kind !== 'session') return false
      return options.end(withoutHash({ ...found.token, userName: found.user.name }))
    },

    createSignInCode: async (name) => {
      const user = await options.existingUser(name)
      const accounts = await store()
      const now = clock()
      const code = newSecret('code')
      const { id, label, scopes, expiresAt } = await accounts.createToken({
        ...{ id: generateId(), kind: 'code', parentId: null, userId: user.id, label: linkLabel },
        ...{ hash: hashSecret(code), scopes: [], createdAt: now, expiresAt: now + codeMs, lastUsedAt: null },
      })
      // whoever made it may act as the user: as much worth telling as a token
      emit('token.created', { tokenId: id, user: user.name, label, scopes, expiresAt })
      await accounts.trimSessions({ userId: user.id, keep: maxSessions, now })
      return { code, expiresAt: new Date(now + codeMs) }
    },

    listSessions: (user) => options.listTokens(user, 'session'),
  }
}
