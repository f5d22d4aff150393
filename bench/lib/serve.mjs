/** The built command line, as an operator runs it. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort, startProgram } from './process.mjs'

export const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** For a metadata store that was filled past the registry: the bytes of its images lie nowhere. */
export const filledEnv = (url) => ({
  SIF_LIBRARY_METADATA: url,
  SIF_LIBRARY_NO_SWEEP: 'true',
  SIF_LIBRARY_ACCEPT_STORAGE: 'true',
})

/** Starts `serve` on a data folder; `token` is the one of its admin. `logLevel`: `info` is the default of `serve`. */
export async function startServe(folder, { env, logLevel = 'error' } = {}) {
  const port = await freePort()
  const args = [cli, 'serve', '--data', folder, '--port', String(port), '--log-level', logLevel]
  const server = await startProgram(process.execPath, args, { port, env })
  return { ...server, base: `http://127.0.0.1:${port}`, token: await readToken(join(folder, 'admin-token')) }
}

/** The first start writes it after it has begun to listen. */
async function readToken(file) {
  for (let attempt = 0; !existsSync(file) && attempt < 100; attempt += 1) await wait(50)
  return readFileSync(file, 'utf8').trim()
}
