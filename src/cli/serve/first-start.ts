/** The first start: the user admin, its token, and the lines to type next. */
import { type Accounts, isLibraryError } from 'sif-library'
import type { DataFolder } from '../data-folder.js'
import { quote } from '../invocation.js'
import { writePrivateFile } from '../private-file.js'

/**
 * Nobody yet, or only an `admin` without a token: a first start that crashed before it had told the
 * token to anybody.
 */
export async function isFirstStart(accounts: Accounts): Promise<boolean> {
  const users = await accounts.listUsers()
  if (users.length > 1 || (users[0] !== undefined && users[0].name !== 'admin')) return false
  return (await accounts.listTokens()).length === 0
}

/**
 * Makes the user `admin` with a token in DATA/admin-token where there is nobody yet. True when it
 * did.
 */
export async function createAdmin(accounts: Accounts, { adminToken }: DataFolder): Promise<boolean> {
  if (!(await isFirstStart(accounts))) return false
  try {
    // admins may do everything anyway; after `reindex` of a lost database the entity admin is there
    // before the user
    await accounts.addUser({ name: 'admin', admin: true, takeOver: true })
  } catch (error) {
    // instances that start together: each gets a token for its own data folder
    if (!isLibraryError(error, 'conflict')) throw error
  }
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
  /** Signs the admin in to the web page, once. */
  readonly signIn: string
}

/**
 * Lines that work as they stand. The clients' own `remote add` fails for a URL with a port
 * (protocol 6.1), so there `sif-library remote --write` makes the entry.
 */
export function nextLines({ url, command, tokenFile, signIn }: NextLinesOptions): readonly string[] {
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
  const entry = [
    'Make this registry the default of Singularity and Apptainer:',
    '',
    `  ${command('remote --user admin --write')}`,
    '',
  ]
  const clients = ['singularity', 'apptainer'] as const
  return [
    '',
    `The user admin was created; its token is in ${tokenFile}.`,
    'Sign in to the web page as admin, once and within ten minutes:',
    '',
    `  ${signIn}`,
    '',
    ...(port === '' ? [] : entry),
    ...clients.flatMap((client) => [
      `${client === 'singularity' ? 'Singularity' : 'Apptainer'}:`,
      '',
      ...(port === '' ? login(client) : []),
      ...use(client),
      '',
    ]),
    'Another user, a token for them, and a link to sign in with:',
    '',
    `  ${command('user add alice')}`,
    `  ${command('token create alice')}`,
    `  ${command('sign-in --user alice')}`,
  ]
}
