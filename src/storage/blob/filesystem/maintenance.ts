import { lstat, mkdir, readdir, readFile, rename, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf, textIn } from '../../../foreign.js'
import type { StorageCheck } from '../contract.js'
import { isStorageError } from '../errors.js'
import { failure, isAbsent, systemCall, systemCode } from './errors.js'
import {
  bytesIn,
  createFolders,
  isTemporaryName,
  type Layout,
  removeTemporary,
  temporaryBeside,
  temporaryPath,
} from './layout.js'
import { publishFile } from './publish.js'
import { notedFolder } from './publish-by-rename.js'
import { readManifest } from './upload-folder.js'

/**
 * Removes what crashed writes left in `tmp` and among the uploads, and uploads whose manifest is
 * lost, when they were last touched before `olderThan`; returns how many. The first failure is
 * thrown at the end.
 */
export async function sweepTemporary(layout: Layout, olderThan: Date): Promise<number> {
  let swept = 0
  let failed: { readonly error: unknown } | undefined
  /** The others need not wait for what keeps one. */
  const attempt = async (sweepOne: () => Promise<number>): Promise<void> => {
    try {
      swept += await sweepOne()
    } catch (error) {
      failed ??= { error }
    }
  }
  for (const name of await readdir(layout.tmp)) await attempt(() => sweepFile(layout, { name, olderThan }))
  // probes of a check that did not live to remove them
  for (const folder of await foldersOfKeys(layout))
    for (const name of (await readdir(folder)).filter(isTemporaryName))
      await attempt(() => sweepPath(join(folder, name), olderThan))
  for (const name of await readdir(layout.uploads)) {
    const folder = join(layout.uploads, name)
    const isLeft = async (): Promise<boolean> => isTemporaryName(name) || (await readManifest(folder)) === undefined
    await attempt(async () => ((await isLeft()) ? sweepPath(folder, olderThan) : 0))
  }
  if (failed !== undefined) throw failed.error
  return swept
}

/**
 * A file of `tmp`, and with a note the folder that it names: while bytes are copied into that, it
 * is in use.
 */
async function sweepFile(
  layout: Layout,
  { name, olderThan }: { readonly name: string; readonly olderThan: Date },
): Promise<number> {
  const file = join(layout.tmp, name)
  const noted = await notedFolder(layout, name).catch((error: unknown) => {
    if (isAbsent(error)) return undefined
    throw error
  })
  if (noted !== undefined) {
    const touched = [await lastTouched(noted), await lastTouched(file)]
    if (touched.some((time) => time !== undefined && time >= olderThan)) return 0
    await removeTemporary(noted)
  }
  return sweepPath(file, olderThan)
}

async function sweepPath(path: string, olderThan: Date): Promise<number> {
  const touched = await lastTouched(path)
  // Gone: its writer was done with it.
  if (touched === undefined || touched >= olderThan) return 0
  await removeTemporary(path)
  return 1
}

/**
 * undefined when it is gone. The time of a folder does not follow the bytes that are written in it.
 */
