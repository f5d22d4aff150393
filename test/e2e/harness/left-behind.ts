/** Vitest's global set-up: after the last test, ends and names what a killed worker left running. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTimeOf } from '../../../scripts/children.mjs'

export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'sif-library-children-'))
  process.env.SIF_LIBRARY_TEST_CHILDREN = folder
  return () => {
    for (const pid of readdirSync(folder)) {
      const [started = '', ...command] = readFileSync(join(folder, pid), 'utf8').split(' ')
      if (started === '' || startTimeOf(pid) !== started) continue
      console.warn(`left running by a test, ended now: ${pid} ${command.join(' ')}`)
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // ended meanwhile
      }
    }
    rmSync(folder, { recursive: true, force: true })
  }
}
