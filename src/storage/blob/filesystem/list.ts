import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { isValidKey } from '../keys.js'
import { isAbsent } from './errors.js'

export interface ListedFile {
  readonly key: string
  readonly size: number
  readonly modifiedAt: Date
}

/** Files below `root` whose key starts with `prefix`; walks only the folders that may hold one. Symbolic links are not followed and not listed. */
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
    const key = folder + entry.name
    if (!key.startsWith(prefix)) continue
    if (entry.isDirectory()) {
      yield* walk({ root, folder: `${key}/`, prefix })
    } else if (entry.isFile() && isValidKey(key)) {
      const stat = await orAbsent(lstat(join(root, key)))
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
