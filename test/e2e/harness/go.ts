import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CACHE, CLIENTS } from './paths.js'
import { runOk } from './run.js'

const OLDEST_MINOR = 25

/** Why no Go program can be built here, or undefined. The newest client needs Go 1.25. */
export function goMissing(): string | undefined {
  const { stdout, status } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' })
  if (status !== 0) return 'no Go compiler on the PATH'
  const minor = Number(/^go1\.(\d+)/.exec(stdout)?.[1])
  return minor >= OLDEST_MINOR ? undefined : `Go 1.${OLDEST_MINOR} or newer is needed, found ${stdout.trim()}`
}

async function stampOf(folders: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of folders) {
    for (const file of (await readdir(folder)).sort()) {
      hash.update(file).update(await readFile(join(folder, file)))
    }
  }
  return hash.digest('hex').slice(0, 12)
}

/**
 * Builds one of our Go modules and gives the path of its program. The name of the program holds a hash of the sources: it is built again
 * only when they change. Modules come from the ordinary module proxy, held to the committed go.sum.
 */
export async function buildGo(name: string): Promise<string> {
  const folder = join(CLIENTS, name)
  const stamp = await stampOf([folder, join(CLIENTS, 'command')])
  const program = join(CACHE, `${name}-${stamp}`)
  if (existsSync(program)) return program
  await mkdir(CACHE, { recursive: true })
  for (const old of await readdir(CACHE)) {
    if (old.startsWith(`${name}-`) && old.length === name.length + 1 + stamp.length) await rm(join(CACHE, old))
  }
  const fresh = `${program}.${process.pid}`
  await runOk('go', {
    args: ['build', '-trimpath', '-mod=readonly', '-o', fresh, '.'],
    cwd: folder,
    env: { CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOWORK: 'off' },
    timeout: 600_000,
  })
  await rename(fresh, program)
  return program
}
