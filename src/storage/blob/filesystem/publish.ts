import { link, lstat, mkdir, open, rm, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isStorageError } from '../errors.js'
import { failure, isAbsent, systemCall, systemCode } from './errors.js'
import type { PublishOptions } from './publication.js'
import { assertNoBlobAbove, publishByRename } from './publish-by-rename.js'

/**
 * What file systems say that make no hard links (exFAT, vfat, many SMB shares), or none between two
 * folders (BeeGFS before 8, AFS) or two mounts. Other errors are those of a disk that is full,
 * broken or read-only.
 */
const NO_LINKS = new Set(['EPERM', 'EACCES', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK', 'EREMOTE'])

/**
 * Gives a finished file its key. A key that is taken is `exists`, and is never replaced: a hard
 * link does not do that; where the file system makes none, {@link publishByRename} keeps to the
 * same rule by another way.
 */
export async function publishFile(options: PublishOptions): Promise<void> {
  const { key, source, target, layout, durability } = options
  const folder = dirname(target)
  /** The lowest folder that changed. */
  let changed = folder
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      if ((await linkFile(source, target)) === 'refused') {
        await assertNoBlobAbove(layout, { key, target })
        await publishByRename(options)
        changed = target
      }
      break
    } catch (error) {
      const code = systemCode(error)
      // what was made below the blob
      if (isStorageError(error, 'invalid-key')) await removeEmptyFolders(folder, layout.keys)
      const making = systemCall(error) === 'mkdir'
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
  // The name of a new file is in its folder, the name of a new folder in the one above. Folders
  // that did not change cost nothing.
  if (durability === 'none') return
  try {
    for (let above = changed; above.length >= layout.keys.length; above = dirname(above)) await syncFolder(above)
  } catch (error) {
    // A write that fails leaves nothing readable.
    await rm(target, { recursive: true, force: true }).catch(() => {})
    throw error
  }
}

async function linkFile(source: string, target: string): Promise<'linked' | 'refused'> {
  try {
    await link(source, target)
    return 'linked'
  } catch (error) {
    if (NO_LINKS.has(systemCode(error) ?? '')) return 'refused'
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
  } catch (error) {
    // Some file systems sync files only (fsync(2): EINVAL); their names are as safe as they make
    // them.
    if (!['EINVAL', 'EBADF', 'EISDIR', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemCode(error) ?? '')) throw error
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
