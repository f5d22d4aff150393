import { join } from 'node:path'
import type { Command, CommandContext, Terminal } from '../command.js'
import { dataFolder, readServerRecord } from '../data-folder.js'
import { UsageError, WorkError } from '../failure.js'
import { printJson } from '../print.js'
import { withAccounts } from '../registry.js'
import { checkRemote, mergeRemote, type RemoteEntry, writeRemote } from '../remote-file.js'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const clients = ['singularity', 'apptainer'] as const
const loopback = /^(?:localhost|127\..+|\[::1\])$/

export const remote: Command = {
  name: 'remote',
  summary:
    'print the entry for this registry in remote.yaml of Singularity and Apptainer, with a fresh token; --write puts it there',
  args: [{ name: 'name', help: 'what the remote is called (default: sif-library)', optional: true }],
  options: ['user', 'url', 'publicUrl', 'write', 'expires', 'json'],
  run: runRemote,
}

/** Both clients let SINGULARITY_CONFIGDIR and APPTAINER_CONFIGDIR name another folder. */
function folderOf(client: string, { home, environment }: Terminal): string {
  return environment[`${client.toUpperCase()}_CONFIGDIR`] || join(home, `.${client}`)
}

async function runRemote({ settings, args: [name = 'sif-library'], terminal }: CommandContext): Promise<undefined> {
  const { user, expires } = settings
  if (user === undefined) throw new UsageError('--user is missing: whose token shall the entry carry?')
  if (!namePattern.test(name))
    throw new UsageError(`the name ${JSON.stringify(name)} must be of letters, digits and . _ -`)
  const record = await readServerRecord(dataFolder(settings))
  const url = settings.url ?? settings.publicUrl ?? record?.publicUrl ?? record?.url
  if (url === undefined)
    throw new WorkError('serve does not run on this data folder: say where the registry is with --url')

  const files = clients.map((client) => join(folderOf(client, terminal), 'remote.yaml'))
  if (settings.write) for (const file of files) await checkRemote(file)
  const token = await withAccounts(settings, async (accounts) => {
    const expiry = expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires * 1000) }
    return (await accounts.createToken({ user, label: `remote ${name}`, ...expiry })).token
  })
  const entry: RemoteEntry = { name, url, token }
  if (!settings.write) {
    if (settings.json) printJson(terminal, entry)
    else terminal.out(mergeRemote('', entry).trimEnd())
    if (loopback.test(new URL(url).hostname))
      terminal.note(`${url} is this machine alone: for others, give serve --public-url, or --url here`)
    return
  }
  const written = []
  for (const file of files) written.push(await writeRemote(file, entry))
  if (settings.json) printJson(terminal, { name, url, files: written })
  else
    for (const { file, backup } of written)
      terminal.out(`wrote ${file}${backup === undefined ? '' : ` (before: ${backup})`}`)
  terminal.note(`${name} is the active remote now: ${url}`)
}
