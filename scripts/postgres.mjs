/**
 * A throwaway PostgreSQL for tests: its own data folder, a free port of 127.0.0.1, a random password, no waiting for the disk.
 *
 *   node scripts/postgres.mjs     prints its URL and runs until it is told to end (SIGTERM, SIGINT)
 *
 * Needs the server's programs (Debian: postgresql); as root with apt-get it installs them. PostgreSQL refuses to run as root, so root hands over to the user
 * `postgres` or `nobody`.
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { track } from './children.mjs'
import { findFreePort, findUser, isRoot } from './local-server.mjs'

const run = promisify(execFile)

/** The folder of `initdb` and `postgres`, newest version first; undefined when there is none. */
export function findPrograms() {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(':').filter(Boolean),
  ]
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

async function needPrograms() {
  const found = findPrograms()
  if (found !== undefined) return found
  if (isRoot && existsSync('/usr/bin/apt-get')) {
    await run('apt-get', ['install', '-y', '-q', 'postgresql'], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
    const installed = findPrograms()
    if (installed !== undefined) return installed
  }
  throw new Error('PostgreSQL is not installed (Debian: apt-get install postgresql)')
}

/** Starts a server. `url` leads to its database, `pid` is its first process, `stop` ends it and removes its folder; `end` and `start` are a restart on the same port. */
export async function startPostgres() {
  const programs = await needPrograms()
  const user = findUser(['postgres', 'nobody'])
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-postgres-'))
  const data = join(folder, 'data')
  const secret = join(folder, 'password')
  const password = randomBytes(16).toString('hex')
  await mkdir(data, { mode: 0o700 })
  await writeFile(secret, password, { mode: 0o600 })
  if (user.uid !== undefined) for (const path of [folder, data, secret]) await chown(path, user.uid, user.gid)
  await chmod(folder, 0o700)
  const options = { ...user, cwd: folder, env: { PATH: process.env.PATH, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' } }
  await run(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'tester', '-E', 'UTF8', '--auth=scram-sha-256', `--pwfile=${secret}`, '--no-sync'],
    options,
  )
  const port = await findFreePort()
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    'max_connections=60',
    'shared_buffers=64MB',
  ]

  let server
  let log = ''
  const start = async () => {
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
    // its other processes end when the first does
    server = track(spawn(join(programs, 'postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] }))
    const exited = new Promise((resolve) => server.once('exit', resolve))
    log = ''
    server.stderr.on('data', (text) => {
      log = (log + text).slice(-10_000)
    })
    for (let tries = 0; !log.includes('ready to accept connections'); tries += 1) {
      if (server.exitCode !== null || tries > 600) throw new Error(`PostgreSQL did not start:\n${log}`)
      await Promise.race([wait(100), exited])
    }
  }
  // its "fast shutdown", SIGINT, breaks open connections off; SIGQUIT is a crash: recovery follows at the next start
  const end = async (signal = 'SIGINT') => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = new Promise((resolve) => server.once('exit', resolve))
    server.kill(signal)
    await exited
  }
  const stop = async () => {
    await end()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `postgres://tester:${password}@127.0.0.1:${port}/postgres`, pid: () => server.pid, stop, end, start }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const server = await startPostgres()
  process.stdout.write(`${server.url}\n`)
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.stop())
}
