import type { Command } from '../command.js'
import { UsageError, WorkError } from '../failure.js'
import { formatTable, formatTime, printJson } from '../print.js'
import { withAccounts } from '../registry.js'

export const tokenCreate: Command = {
  name: 'token create',
  summary: 'make an access token; it is printed once, and nothing else is',
  options: ['user', 'label', 'scope', 'expires'],
  run: ({ settings, terminal }) => {
    const { user, label, scope: scopes, expires } = settings
    if (user === undefined) throw new UsageError('--user is missing: whose token shall it be?')
    return withAccounts(settings, async (accounts) => {
      const { token } = await accounts.createToken({
        user,
        scopes,
        ...(label === undefined ? {} : { label }),
        ...(expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires * 1000) }),
      })
      terminal.out(token)
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
      const rows = tokens.map((token) => ({
        id: token.id,
        user: token.userName,
        label: token.label || '-',
        scopes: token.scopes.join(',') || 'all',
        created: formatTime(token.createdAt),
        expires: formatTime(token.expiresAt),
        'last use': formatTime(token.lastUsedAt),
      }))
      if (settings.json) printJson(terminal, tokens)
      else for (const line of formatTable(rows)) terminal.out(line)
      return 0
    }),
}

export const tokenRevoke: Command = {
  name: 'token revoke',
  summary: 'end a token; it works no more from the next request on',
  args: [{ name: 'id', help: 'as token list shows it' }],
  options: [],
  run: ({ settings, args: [id = ''], terminal }) =>
    withAccounts(settings, async (accounts) => {
      if (!(await accounts.revokeToken(id))) throw new WorkError(`no such token: ${id}`)
      terminal.out(`revoked ${id}`)
      return 0
    }),
}
