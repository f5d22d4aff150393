/** Access tokens of the built-in accounts: one's own, and with `admin` those of others. */
import { z } from 'zod'
import { registryResource } from '../auth/resources.js'
import type { TokenInfo } from '../auth/token-info.js'
import { LibraryError } from '../http/errors.js'
import { date, dateOrNull, type UseCase } from './context.js'
import type { NewToken } from './control.js'
import { read, type Shape, text } from './input.js'
import type { AccessToken, NewAccessToken } from './records.js'

export const tokensQuery: Shape<{ user?: string }> = {
  user: text(255).optional().describe('whose; default: your own'),
}

export const newToken: Shape<NewToken> = {
  user: text(255).optional().describe('whose; default: your own'),
  label: text(100).optional().describe('what it is for'),
  scopes: z.array(text(800)).max(100).optional().describe('action or action:path each; default: all you may do'),
  expiresAt: z.iso.datetime({ offset: true }).optional().describe('default: never'),
}

/** Of one user: a script that makes one with each run must not fill the database. */
const maxTokens = 1000

function tokenOf(info: TokenInfo): AccessToken {
  return {
    id: info.id,
    user: info.userName,
    label: info.label,
    scopes: info.scopes,
    createdAt: date(info.createdAt),
    expiresAt: dateOrNull(info.expiresAt),
    lastUsedAt: dateOrNull(info.lastUsedAt),
  }
}

/**
 * Name of the user whose tokens are meant, once that may be asked for. `isOwn`: who asks is that
 * user.
 */
async function whose(
  { asker, accounts }: UseCase,
  user: string | undefined,
): Promise<{ readonly name: string; readonly isOwn: boolean }> {
  const { principal, isOperator } = asker
  if (isOperator) {
    if (user === undefined) throw new LibraryError('invalid-request', 'user: is missing', { field: 'user' })
    return { name: user, isOwn: false }
  }
  if (principal === null)
    throw new LibraryError('unauthorized', 'log in to see your access tokens', {
      headers: { 'www-authenticate': 'Bearer' },
    })
  const name = user ?? principal.name
  // a host may have users of its own, whose names say nothing about ours
  const isOwn = name === principal.name && (await accounts.findUser(name))?.id === principal.id
  if (!isOwn && user === undefined)
    throw new LibraryError('not-offered', 'your access tokens are not made here: ask whoever runs this site')
  if (!isOwn) await asker.authorize('admin', { resource: registryResource, record: true })
  return { name, isOwn }
}

export async function listTokens(
  useCase: UseCase,
  given?: { readonly user?: string },
): Promise<readonly AccessToken[]> {
  const { user } = read<{ user?: string }>(tokensQuery, given)
  const { name } = await whose(useCase, user)
  const { principal } = useCase.asker
  const tokens = await useCase.accounts.listTokens(name)
  // a token that may do less than its user knows of itself alone
  const isLimited = (principal?.scopes?.length ?? 0) > 0 && !(await mayAdminister(useCase))
  return tokens.filter(({ id }) => !isLimited || id === principal?.credential).map(tokenOf)
}

const mayAdminister = async ({ asker }: UseCase): Promise<boolean> =>
  asker.principal !== null && (await asker.may('admin', registryResource))

/** Whether `scope` allows nothing that none of `granted` allows. */
function isWithin(granted: readonly string[], scope: string): boolean {
  const [action = '', path = ''] = scope.split(':')
  return granted.some((each) => {
    const [grantedAction = '', below = ''] = each.split(':')
    return (
      (grantedAction === action || grantedAction === 'admin') &&
      (below === '' || path === below || path.startsWith(`${below}/`))
    )
  })
}

/** With a token one makes no token that can do more, or that lives longer. */
async function assertNotWider(
  { services, asker }: UseCase,
  { scopes, expiresAt }: { readonly scopes: readonly string[]; readonly expiresAt: number | undefined },
): Promise<void> {
  const { principal } = asker
  const granted = principal?.scopes ?? []
  const wider = granted.length === 0 ? undefined : scopes.find((scope) => !isWithin(granted, scope))
  if (wider !== undefined || (granted.length > 0 && scopes.length === 0))
    throw new LibraryError('forbidden', `scopes: your own token is only good for ${granted.join(', ')}`, {
      field: 'scopes',
    })
  if (principal?.credential === undefined) return
  const { accounts } = services.metadata
  const used = (await accounts.findTokenById(principal.credential))?.token
  // a session ends by itself after some hours; it stands for the token that began it, or for a
  // one-time code
  const counts =
    used?.kind !== 'session'
      ? used
      : used.parentId === null
        ? undefined
        : (await accounts.findTokenById(used.parentId))?.token
  const end = counts?.expiresAt ?? null
  if (end !== null && (expiresAt === undefined || expiresAt > end))
    throw new LibraryError('forbidden', `expiresAt: your own token ends at ${date(end)}, and one made with it before`, {
      field: 'expiresAt',
    })
}

export async function createToken(useCase: UseCase, given: NewToken): Promise<NewAccessToken> {
  const { user, label = '', scopes = [], expiresAt } = read<NewToken>(newToken, given)
  const { name } = await whose(useCase, user)
  const ends = expiresAt === undefined ? undefined : Date.parse(expiresAt)
  if (ends !== undefined && ends <= useCase.services.settings.clock())
    throw new LibraryError('invalid-request', 'expiresAt: is over already', { field: 'expiresAt' })
  await assertNotWider(useCase, { scopes, expiresAt: ends })
  if ((await useCase.accounts.listTokens(name)).length >= maxTokens)
    throw new LibraryError('too-many', `${name} has ${maxTokens} access tokens: revoke some first`)
  const { token, info } = await useCase.accounts.createToken({
    user: name,
    label,
    scopes,
    ...(ends !== undefined && { expiresAt: new Date(ends) }),
  })
  return { ...tokenOf(info), token }
}

export async function revokeToken(useCase: UseCase, id: string): Promise<void> {
  const { asker, accounts } = useCase
  const unknown = new LibraryError('not-found', 'no such access token')
  if (!asker.isOperator) {
    const isAdmin = await mayAdminister(useCase)
    const own = isAdmin ? undefined : (await listTokens(useCase)).find((token) => token.id === id)
    if (!isAdmin && own === undefined) throw unknown
  }
  if (!(await accounts.revokeToken(id))) throw unknown
}
