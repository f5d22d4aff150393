import type { TokenInfo } from 'sif-library'
import type { Command } from '../command.js'
import { UsageError, WorkError } from '../failure.js'
import { formatTable, formatTime, printJson } from '../print.js'
import { withAccounts } from '../registry.js'

/** A table for people. */
export function formatTokens(tokens: readonly TokenInfo[]): readonly string[] {
  return formatTable(
    tokens.map((token) => ({
      id: token.id,
      user: token.userName,
      label: token.label || '-',
      scopes: token.scopes.join(',') || 'all',
      created: formatTime(token.createdAt),
      expires: formatTime(token.expiresAt),
      'last use': formatTime(token.lastUsedAt),
    })),
  )
}

export const tokenCreate: Command = {
  name: 'token create',
  summary: 'make an access token; it is printed once, and nothing else is',
  args: [{ name: 'name', help: 'whose token it is; or --user', optional: true }],
  options: ['user', 'label', 'scope', 'expires', 'json'],
  run: ({ settings, args: [name], terminal }) => {
    const { label, scope: scopes, expires } = settings
    const user = name ?? settings.user
    if (user === undefined) throw new UsageError('the name is missing: whose token shall it be?')
    if (settings.user !== undefined && settings.user !== user)
      throw new UsageError(`${user} or ${settings.user}? --user names another one`)
    return withAccounts(settings, async (accounts) => {
      const { token, info } = await accounts.createToken({
        user,
        scopes,
        label,
        ...(expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires * 1000) }),
      })
      if (settings.json) printJson(terminal, { token, ...info })
      else terminal.out(token)
      return 0
    })
  },
}

export const tokenList: Command = {
  name: 'token list',
  summary: 'list the tokens with their last use; the tokens themselves are not kept',
  options: ['user', 'json'],
  run: ({ settings, terminal }) =>
    withAccounts(settings, async (accounts) => {
      const tokens = await accounts.listTokens(settings.user)
      if (settings.json) printJson(terminal, tokens)
      else for (const line of formatTokens(tokens)) terminal.out(line)
      return 0
    }),
}

export const tokenRevoke: Command = {
  name: 'token revoke',
  summary: 'end a token, or with --user NAME --all those of a user; they work no more from the next request on',
  args: [{ name: 'id', help: 'as token list shows it', optional: true }],
  options: ['user', 'all', 'json'],
  run: ({ settings, args: [id], terminal }) => {
    const { user, all, json } = settings
    if (id !== undefined && all) throw new UsageError('one token by its id, or all of --user: not both')
    if (id === undefined && (user === undefined || !all))
      throw new UsageError('say which: the id of a token, or --user NAME --all')
    return withAccounts(settings, async (accounts) => {
      if (id === undefined) {
        const revoked = await accounts.revokeTokens(user ?? '')
        if (json) printJson(terminal, { revoked: revoked.map((token) => token.id) })
        else for (const token of revoked) terminal.out(`revoked ${token.id}${token.label && ` (${token.label})`}`)
        if (revoked.length === 0) terminal.note(`${user} has no token`)
        return 0
      }
      if (!(await accounts.revokeToken(id))) throw new WorkError(`no such token: ${id}`)
      if (json) printJson(terminal, { revoked: [id] })
      else terminal.out(`revoked ${id}`)
      return 0
    })
  },
}
