/**
 * Who may: the one place that turns a located resource into "go on", 401, 403 or 404.
 *
 * Denied and invisible = 404, denied and visible = 403, anonymous where a token would help = 401.
 * An anonymous pull of what is hidden or absent is 404: it has the friendliest message at the
 * command line (protocol Q45), and the same answer for both keeps the secret.
 */

import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import type { Action, AuthHooks, Principal, Resource } from './policy.js'
import { scopesAllow } from './policy.js'

/** What a locator found. */
export interface Located<R> {
  /** What the action is asked for. */
  readonly resource: Resource
  /** undefined: there is no such thing (yet). */
  readonly record: R | undefined
  /**
   * Rows that create: the record may be absent. A denied principal who may see this resource (the
   * parent; `true` = nothing is hidden by saying no) reads 403, another one 404.
   */
  readonly creates?: Resource | true
  /** The request named it by id: who may not see it must not read its path in the answer either. */
  readonly byId?: true
}

export interface AccessQuestion {
  readonly auth: AuthHooks
  readonly principal: Principal | null
  readonly request: LibraryRequest
}

/**
 * Asks the host, after the scopes of the credentials: outside them the request is judged as an
 * anonymous one.
 */
export function may(question: AccessQuestion, action: Action, resource: Resource): boolean | Promise<boolean> {
  const { auth, request } = question
  const principal =
    question.principal !== null && scopesAllow(question.principal.scopes, action, resource.path)
      ? question.principal
      : null
  if (auth.authorize === undefined) return action === 'pull' && !resource.private
  return auth.authorize({ principal, action, resource, request })
}

/** What a message calls it. */
const nameOf = ({ kind, path }: Resource): string => (kind === 'registry' ? 'the registry' : path)

const notFound = (resource?: Resource): LibraryError =>
  new LibraryError(
    'not-found',
    resource === undefined
      ? undefined
      : `no such ${resource.kind}: ${resource.path}${resource.selector === undefined ? '' : `:${resource.selector}`}`,
  )

const notLoggedIn = (action: Action, resource?: Resource): LibraryError =>
  new LibraryError('unauthorized', `log in to ${action}${resource === undefined ? '' : ` ${nameOf(resource)}`}`, {
    headers: { 'www-authenticate': 'Bearer' },
  })

/**
 * Refuses a write of somebody without credentials, where no rule of the host could allow it
 * whatever the body names. Throws `unauthorized`.
 */
export function refuseAnonymousWrite({ auth, principal }: AccessQuestion, action: Action): void {
  const asked = auth.anonymousWrites ?? auth.authorize !== undefined
  if (principal === null && action !== 'pull' && !asked) throw notLoggedIn(action)
}

async function refuse(question: AccessQuestion, action: Action, located: Located<unknown>): Promise<LibraryError> {
  const { principal } = question
  const { resource } = located
  const named = located.byId === true ? undefined : resource
  if (principal === null)
    return action === 'pull' && resource.kind !== 'registry' ? notFound(named) : notLoggedIn(action, named)
  const seen =
    resource.kind === 'registry' ? true : (located.creates ?? (located.record === undefined ? undefined : resource))
  const visible = seen === true || (seen !== undefined && action !== 'pull' && (await may(question, 'pull', seen)))
  if (!visible) return notFound(named)
  const scoped = scopesAllow(principal.scopes, action, resource.path) ? '' : ': the access token is not good for that'
  return new LibraryError('forbidden', `${principal.name} may not ${action} ${nameOf(resource)}${scoped}`)
}

/**
 * Returns the record that the action may be done to; throws `unauthorized`, `forbidden` or
 * `not-found`.
 */
export async function authorize<R>(
  question: AccessQuestion,
  action: Action,
  located: Located<R> | undefined,
): Promise<R> {
  if (located === undefined) {
    if (question.principal === null && action !== 'pull') throw notLoggedIn(action)
    throw notFound()
  }
  const absent = located.record === undefined && located.creates === undefined
  if (absent && action === 'pull') throw notFound(located.resource)
  if (!(await may(question, action, located.resource))) throw await refuse(question, action, located)
  if (absent) throw notFound(located.resource)
  return located.record as R
}