async function lastTouched(path: string): Promise<Date | undefined> {
  try {
    const { mtime } = await lstat(path)
    const bytes = await lstat(bytesIn(path)).catch(() => undefined)
    return bytes !== undefined && bytes.mtime > mtime ? bytes.mtime : mtime
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/**
 * Creates the folders. Throws `unavailable` where the file system can publish nothing: it would
 * take every upload and lose it at the end. A disk that is full or read-only serves what it has;
 * `checkFolders` tells of it.
 */
export async function prepareFolders(layout: Layout): Promise<void> {
  await createFolders(layout)
  const { ok, message, never = false } = await checkFolders(layout)
  if (!ok && never) throw failure('unavailable', message, { retryable: false })
}

/** `never`: it will not work as long as the folder lies there. */
type FolderCheck = StorageCheck & { readonly never?: boolean }

/**
 * Does all that a push does, with a small file: each step may be refused for a reason of its own.
 */
export async function checkFolders(layout: Layout): Promise<FolderCheck> {
  try {
    await checkUploads(layout)
    for (const folder of await foldersOfKeys(layout)) {
      const problem = await checkPublishing(layout, folder)
      if (problem !== undefined) return problem
    }
    const { bavail, bsize } = await statfs(layout.tmp)
    return { ok: true, message: `writable, ${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free` }
  } catch (error) {
    return { ok: false, message: await explainRefusal(error, layout.keys) }
  }
}

/** A folder appears among the uploads, and is moved aside there. */
async function checkUploads(layout: Layout): Promise<void> {
  const [made, moved] = [temporaryBeside(layout.uploads), temporaryBeside(layout.uploads)]
  try {
    await mkdir(made, { mode: 0o700 })
    await writeFile(join(made, 'data'), '', { mode: 0o600, flag: 'wx' })
    await rename(made, moved)
  } finally {
    await removeTemporary(made).catch(() => {})
    await removeTemporary(moved).catch(() => {})
  }
}

/** `keys` and the folders right below it, each of which may be a mount. */
async function foldersOfKeys({ keys }: Layout): Promise<readonly string[]> {
  const entries = await readdir(keys, { withFileTypes: true })
  const below = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('~'))
  return [keys, ...below.map(({ name }) => join(keys, name))]
}

/**
 * Publishes a probe and reads it back, and a second one under the same name, which must be refused.
 */
async function checkPublishing(layout: Layout, folder: string): Promise<FolderCheck | undefined> {
  const source = temporaryPath(layout)
  const second = temporaryPath(layout)
  const target = temporaryBeside(folder)
  const publish = (from: string): Promise<void> =>
    publishFile({ key: 'probe', source: from, target, layout, durability: 'none' })
  try {
    await writeFile(source, source, { mode: 0o600, flag: 'wx' })
    await writeFile(second, second, { mode: 0o600, flag: 'wx' })
    try {
      await publish(source)
    } catch (error) {
      return { ok: false, message: await explainRefusal(error, folder), never: isRefusedForGood(error) }
    }
    const path = (await lstat(target)).isDirectory() ? bytesIn(target) : target
    if ((await readFile(path, 'utf8')) !== source)
      return { ok: false, message: `a probe file in ${folder} does not read back as it was written` }
    const refused = await publish(second).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (!isStorageError(refused, 'exists') || (await readFile(path, 'utf8')) !== source)
      return {
        ok: false,
        message: `the file system of ${folder} lets a second file take the name of a first one: blobs would be overwritten there; put the directory on another file system`,
        never: true,
      }
    return undefined
  } finally {
    for (const path of [source, second, target]) await removeTemporary(path).catch(() => {})
  }
}

/**
 * Files can be written there, but get no name among the keys: no time and no free space heals that.
 */
const isRefusedForGood = (error: unknown): boolean =>
  !['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'ESTALE', 'ETIMEDOUT', 'EMFILE', 'ENFILE', 'ENOENT'].includes(
    systemCode(error) ?? 'ENOENT',
  )

/** For the operator: names the file, and its owner where this user may not write it. */
async function explainRefusal(error: unknown, place: string): Promise<string> {
  const code = systemCode(error)
  if (code === undefined) return messageOf(error)
  const path = textIn(error, 'path') ?? place
  switch (systemCall(error)) {
    case 'link':
    case 'rename':
    case 'copyfile':
      return `the file system of ${place} makes no hard links and refuses the rename that stands in for them (${code}): no push can end there; put the directory on another file system`
    default:
      return `a probe file cannot be written (${code}, ${systemCall(error) ?? 'call'} ${path}${code === 'EACCES' ? await ownerOf(path) : ''})`
  }
}

/** Who owns what refused us: the file itself, or the folder where it would be made. */
async function ownerOf(path: string): Promise<string> {
  for (const place of [path, dirname(path)]) {
    const stat = await lstat(place).catch(() => undefined)
    if (stat === undefined) continue
    const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0')
    return `; ${place} belongs to user ${stat.uid}, mode ${mode}, and this process runs as user ${process.geteuid?.()}`
  }
  return ''
}
