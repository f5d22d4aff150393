/**
 * Who asks for a use case: a person, whom the hooks are asked about, or the operator, for whom
 * nobody is asked.
 */
import type { VisibilityFilter } from '../../storage/metadata/contract.js'
import { authorize, type Located, may } from '../auth/access.js'
import type { Action, Principal, Resource } from '../auth/policy.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import type { Services } from '../services.js'
import type { ControlAction, WithCan } from './records.js'

/** A person, with the request by which they ask. */
export interface Person {
  readonly principal: Principal | null
  readonly request: LibraryRequest
  readonly requestId?: string | undefined
}

export interface Asker {
  readonly principal: Principal | null
  /**
   * Of the person; an empty one for the operator. Hooks are told of it, and URLs are made for it.
   */
  readonly request: LibraryRequest
  readonly isOperator: boolean
  /** Who events name. undefined: nobody. */
  readonly by: Person | undefined
  may(action: Action, resource: Resource): boolean | Promise<boolean>
  /**
   * The record; throws `unauthorized`, `forbidden` or `not-found`, as the library's own routes do.
   */
  authorize<R>(action: Action, located: Located<R>): Promise<R>
  /** What lists may show. `askEachRow`: the store can't filter by it, or not by it alone. */
  visibility(): Promise<{ readonly filter: VisibilityFilter; readonly askEachRow: boolean }>
}

/** Stands for the request where there is none. */
export const noRequest: LibraryRequest = Object.freeze({
  method: 'GET',
  path: '/',
  query: '',
  headers: Object.freeze({}),
  body: Object.freeze({ kind: 'none' as const }),
})

export function personAsks({ auth }: Pick<Services, 'auth'>, person: Person): Asker {
  const { principal, request } = person
  const question = { auth, principal, request }
  return {
    principal,
    request,
    isOperator: false,
    by: person,
    may: (action, resource) => may(question, action, resource),
    authorize: (action, located) => authorize(question, action, located),
    visibility: async () => {
      if (auth.visible !== undefined)
        return {
          filter: await auth.visible({ principal, request }),
          // a token of a limited scope sees less than its user
          askEachRow: (principal?.scopes?.length ?? 0) > 0,
        }
      return auth.authorize === undefined
        ? { filter: 'public', askEachRow: false }
        : { filter: 'all', askEachRow: true }
    },
  }
}

export const operatorAsks: Asker = {
  principal: null,
  request: noRequest,
  isOperator: true,
  by: undefined,
  may: () => true,
  authorize: async (_, { record, creates, resource }) => {
    if (record === undefined && creates === undefined)
      throw new LibraryError('not-found', `no such ${resource.kind}: ${resource.path}`)
    return record as never
  },
  visibility: async () => ({ filter: 'all', askEachRow: false }),
}

const asked: readonly ControlAction[] = ['pull', 'push', 'delete', 'manage', 'admin']

/** What may be done to a thing, where the query wants to know. */
export async function canOf(
  asker: Asker,
  { with: wanted }: WithCan,
  resource: Resource,
): Promise<{ readonly can?: readonly ControlAction[] }> {
  if (wanted !== 'can') return {}
  const answers = await Promise.all(asked.map((action) => asker.may(action, resource)))
  return { can: asked.filter((_, index) => answers[index]) }
}
