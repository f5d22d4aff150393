import { link, lstat, mkdir, open, rmdir, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { failure, isAbsent, systemCode } from './errors.js'

/** `full`: a write that resolved survives a power failure. `none`: it survives the end of the process, and the operating system decides about the rest. */
export type Durability = 'full' | 'none'

export interface PublishOptions {
  readonly key: string
  /** The finished file, in a folder of the same file system. Its name stays; the caller removes it. */
  readonly source: string
  readonly target: string
  /** Folder above all keys. */
  readonly root: string
  readonly durability: Durability
}

/** Gives a finished file its key. A hard link never replaces what is there, as a rename would: a key that is taken is `exists`. */
export async function publishFile({ key, source, target, root, durability }: PublishOptions): Promise<void> {
  const folder = dirname(target)
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await link(source, target)
      break
    } catch (error) {
      const code = systemCode(error)
      const making = error instanceof Error && 'syscall' in error && error.syscall === 'mkdir'
      if (code === 'EEXIST' && !making) {
        // Over NFS a link whose answer was lost is made again, and finds itself (open(2), O_EXCL).
        if (await isSameFile(source, target)) break
        throw failure('exists', 'the key is taken', { key, cause: error })
      }
      if (code === 'EEXIST' || code === 'ENOTDIR')
        throw failure('invalid-key', 'a part of the key is a blob', { key, cause: error })
      // A delete beside us removes folders that it finds empty: make them again.
      if (code !== 'ENOENT' || attempt === 10) throw error
    }
  }
  // The name of a new file is in its folder, the name of a new folder in the one above. Folders that did not change cost nothing.
  if (durability === 'none') return
  try {
    for (let above = folder; above.length >= root.length; above = dirname(above)) await syncFolder(above)
  } catch (error) {
    // A write that fails leaves nothing readable.
    await unlink(target).catch(() => {})
    throw error
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  try {
    const [a, b] = await Promise.all([lstat(one, { bigint: true }), lstat(other, { bigint: true })])
    return a.ino === b.ino && a.dev === b.dev
  } catch (error) {
    // Deleted meanwhile: it was another file's name.
    if (isAbsent(error)) return false
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  let folder: Awaited<ReturnType<typeof open>>
  try {
    folder = await open(path, 'r')
  } catch (error) {
    // A delete of the blob beside us took the folder with it.
    if (isAbsent(error)) return
    throw error
  }
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Removes folders that became empty, from `folder` up to, and without, `root`. */
export async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let above = folder; above.length > root.length; above = dirname(above)) {
    try {
      await rmdir(above)
    } catch {
      // Not empty, or gone, or not ours to remove: an empty folder harms nobody.
      return
    }
  }
}
