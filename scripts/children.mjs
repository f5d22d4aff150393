/**
 * Programs that tests and benches start, stopped when their process ends, however it ends: at its exit, on a signal, or when the process that started it is gone. What ends without
 * a word (SIGKILL) leaves the names in the folder `SIF_LIBRARY_TEST_CHILDREN`, where test/e2e/harness/left-behind.ts finds them.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const running = new Map()
let isWatching = false

/** When a process began, in the kernel's ticks: a process id is used again, this pair is not. undefined where there is no /proc, or no such process. */
export function startTimeOf(pid) {
  try {
    // the name in parentheses may hold spaces and parentheses
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19]
  } catch {
    return undefined
  }
}

function killAll() {
  for (const [child, signal] of running) child.kill(signal)
  running.clear()
}

function watch() {
  if (isWatching) return
  isWatching = true
  process.once('exit', killAll)
  // a test runner ends its workers by signals, or by going away itself
  for (const [signal, number] of [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ])
    process.once(signal, () => {
      killAll()
      // who handles the signal too ends in its own time
      if (process.listenerCount(signal) === 0) process.exit(128 + number)
    })
  process.once('disconnect', killAll)
}

/** Returns the child. `signal` is what ends it: SIGTERM for programs that have processes of their own to end. Default SIGKILL. */
export function track(child, signal = 'SIGKILL') {
  if (child.pid === undefined) return child
  watch()
  running.set(child, signal)
  const folder = process.env.SIF_LIBRARY_TEST_CHILDREN
  const file = folder === undefined ? undefined : join(folder, String(child.pid))
  if (file !== undefined) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, `${startTimeOf(child.pid) ?? ''} ${child.spawnargs.slice(0, 3).join(' ')}`)
  }
  child.once('exit', () => {
    running.delete(child)
    if (file !== undefined) rmSync(file, { force: true })
  })
  return child
}
