/**
 * The hooks of a host, with a look at what they return: whatever a host in plain JavaScript returns
 * by mistake must refuse, and never allow.
 */
import type { AuthHooks, Principal, Visibility } from '../auth/policy.js'
import type { LibraryHooks } from './hooks.js'

/**
 * A fault of the host: the client reads 500, the log says which hook, and never what it returned.
 */
function wrongResult(hook: string, result: unknown, expected: string): TypeError {
  const what = result === null ? 'null' : Array.isArray(result) ? 'a list' : typeof result
  return new TypeError(
    `${hook} returned ${what === 'object' ? 'an object of another shape' : what}: expected ${expected}`,
  )
}

const isName = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isNames = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) && value.every((item) => typeof item === 'string'))

const roleNames: readonly unknown[] = ['reader', 'writer', 'maintainer']
const isRoles = (value: unknown): boolean =>
  value === undefined ||
  (typeof value === 'object' && value !== null && Object.values(value).every((role) => roleNames.includes(role)))

const isVia = (value: unknown): boolean =>
  value === undefined || value === 'token' || value === 'session' || value === 'host'

const checkPrincipal =
  (hook: string) =>
  (result: unknown): Principal | null => {
    if (result === null || result === undefined) return null
    const { id, name, groups, scopes, credential, via, roles } = result as Partial<Record<keyof Principal, unknown>>
    const isWhole = isName(id) && isName(name) && isNames(groups) && isNames(scopes) && isVia(via) && isRoles(roles)
    if (isWhole && (credential === undefined || isName(credential))) return result as Principal
    throw wrongResult(
      hook,
      result,
      "{ id: string, name: string, groups?: string[], scopes?: string[], credential?: string, via?: 'token' | 'session' | 'host', roles?: { [entity]: 'reader' | 'writer' | 'maintainer' } }, or null for anonymous",
    )
  }

const checkAuthenticated = checkPrincipal('auth.authenticate')
const checkRecalled = checkPrincipal('auth.recall')

function checkAnswer(result: unknown): boolean {
  if (typeof result === 'boolean') return result
  throw wrongResult('auth.authorize', result, 'true or false')
}

function checkVisibility(result: unknown): Visibility {
  if (result === 'all' || result === 'public') return result
  const entities = typeof result === 'object' && result !== null && 'entities' in result ? result.entities : undefined
  if (Array.isArray(entities) && isNames(entities)) return result as Visibility
  throw wrongResult('auth.visible', result, `'all', 'public' or { entities: string[] }`)
}

/** Stays synchronous where the hook is. */
function checkSettled<T>(result: unknown, check: (settled: unknown) => T): T | Promise<T> {
  const isPromise = typeof result === 'object' && result !== null && 'then' in result
  return isPromise ? Promise.resolve(result).then(check) : check(result)
}

export function checkedAuth(auth: AuthHooks): AuthHooks {
  return {
    ...(auth.authenticate && {
      authenticate: (request) => checkSettled(auth.authenticate?.(request), checkAuthenticated),
    }),
    ...(auth.authorize && { authorize: (question) => checkSettled(auth.authorize?.(question), checkAnswer) }),
    ...(auth.anonymousWrites !== undefined && { anonymousWrites: auth.anonymousWrites }),
    ...(auth.recall && { recall: (grant) => checkSettled(auth.recall?.(grant), checkRecalled) }),
    ...(auth.visible && { visible: (question) => checkSettled(auth.visible?.(question), checkVisibility) }),
  }
}

const everyHook = {
  ...{
    beforeCreate: true,
    beforePush: true,
    beforePublish: true,
    beforeTag: true,
    beforeDelete: true,
    beforePull: true,
  },
} satisfies Record<keyof LibraryHooks, true>

/** All of them: one that is not named here would never run, so the compiler asks for it. */
export const hookNames: readonly (keyof LibraryHooks)[] = Object.keys(everyHook) as (keyof LibraryHooks)[]

type Hook = (context: unknown) => unknown

/**
 * The hooks of the host, and behind them those of extensions: each may refuse, and the next is not
 * asked then. A hook refuses by throwing; one that returns false means to refuse, and would not.
 */
export function checkedHooks(...lists: readonly LibraryHooks[]): LibraryHooks {
  const checked: Record<string, Hook> = {}
  for (const name of hookNames) {
    const hooks = lists.flatMap((list) => {
      const hook = list[name] as Hook | undefined
      return hook === undefined ? [] : [(context: unknown) => hook.call(list, context)]
    })
    if (hooks.length === 0) continue
    checked[name] = async (context: unknown): Promise<void> => {
      for (const hook of hooks)
        if ((await hook(context)) === false)
          throw new TypeError(`hooks.${name} returned false: throw new LibraryError('refused', 'the reason') to refuse`)
    }
  }
  return checked as LibraryHooks
}
