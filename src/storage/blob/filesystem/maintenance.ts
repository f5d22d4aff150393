import { link, lstat, readdir, readFile, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StorageCheck } from '../contract.js'
import { isAbsent, systemCode } from './errors.js'
import { type Layout, removeTemporary, temporaryPath } from './layout.js'
import { readManifest } from './upload-folder.js'

/** Removes what crashed writes left in `tmp`, and uploads whose manifest is lost, when they were last touched before `olderThan`; returns how many. The first failure is thrown at the end. */
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
  for (const name of await readdir(layout.tmp)) await attempt(() => sweepPath(join(layout.tmp, name), olderThan))
  for (const name of await readdir(layout.uploads)) {
    const folder = join(layout.uploads, name)
    await attempt(async () => ((await readManifest(folder)) === undefined ? sweepPath(folder, olderThan) : 0))
  }
  if (failed !== undefined) throw failed.error
  return swept
}

async function sweepPath(path: string, olderThan: Date): Promise<number> {
  try {
    if ((await lstat(path)).mtime >= olderThan) return 0
  } catch (error) {
    // Its writer was done with it.
    if (isAbsent(error)) return 0
    throw error
  }
  await removeTemporary(path)
  return 1
}

/** Writes, links, reads and removes a probe. */
export async function checkFolders(layout: Layout): Promise<StorageCheck> {
  const probe = temporaryPath(layout)
  const linked = temporaryPath(layout)
  try {
    await writeFile(probe, probe, { mode: 0o600, flag: 'wx' })
    await link(probe, linked)
    if ((await readFile(linked, 'utf8')) !== probe)
      return { ok: false, message: 'a probe file does not read back as it was written' }
    const { bavail, bsize } = await statfs(layout.tmp)
    return { ok: true, message: `writable, ${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free` }
  } catch (error) {
    return { ok: false, message: explain(error) }
  } finally {
    await removeTemporary(probe).catch(() => {})
    await removeTemporary(linked).catch(() => {})
  }
}

function explain(error: unknown): string {
  const code = systemCode(error) ?? 'unknown error'
  const isLink = error instanceof Error && 'syscall' in error && error.syscall === 'link'
  return isLink
    ? `the file system of the directory makes no hard links (${code})`
    : `a probe file cannot be written in the directory (${code})`
}
