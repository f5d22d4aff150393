/** Private files (0600): written whole or not at all. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, mkdir, open, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { systemCode } from './failure.js'

/** Writes a private file under a name of its own, in the folder of `file`. */
async function writeAside(file: string, content: string): Promise<string> {
  const fresh = join(dirname(file), `.${randomBytes(6).toString('hex')}.new`)
  const handle = await open(fresh, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  return fresh
}

/** Writes a private file whole or not at all. */
export async function writePrivateFile(file: string, content: string): Promise<void> {
  await rename(await writeAside(file, content), file)
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/**
 * Writes a file (0600) that is not there yet; where another process was first, its content stays.
 * Throws errors of the system.
 */
export async function writeOnce(file: string, content: string): Promise<void> {
  const fresh = await writeAside(file, content)
  try {
    await link(fresh, file)
  } catch (error) {
    // another process made it in this moment: then that one counts
    if (systemCode(error) === 'EEXIST') return
    if (['ENOENT', 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes(systemCode(error) ?? '')) throw error
    await writeWithoutLinks(file, content)
  } finally {
    await unlink(fresh)
  }
}

/**
 * Where the file system makes no hard links. A rename would replace the file of another process,
 * but that of a folder never replaces one that holds something (rename(2)): so a folder beside the
 * file, with the content in it, is the lock. It says what the file must hold, so that whoever finds
 * it after a crash ends the work of the one who made it. Only who holds the lock, and sees no file
 * then, may write content of their own.
 */
async function writeWithoutLinks(file: string, content: string): Promise<void> {
  const lock = `${file}.new`
  const name = basename(file)
  const ours = join(dirname(file), `.${randomBytes(6).toString('hex')}.new`)
  try {
    await mkdir(ours, { mode: 0o700 })
    await writeFile(join(ours, name), content, { mode: 0o600, flag: 'wx', flush: true })
    for (let attempt = 1; (await readIfThere(file)) === undefined; attempt += 1) {
      const holds = await rename(ours, lock).then(
        () => true,
        (error: unknown) => error,
      )
      const decided = await readIfThere(join(lock, name))
      if (decided === undefined) {
        // another one ended the work, unless the file system refuses this too
        if (holds !== true && attempt === 10) throw holds
        continue
      }
      if ((await readIfThere(file)) === undefined) await writePrivateFile(file, decided)
      await rm(lock, { recursive: true, force: true })
    }
  } finally {
    await rm(ours, { recursive: true, force: true })
  }
}
