import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { assertKey } from '../keys.js'
import { NAME } from './errors.js'

/**
 * The folders of the filesystem backend, all on one file system:
 *
 *     DIRECTORY/
 *       keys/blobs/sha256/ab/…   one file per blob, its path is its key; a name appears here only by a hard link to finished bytes
 *       tmp/                     unfinished single puts; uploads that are being created, completed or aborted; swept by age
 *       uploads/<uploadId>/      a multipart upload: `upload.json` (key, sizes, creation), `data` (parts at their offset), `journal` (which parts count)
 */
export interface Layout {
  readonly keys: string
  readonly tmp: string
  readonly uploads: string
}

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

/** A name in `tmp` that nobody has. */
export function temporaryPath(layout: Layout): string {
  return join(layout.tmp, randomUUID())
}

/** Removes a file or a folder of `tmp`, whatever became of it. */
export async function removeTemporary(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
}
