/** nginx as a process of its own, with a folder of its own, in the foreground. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Finished, run } from './run.js'

/** Debian puts it where only root's PATH looks. */
function findNginx(): string | undefined {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
    .map((folder) => join(folder, 'nginx'))
    .find((file) => existsSync(file))
}

export function nginxMissing(): string | undefined {
  return findNginx() === undefined ? 'nginx is not installed' : undefined
}

export interface NginxOptions {
  /** What the `http` block includes. */
  readonly config: string
  /** Port of 127.0.0.1 that it listens on. */
  readonly port: number
}

export interface Nginx {
  /** Its error log so far. */
  readonly logs: () => Promise<string>
  /** Ends it by its own process id. */
  readonly stop: () => Promise<void>
}

async function prepare(config: string): Promise<{ readonly folder: string; readonly args: readonly string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-nginx-'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${name};`)
    .join(' ')
  const lines = [
    // started by root, its workers would be somebody who may not enter the folder
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off; pid nginx.pid; error_log error.log; worker_processes 1; events {}',
    `http { access_log off; ${temporary} include registry.conf; }`,
  ]
  await writeFile(join(folder, 'nginx.conf'), lines.join('\n'))
  await writeFile(join(folder, 'registry.conf'), config)
  return { folder, args: ['-p', folder, '-c', 'nginx.conf', '-e', 'error.log'] }
}

/** `nginx -t`. */
export async function checkNginx(config: string): Promise<Finished> {
  const { folder, args } = await prepare(config)
  try {
    return await run(findNginx() ?? 'nginx', { args: [...args, '-t'] })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Whether something listens on this port of 127.0.0.1. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

/** Resolves when it accepts connections; rejects with its log when it ends before. */
export async function startNginx({ config, port }: NginxOptions): Promise<Nginx> {
  const { folder, args } = await prepare(config)
  const child = spawn(findNginx() ?? 'nginx', args, { stdio: 'ignore' })
  const logs = (): Promise<string> => readFile(join(folder, 'error.log'), 'utf8').catch(() => '')
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null
  const stop = async (): Promise<void> => {
    if (isRunning()) {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
    await rm(folder, { recursive: true, force: true })
  }
  for (let attempt = 0; attempt < 200 && isRunning(); attempt += 1) {
    if (await accepts(port)) return { logs, stop }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const said = await logs()
  await stop()
  throw new Error(`nginx does not listen on ${port}\n${said}`)
}
