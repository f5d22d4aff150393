import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PACKAGE } from './paths.js'
import { runOk } from './run.js'

async function newestSource(): Promise<number> {
  const files = await readdir(join(PACKAGE, 'src'), { recursive: true, withFileTypes: true })
  const times = files
    .filter((file) => file.isFile())
    .map(async (file) => (await stat(join(file.parentPath, file.name))).mtimeMs)
  return Math.max(...(await Promise.all(times)))
}

/** Builds the package when its sources are newer than what was built, so that the tests meet what would be published. */
export async function ensureBuilt(): Promise<void> {
  // `npm start` builds the JavaScript modules alone; this is of the whole build
  const built = join(PACKAGE, 'dist/index.d.cts')
  if (existsSync(built) && (await stat(built)).mtimeMs > (await newestSource())) return
  await runOk('npm', { args: ['run', 'build'], cwd: PACKAGE, timeout: 300_000 })
}
