/** The data folder of the standalone server: private to its user. */
import { randomBytes } from 'node:crypto'
import { constants, existsSync, statSync } from 'node:fs'
import { mkdir, open, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { systemCode, systemReason, WorkError } from './failure.js'
import { type Environment, secretVariable } from './options/resolve.js'
import type { Settings } from './options/table.js'
import { whoseFile } from './owner.js'
import { writeOnce } from './private-file.js'

export interface DataFolder {
  readonly directory: string
  readonly registryFile: string
  readonly blobs: string
  readonly secretFile: string
  readonly adminToken: string
  /** Where `serve` listens while it runs. */
  readonly serverFile: string
  /** What commands changed. */
  readonly commandLog: string
}

export function dataFolder({ data }: Pick<Settings, 'data'>): DataFolder {
  const directory = resolve(data)
  const at = (name: string): string => join(directory, name)
  return {
    directory,
    registryFile: at('registry.db'),
    blobs: at('blobs'),
    secretFile: at('secret'),
    adminToken: at('admin-token'),
    serverFile: at('server.json'),
    commandLog: at('commands.log'),
  }
}

/** Whether something that must last lies in the folder: the storage, the records or the secret. */
export function needsDataFolder({ settings, environment }: Omit<SecretOptions, 'make'>): boolean {
  const given = environment[secretVariable]
  const hasSecret = (given !== undefined && given !== '') || settings.secretFile !== undefined
  return (
    settings.storage === undefined ||
    settings.metadata === undefined ||
    !(hasSecret || settings.metadata.startsWith('postgres'))
  )
}

/**
 * Creates the folder (0700) where it is missing, and proves that files can be made in it. One that
 * exists keeps its mode.
 */
export async function prepareDataFolder({ directory }: DataFolder): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new WorkError(
      `cannot create the data folder ${directory}: ${systemReason(error)}; name another one with --data`,
    )
  }
  const probe = join(directory, `.probe-${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(probe, '', { flag: 'wx', mode: 0o600 })
    await unlink(probe)
  } catch (error) {
    throw new WorkError(
      `cannot write in the data folder ${directory}: ${systemReason(error)}; make it writable for this user, or name another one with --data`,
    )
  }
}

/**
 * For commands that work on what `serve` made: a mistyped --data must not found a second, empty
 * registry.
 */
export function requireRegistry(folder: DataFolder): void {
  try {
    statSync(folder.registryFile)
  } catch (error) {
    if (systemCode(error) === 'EACCES')
      throw new WorkError(
        `this user may not read ${folder.directory}: run the command as the user of serve (${whoseFile(folder.registryFile)})`,
      )
    throw new WorkError(
      `there is no registry in ${folder.directory}: run "sif-library serve" on it first, or name another data folder with --data`,
    )
  }
}

/** Others than the user may read or enter the folder. */
export async function isOpenToOthers({ directory }: DataFolder): Promise<boolean> {
  return ((await stat(directory)).mode & 0o077) !== 0
}

/**
 * Reads a file of the data folder, which is a plain file: a link would lead to what somebody else
 * chose.
 */
export async function readOwnFile(file: string): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      throw systemCode(error) === 'ELOOP' ? notFollowed(file, 'a link') : error
    },
  )
  try {
    if (!(await handle.stat()).isFile()) throw notFollowed(file, 'no plain file')
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

const notFollowed = (file: string, what: string): WorkError =>
  new WorkError(`${file} is ${what} and not read: put the file itself there (a secret elsewhere: --secret-file)`)

async function readSecret(file: string, read: (file: string) => Promise<string>): Promise<string> {
  const secret = (await read(file)).trim()
  if (secret === '') throw new WorkError(`the secret file ${file} is empty`)
  return secret
}

async function readOrMakeSecret(file: string): Promise<string> {
  try {
    return await readSecret(file, readOwnFile)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
  // a file that appears before its content would be read empty by another instance, or for ever
  // after a crash
  await writeOnce(file, `${randomBytes(32).toString('base64url')}\n`)
  return readSecret(file, readOwnFile)
}

export interface SecretOptions {
  readonly settings: Settings
  readonly environment: Environment
  /** Default: true; false for commands that only look. */
  readonly make?: boolean
}

/**
 * The signing secret: SIF_LIBRARY_SECRET, else --secret-file, else DATA/secret, which is made.
 * undefined where the records lie in PostgreSQL and nothing was said: several machines then share
 * the secret that the registry keeps there.
 */
export async function loadSecret(folder: DataFolder, options: SecretOptions): Promise<string | undefined> {
  const { settings, environment, make = true } = options
  const given = environment[secretVariable]
  if (given !== undefined && given !== '') return given
  try {
    // named by the operator, who may well name a link (as container platforms mount secrets)
    if (settings.secretFile !== undefined)
      return await readSecret(settings.secretFile, (file) => readFile(file, 'utf8'))
    if (settings.metadata?.startsWith('postgres') === true || (!make && !existsSync(folder.secretFile)))
      return undefined
    return await readOrMakeSecret(folder.secretFile)
  } catch (error) {
    if (error instanceof WorkError) throw error
    throw new WorkError(`cannot read the secret: ${systemReason(error)}`)
  }
}

export interface ServerRecord {
  /** URL that reaches the server from this machine; `unix:/path` for a socket. */
  readonly url: string
  readonly publicUrl: string | null
  readonly pid: number
  readonly startedAt: string
}

export async function readServerRecord({ serverFile }: DataFolder): Promise<ServerRecord | undefined> {
  try {
    return JSON.parse(await readOwnFile(serverFile)) as ServerRecord
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    if (error instanceof WorkError) throw error
    throw new WorkError(`cannot read ${serverFile}: ${systemReason(error)}`)
  }
}
