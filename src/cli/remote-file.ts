/** `remote.yaml` of the Singularity and Apptainer command lines (protocol 6.4). */
import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, readFile, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Document, isMap, parseDocument } from 'yaml'
import { systemCode, systemReason, WorkError } from './failure.js'
import { writePrivateFile } from './private-file.js'

export interface RemoteEntry {
  /** What the remote is called. */
  readonly name: string
  /** URL of the registry; with a port, only this form works (protocol 6.1). */
  readonly url: string
  /** undefined: the entry carries none, for what everybody may pull. */
  readonly token: string | undefined
}

/**
 * Adds the entry to what is in the file already, and makes it active; everything else stays,
 * comments too. Throws WorkError when the text is no such file.
 */
export function mergeRemote(text: string, { name, url, token }: RemoteEntry): string {
  const document: Document = parseDocument(text)
  if (document.errors.length > 0 || (document.contents !== null && !isMap(document.contents)))
    throw new WorkError('it is no valid YAML file of remotes')
  const remotes = document.get('Remotes')
  if (remotes === undefined || remotes === null) document.set('Remotes', document.createNode({}))
  else if (!isMap(remotes)) throw new WorkError('its Remotes are not names with entries')
  document.setIn(
    ['Remotes', name],
    document.createNode({
      URI: url,
      ...(token !== undefined && { Token: token }),
      System: false,
      Exclusive: false,
      Insecure: url.startsWith('http:'),
    }),
  )
  document.set('Active', name)
  // no folding: a token is one line
  return document.toString({ lineWidth: 0 })
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

const leftAsItIs = (file: string, error: unknown): WorkError =>
  new WorkError(`${file} was left as it is: ${error instanceof WorkError ? error.message : systemReason(error)}`)

/**
 * The token of an entry that is in the file already, for the same registry; undefined where there
 * is none.
 */
export async function readRemoteToken(
  file: string,
  { name, url }: { readonly name: string; readonly url: string },
): Promise<string | undefined> {
  const document: Document = parseDocument((await readIfThere(file)) ?? '')
  if (document.errors.length > 0 || document.getIn(['Remotes', name, 'URI']) !== url) return undefined
  const token = document.getIn(['Remotes', name, 'Token'])
  return typeof token === 'string' && token !== '' ? token : undefined
}

/**
 * Throws WorkError where an entry could not be merged into the file: asked before a token is made
 * for it.
 */
export async function checkRemote(file: string): Promise<void> {
  try {
    mergeRemote((await readIfThere(file)) ?? '', { name: 'sif-library', url: 'http://localhost', token: '' })
  } catch (error) {
    throw leftAsItIs(file, error)
  }
}

/**
 * Merges the entry into a file (0600, its folder 0700 when made here); what was there is kept
 * beside it as `remote.yaml.bak`.
 */
export async function writeRemote(
  file: string,
  entry: RemoteEntry,
): Promise<{ readonly file: string; readonly backup: string | undefined }> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    const before = await readIfThere(file)
    const merged = mergeRemote(before ?? '', entry)
    // the file may be a link into somebody's dotfiles: the link stays
    const target = before === undefined ? file : await realpath(file)
    const backup = before === undefined ? undefined : `${file}.bak`
    if (backup !== undefined) {
      await copyFile(target, backup, constants.COPYFILE_FICLONE)
      await chmod(backup, 0o600)
    }
    await writePrivateFile(target, merged)
    return { file, backup }
  } catch (error) {
    throw leftAsItIs(file, error)
  }
}
