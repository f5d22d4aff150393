import type { Command } from '../command.js'
import { UsageError } from '../failure.js'
import { printJson } from '../print.js'
import { withAccounts } from '../registry.js'
import { findRegistryUrl } from '../registry-url.js'
import { signInUrl } from '../sign-in-url.js'

export const signIn: Command = {
  name: 'sign-in',
  summary: 'print a link that signs a user in to the web page of the registry, once, within ten minutes',
  options: ['user', 'url', 'publicUrl', 'json'],
  run: async ({ settings, terminal }) => {
    const { user, json } = settings
    if (user === undefined) throw new UsageError('--user is missing: who shall be signed in?')
    const url = await findRegistryUrl(settings)
    const { code, expiresAt } = await withAccounts(settings, (accounts) => accounts.createSignInCode(user))
    const link = signInUrl(url, code)
    if (json) printJson(terminal, { url: link, user, expiresAt: expiresAt.toISOString() })
    else {
      terminal.out(link)
      terminal.note(`signs ${user} in once, until ${expiresAt.toISOString()}; whoever has it is ${user}`)
    }
    return 0
  },
}
