/**
 * Publishing on a file system that makes no hard links.
 *
 * A rename replaces the file that has the name already, and nothing that Node offers forbids it.
 * But the rename of a *folder* never replaces a folder that holds something (rename(2): ENOTEMPTY,
 * or EEXIST), and never a file (ENOTDIR). So the bytes are put as `~` into a new folder beside
 * their key, and that folder is renamed to the key. That one step decides between two writers,
 * shows the blob whole or not at all, and leaves no lock behind when a process dies: only the new
 * folder, which a note in `tmp` names to the sweeper.
 */
import { constants } from 'node:fs'
import { copyFile, lstat, mkdir, open, readFile, rename, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { failure, isAbsent, systemCode } from './errors.js'
import { bytesIn, isTemporaryName, type Layout, removeTemporary, temporaryBeside, temporaryPath } from './layout.js'
import type { PublishOptions } from './publication.js'

const NOTE = '.note'

/** Errors: `exists`, `invalid-key`, and those of the system. */
export async function publishByRename({ key, source, target, layout, durability }: PublishOptions): Promise<void> {
  const fresh = temporaryBeside(dirname(target))
  const note = `${temporaryPath(layout)}${NOTE}`
  await writeFile(note, relative(layout.keys, fresh), { mode: 0o600, flag: 'wx' })
  try {
    await mkdir(fresh, { mode: 0o700 })
    const moved = await moveIn(source, { fresh, durability })
    try {
      await renameToKey(fresh, { key, target })
    } catch (error) {
      // an upload that is refused here goes on
      if (moved) await rename(bytesIn(fresh), source)
      throw error
    }
  } finally {
    // after the rename there is none
    await removeTemporary(fresh).catch(() => {})
    await removeTemporary(note).catch(() => {})
  }
}

/**
 * Errors: `invalid-key` for a key below that of a blob with a folder; below that of a file, the
 * file system refuses it.
 */
export async function assertNoBlobAbove(
  layout: Layout,
  { key, target }: { readonly key: string; readonly target: string },
): Promise<void> {
  for (let above = dirname(target); above.length > layout.keys.length; above = dirname(above)) {
    if (await isThere(bytesIn(above))) throw failure('invalid-key', 'a part of the key is a blob', { key })
  }
}

/** True when the file was moved; false when it lies on another mount and was copied. */
async function moveIn(
  source: string,
  { fresh, durability }: { readonly fresh: string } & Pick<PublishOptions, 'durability'>,
): Promise<boolean> {
  const bytes = bytesIn(fresh)
  try {
    await rename(source, bytes)
    return true
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
  }
  await copyFile(source, bytes, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  if (durability === 'none') return false
  const file = await open(bytes, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
  return false
}

async function renameToKey(
  fresh: string,
  { key, target }: { readonly key: string; readonly target: string },
): Promise<void> {
  const ours = await lstat(bytesIn(fresh), { bigint: true })
  for (let attempt = 1; ; attempt += 1) {
    // Some servers of network file systems replace more than the rule allows; what is there before
    // is safe from them.
    if (await isTaken(target)) throw failure('exists', 'the key is taken', { key })
    try {
      return await rename(fresh, target)
    } catch (error) {
      // Over NFS a rename whose answer was lost is made again, and finds itself done.
      const there = await lstat(bytesIn(target), { bigint: true }).catch(() => undefined)
      if (there !== undefined && there.ino === ours.ino && there.dev === ours.dev && !(await isThere(fresh))) return
      if (await isTaken(target)) throw failure('exists', 'the key is taken', { key, cause: error })
      // SMB renames to no folder at all, also to none that a delete has left empty.
      if (attempt === 10 || !(await removeEmpty(target))) throw error
    }
  }
}

/** A blob of either form, or a folder above keys that hold one. */
async function isTaken(target: string): Promise<boolean> {
  try {
    if (!(await lstat(target)).isDirectory()) return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
  return isThere(bytesIn(target))
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

async function removeEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder)
    return true
  } catch {
    return false
  }
}

/**
 * The folder that a note of `tmp` names, where a writer left one. undefined for what is no note.
 */
export async function notedFolder(layout: Layout, name: string): Promise<string | undefined> {
  if (!name.endsWith(NOTE)) return undefined
  const place = await readFile(join(layout.tmp, name), 'utf8')
  const segments = place.split('/')
  // never anything but such a folder, whatever the note says
  if (!isTemporaryName(segments.at(-1) ?? '') || segments.slice(0, -1).some((each) => !/^[A-Za-z0-9._-]+$/.test(each)))
    return undefined
  if (segments.includes('..')) return undefined
  return join(layout.keys, place)
}
