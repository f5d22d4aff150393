import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Accounts } from 'sif-library'
import type { Command, CommandContext, Terminal } from '../command.js'
import { UsageError } from '../failure.js'
import { printJson } from '../print.js'
import { withAccounts } from '../registry.js'
import { findRegistryUrl } from '../registry-url.js'
import { checkRemote, mergeRemote, type RemoteEntry, readRemoteToken, writeRemote } from '../remote-file.js'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const clients = ['singularity', 'apptainer'] as const
const loopback = /^(?:localhost|127\..+|\[::1\])$/

export const remote: Command = {
  name: 'remote',
  summary:
    'print the entry for this registry in remote.yaml of Singularity and Apptainer; --write puts it there, with a token of --user',
  args: [{ name: 'name', help: 'what the remote is called (default: sif-library)', optional: true }],
  options: ['user', 'url', 'publicUrl', 'write', 'withToken', 'label', 'expires', 'json'],
  run: runRemote,
}

/** Both clients let SINGULARITY_CONFIGDIR and APPTAINER_CONFIGDIR name another folder. */
function folderOf(client: string, { home, environment }: Terminal): string {
  return environment[`${client.toUpperCase()}_CONFIGDIR`] || join(home, `.${client}`)
}

interface Wanted {
  readonly user: string
  readonly label: string
  readonly expires: number | undefined
  /** Tokens that are in place already. */
  readonly present: readonly string[]
}

/**
 * A token that is in place and good; otherwise a fresh one, and those that were made with its label
 * before are revoked.
 */
async function keepOrMakeToken(
  accounts: Accounts,
  { user, label, expires, present }: Wanted,
): Promise<{ readonly token: string; readonly note: string }> {
  // one that shall end at another time than the one in place is another one
  if (expires === undefined)
    for (const token of present) {
      const info = await accounts.findToken(token)
      const isGood = info?.userName === user && info.scopes.length === 0
      if (isGood && (info.expiresAt === null || info.expiresAt > Date.now()))
        return { token, note: `kept the token that was there (${info.id})` }
    }
  const before = (await accounts.listTokens(user)).filter((token) => token.label === label)
  const expiry = expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires * 1000) }
  const { token, info } = await accounts.createToken({ user, label, ...expiry })
  for (const { id } of before) await accounts.revokeToken(id)
  const place = before.length === 0 ? '' : `, in the place of ${before.map(({ id }) => id).join(', ')}, revoked now`
  return { token, note: `made the token ${info.id} with the label ${JSON.stringify(label)}${place}` }
}

async function runRemote({ settings, args: [name = 'sif-library'], terminal }: CommandContext): Promise<undefined> {
  const { user, expires, write, withToken, json } = settings
  if ((write || withToken) && user === undefined)
    throw new UsageError('--user is missing: whose token shall the entry carry?')
  if (!namePattern.test(name))
    throw new UsageError(`the name ${JSON.stringify(name)} must be of letters, digits and . _ -`)
  const url = await findRegistryUrl(settings)
  if (!write) {
    // handed on to somebody: another label than that of any file
    const label = `remote ${name}: ${settings.label ?? 'printed'}`
    const made =
      withToken && user !== undefined
        ? await withAccounts(settings, (accounts) => keepOrMakeToken(accounts, { user, label, expires, present: [] }))
        : undefined
    const entry: RemoteEntry = { name, url, token: made?.token }
    if (json) printJson(terminal, entry)
    else terminal.out(mergeRemote('', entry).trimEnd())
    terminal.note(
      made?.note ?? 'without a token: --with-token --user NAME makes one, --write one for the files of this user',
    )
    if (loopback.test(new URL(url).hostname))
      terminal.note(`${url} is this machine alone: for others, give serve --public-url, or --url here`)
    return
  }
  const files = clients.map((client) => join(folderOf(client, terminal), 'remote.yaml'))
  for (const file of files) await checkRemote(file)
  const present = (await Promise.all(files.map((file) => readRemoteToken(file, { name, url })))).filter(
    (token) => token !== undefined,
  )
  // of this machine and user alone: the same command elsewhere must not end this login
  const label = `remote ${name}: ${settings.label ?? `${hostname()}:${terminal.home}`}`
  const { token, note } = await withAccounts(settings, (accounts) =>
    keepOrMakeToken(accounts, { user: user ?? '', label, expires, present }),
  )
  const written = []
  for (const file of files) written.push(await writeRemote(file, { name, url, token }))
  if (json) printJson(terminal, { name, url, files: written })
  else
    for (const { file, backup } of written)
      terminal.out(`wrote ${file}${backup === undefined ? '' : ` (before: ${backup})`}`)
  terminal.note(note)
  terminal.note(`${name} is the active remote now: ${url}`)
}
