/** The first start: the user admin, its token, and the lines to type next. */
import type { Accounts } from 'sif-library'
import { type DataFolder, writePrivateFile } from './data-folder.js'
import { quote } from './invocation.js'

/** Makes the user `admin` with a token in DATA/admin-token where there is no user yet. True when it did. */
export async function createAdmin(accounts: Accounts, { adminToken }: DataFolder): Promise<boolean> {
  if ((await accounts.listUsers()).length > 0) return false
  await accounts.addUser({ name: 'admin', admin: true })
  const { token } = await accounts.createToken({ user: 'admin', label: 'first start' })
  await writePrivateFile(adminToken, `${token}\n`)
  return true
}

export interface NextLinesOptions {
  /** URL that clients reach the registry at. */
  readonly url: string
  /** How to call this program, with the options that find this registry. */
  readonly command: (words: string) => string
  readonly tokenFile: string
}

/**
 * Lines that work as they stand. The clients' own `remote add` fails for a URL with a port (protocol 6.1), so there `sif-library remote --write` makes the entry.
 */
export function nextLines({ url, command, tokenFile }: NextLinesOptions): readonly string[] {
  const { port, protocol, host, pathname } = new URL(url)
  const login = (client: string): readonly string[] => {
    const insecure = protocol === 'http:' ? '--insecure ' : ''
    return [
      `  ${client} remote add --no-login ${insecure}sif-library ${host}${pathname === '/' ? '' : pathname}`,
      `  ${client} remote login --tokenfile ${quote(tokenFile)} sif-library`,
      `  ${client} remote use sif-library`,
    ]
  }
  const use = (client: string): readonly string[] => [
    `  ${client} push -U image.sif library://admin/demo/hello:1.0`,
    `  ${client} pull hello.sif library://admin/demo/hello:1.0`,
  ]
  const entry = ['Make this registry the default of Singularity and Apptainer:', '', `  ${command('remote --user admin --write')}`, '']
  const clients = ['singularity', 'apptainer'] as const
  return [
    '',
    `The user admin was created; its token is in ${tokenFile}.`,
    ...(port === '' ? [] : entry),
    ...clients.flatMap((client) => [
      `${client === 'singularity' ? 'Singularity' : 'Apptainer'}:`,
      '',
      ...(port === '' ? login(client) : []),
      ...use(client),
      '',
    ]),
    'Another user, and a token for them:',
    '',
    `  ${command('user add alice')}`,
    `  ${command('token create --user alice')}`,
  ]
}
