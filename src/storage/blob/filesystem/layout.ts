import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { assertKey } from '../keys.js'
import { NAME } from './errors.js'

/**
 * The folders of the filesystem backend:
 *
 *     DIRECTORY/
 *       keys/blobs/sha256/ab/…   one file per blob, its path is its key; a name appears here only by a hard link to finished bytes
 *       keys/blobs/sha256/ab/…/~ the same blob where the file system makes no hard links: its key is a folder that holds the bytes as `~` (see publish-by-rename.ts)
 *       keys/…/~<uuid>/          such a folder that is being made; a note in `tmp` names it
 *       tmp/                     unfinished single puts, and notes (<uuid>.note) of what is being made below `keys`; swept by age
 *       uploads/<uploadId>/      a multipart upload: `upload.json` (key, sizes, creation), `data` (parts at their offset), `journal` (which parts count)
 *       uploads/~<uuid>/         one that is being created, completed or aborted; swept by age
 *
 * No segment of a key has a `~`, so none of these names is ever a blob's. Both forms of a blob are
 * read wherever they lie: a folder may be copied to another file system.
 */
export interface Layout {
  readonly keys: string
  readonly tmp: string
  readonly uploads: string
}

/** Name of the bytes in the folder of a blob. */
export const BYTES_NAME = '~'

const UPLOAD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function makeLayout(directory: string): Layout {
  const root = resolve(directory)
  return { keys: join(root, 'keys'), tmp: join(root, 'tmp'), uploads: join(root, 'uploads') }
}

export async function createFolders(layout: Layout): Promise<void> {
  for (const folder of Object.values(layout)) await mkdir(folder, { recursive: true, mode: 0o700 })
}

/** Errors: `invalid-key`. */
export function keyPath(layout: Layout, key: string): string {
  assertKey(key, NAME)
  return join(layout.keys, key)
}

/** undefined for an id that this backend cannot have given. */
export function uploadPath(layout: Layout, uploadId: string): string | undefined {
  return UPLOAD_ID.test(uploadId) ? join(layout.uploads, uploadId) : undefined
}

/** Where the bytes of a blob lie that has a folder. */
export function bytesIn(folder: string): string {
  return join(folder, BYTES_NAME)
}

/** A name in `tmp` that nobody has. */
export function temporaryPath(layout: Layout): string {
  return join(layout.tmp, randomUUID())
}

/** A name in this folder that nobody has, and that is neither a key's nor an upload's. */
export function temporaryBeside(folder: string): string {
  return join(folder, `~${randomUUID()}`)
}

/** Whether `temporaryBeside` gave this name. */
export function isTemporaryName(name: string): boolean {
  return name.startsWith('~') && UPLOAD_ID.test(name.slice(1))
}

/**
 * Removes a temporary file or folder, whatever became of it. FUSE and NFS keep a deleted file that
 * somebody has open under another name in its folder, until it is closed: then it is tried again.
 */
export async function removeTemporary(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
}
