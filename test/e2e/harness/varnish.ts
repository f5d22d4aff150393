/** Varnish as a process of its own, with a folder of its own, in the foreground. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { accepts } from './nginx.js'

/** Debian puts it where only root's PATH looks. */
function findVarnish(): string | undefined {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
    .map((folder) => join(folder, 'varnishd'))
    .find((file) => existsSync(file))
}

export function varnishMissing(): string | undefined {
  return findVarnish() === undefined ? 'varnish is not installed' : undefined
}

export interface VarnishOptions {
  /** Port of 127.0.0.1 that it listens on. */
  readonly port: number
  /** Port of 127.0.0.1 that it stands in front of. */
  readonly backend: number
  /** What it keeps objects in, such as `malloc,16m`. */
  readonly storage: string
  /** VCL after the backend. Default: none, so that the built-in rules count. */
  readonly vcl?: string
}

export interface Varnish {
  /** Ends it by its own process id. */
  readonly stop: () => Promise<void>
}

/** Resolves when it accepts connections; rejects with what it said when it ends before. */
export async function startVarnish({ port, backend, storage, vcl = '' }: VarnishOptions): Promise<Varnish> {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-varnish-'))
  const config = join(folder, 'default.vcl')
  await writeFile(config, `vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "${backend}"; }\n${vcl}\n`)
  const args = ['-F', '-j', 'none', '-n', join(folder, 'work'), '-a', `127.0.0.1:${port}`, '-f', config, '-s', storage]
  const child = spawn(findVarnish() ?? 'varnishd', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null
  const stop = async (): Promise<void> => {
    if (isRunning()) {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
    await rm(folder, { recursive: true, force: true })
  }
  // it compiles its rules with a C compiler first
  for (let attempt = 0; attempt < 600 && isRunning(); attempt += 1) {
    if (await accepts(port)) return { stop }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await stop()
  throw new Error(`varnish does not listen on ${port}\n${said}`)
}
