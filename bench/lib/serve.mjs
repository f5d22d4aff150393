/** The built command line, as an operator runs it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, startProgram } from './process.mjs'

export const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** Starts `serve` on a data folder; `token` is the one of its admin. */
export async function startServe(folder, { env } = {}) {
  const port = await freePort()
  const args = [cli, 'serve', '--data', folder, '--port', String(port), '--log-level', 'error']
  const server = await startProgram(process.execPath, args, { port, env })
  return { ...server, base: `http://127.0.0.1:${port}`, token: readFileSync(join(folder, 'admin-token'), 'utf8').trim() }
}
