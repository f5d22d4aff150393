import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { isValidKey } from '../keys.js'
import { isAbsent } from './errors.js'
import { BYTES_NAME, isTemporaryName } from './layout.js'

export interface ListedFile {
  readonly key: string
  readonly size: number
  readonly modifiedAt: Date
}

/**
 * Files below `root` whose key starts with `prefix`; walks only the folders that may hold one.
 * Symbolic links are not followed and not listed.
 */
export async function* listFiles(root: string, prefix: string): AsyncGenerator<ListedFile, void> {
  const named = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  if (named !== '' && !isValidKey(named.slice(0, -1))) return
  yield* walk({ root, folder: named, prefix })
}

async function* walk({
  root,
  folder,
  prefix,
}: {
  readonly root: string
  readonly folder: string
  readonly prefix: string
}): AsyncGenerator<ListedFile, void> {
  const entries = await orAbsent(opendir(join(root, folder), { bufferSize: 256 }))
  if (entries === undefined) return
  for await (const entry of entries) {
    const path = folder + entry.name
    // a blob in a folder of its own: its key is that of the folder
    const key = path.endsWith(`/${BYTES_NAME}`) ? folder.slice(0, -1) : path
    if (!key.startsWith(prefix) && !(entry.isDirectory() && prefix.startsWith(`${path}/`))) continue
    if (entry.isDirectory()) {
      if (!isTemporaryName(entry.name)) yield* walk({ root, folder: `${path}/`, prefix })
    } else if (entry.isFile() && isValidKey(key)) {
      const stat = await orAbsent(lstat(join(root, path)))
      if (stat !== undefined) yield { key, size: stat.size, modifiedAt: stat.mtime }
    }
  }
}

/** undefined when it was removed meanwhile. */
async function orAbsent<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
