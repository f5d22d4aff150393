/** Servers under measurement, each in a process of its own. */
import { fork, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Starts a node module that answers `{ port }` over IPC. */
export async function startModule(url, options = {}) {
  const child = fork(url, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const started = await new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`${url} ended with ${code}`)))
  })
  return wrap(child, started)
}

/** Starts a program and waits until its port takes connections. */
export async function startProgram(command, args, { port, env = {} }) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors = (errors + chunk).slice(-2000)
  })
  for (let attempt = 0; ; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${errors}`)
    if (await isOpen(port)) return wrap(child, { port })
    if (attempt > 100) throw new Error(`${command} does not listen: ${errors}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function isOpen(port) {
  try {
    await fetch(`http://127.0.0.1:${port}/`, { redirect: 'manual' }).then((response) => response.body?.cancel())
    return true
  } catch {
    return false
  }
}

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

const ticks = 100

/** The fields of /proc/PID/stat behind the name: 1 is the parent, 11 and 12 the CPU of the process, 13 and 14 that of its children that ended. */
const statOf = (pid) => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ').map(Number)
const sumOf = (fields, from, to) => fields.slice(from, to).reduce((sum, value) => sum + value, 0) / ticks

/** CPU in seconds of a process with its children, those that ended too: a PostgreSQL with its backends. */
export function cpuOfFamily(pid) {
  let seconds = sumOf(statOf(pid), 11, 15)
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const fields = statOf(name)
      if (fields[1] === pid) seconds += sumOf(fields, 11, 15)
    } catch {
      // it ended meanwhile
    }
  }
  return seconds
}

/** CPU in seconds of the children of this process that ended. */
export const cpuOfEnded = () => sumOf(statOf(process.pid), 13, 15)

function wrap(child, started) {
  const { pid } = child
  return {
    ...started,
    pid,
    /** CPU of the process so far, in seconds (user and system, all threads). */
    cpu: () => sumOf(statOf(pid), 11, 13),
    /** Resident set in MiB: now, and the most so far. */
    rss: () => memoryOf(pid, 'VmRSS'),
    peakRss: () => memoryOf(pid, 'VmHWM'),
    /** MiB without mapped files. */
    anonymous: () => memoryOf(pid, 'RssAnon'),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null) return resolve()
        child.once('exit', resolve)
        child.kill('SIGTERM')
        setTimeout(() => child.kill('SIGKILL'), 5000).unref()
      }),
  }
}

function memoryOf(pid, field) {
  const match = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(match?.[1] ?? 0) / 1024
}
