/** What the scripts of the S3 servers share: programs that run as children of this process and end with it. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants, createWriteStream } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { track } from '../children.mjs'

/** Thrown where a server cannot be had on this machine: a test then skips, and says so. */
export class S3ServerMissing extends Error {
  name = 'S3ServerMissing'
}

/** The place of a program; Debian keeps some outside of an ordinary user's PATH. */
export function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin']
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find(isProgram)
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Random keys of one identity. */
export const makeKeys = () => ({
  accessKeyId: `AK${randomBytes(9).toString('hex').toUpperCase()}`,
  secretAccessKey: randomBytes(20).toString('hex'),
})

/** Runs a program to its end and returns what it printed; throws with its last words when it fails. */
export async function run(command, args, { env = process.env, cwd, timeout } = {}) {
  const child = spawn(command, args, { env, cwd, timeout, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] })
  let [output, errors] = ['', '']
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors = (errors + chunk).slice(-2000)
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${errors}`)
  return output
}

/**
 * A program in the foreground of this process. It is ended by its own process id, and by the kernel
 * where this process is killed before it can (Linux with util-linux).
 */
export function defineDaemon({ name, command, cwd, env, log }) {
  const guard = findProgram('setpriv')
  const [program, ...args] = guard === undefined ? command : [guard, '--pdeathsig', 'KILL', '--', ...command]
  let child
  let exited
  const isAlive = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const send = (signal) => {
    if (isAlive()) child.kill(signal)
  }
  return {
    name,
    pid: () => child?.pid,
    isAlive,
    start() {
      const output = createWriteStream(log, { flags: 'a' })
      child = track(
        spawn(program, args, {
          cwd,
          env: { PATH: process.env.PATH, HOME: cwd, ...env },
          stdio: ['ignore', 'pipe', 'pipe'],
        }),
      )
      exited = new Promise((resolve) => child.once('close', resolve))
      for (const stream of [child.stdout, child.stderr]) stream.pipe(output, { end: false })
      child.on('error', (error) => output.write(`${error.message}\n`))
      exited.then(() => output.end())
    },
    async end(signal = 'SIGTERM', { forceAfterMs = 5000 } = {}) {
      if (!isAlive()) return
      send(signal)
      send('SIGCONT') // a paused one ends too
      const force = setTimeout(send, forceAfterMs, 'SIGKILL')
      await exited
      clearTimeout(force)
    },
    pause: () => send('SIGSTOP'),
    resume: () => send('SIGCONT'),
  }
}

/** Waits until a URL answers with a status, or at all; throws when a daemon ends before, or after three minutes (Python on a busy machine). */
export async function waitForAnswer(url, status, daemons) {
  const get = url.startsWith('https:') ? httpsGet : httpGet
  const end = Date.now() + 180_000
  let last = 'no answer'
  while (Date.now() < end) {
    const gone = daemons.find((daemon) => !daemon.isAlive())
    if (gone !== undefined) throw new Error(`${gone.name} ended`)
    last = await new Promise((resolve) => {
      // rejectUnauthorized: only asks whether the server is up; what it serves is checked by the tests
      const request = get(url, { rejectUnauthorized: false, timeout: 2000, agent: false }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      request.on('timeout', () => request.destroy())
      request.on('error', (error) => resolve(error.code))
    })
    if (last === status || (status === 'any' && typeof last === 'number')) return
    await wait(50)
  }
  throw new Error(`${url} answered ${last}`)
}

/** Runs the start of a server; where it fails, ends what was started and tells the last words of the log. */
export async function startAll(name, { home, daemons, log }, start) {
  const stop = async ({ keep = false, signal = 'SIGTERM' } = {}) => {
    await Promise.all(daemons.map((daemon) => daemon.end(signal)))
    if (!keep) await rm(home, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (error) {
    const text = await readFile(log, 'utf8').catch(() => '')
    await stop()
    throw new Error(`${name} did not start: ${error.message}\n${text.slice(-2000)}`)
  }
  return stop
}
