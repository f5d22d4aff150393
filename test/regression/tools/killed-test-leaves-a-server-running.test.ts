/** A test run that failed left a MinIO running: its worker was ended by a signal, which raises no `exit` event. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTimeOf } from '../../../scripts/children.mjs'
import { setup } from '../../e2e/harness/left-behind.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sif-library-killed-'))
  writeFileSync(
    join(folder, 'worker.mjs'),
    `import { spawn } from 'node:child_process'
     import { track } from ${JSON.stringify(resolve('scripts/children.mjs'))}
     const server = track(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }))
     process.on('message', (word) => { if (word === 'throw') throw new Error('a test'); if (word === 'exit') process.exit(0) })
     process.send(server.pid)`,
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A worker and the process id of the server that it started. */
async function startWorker(): Promise<{ readonly worker: ChildProcess; readonly server: number }> {
  const worker = fork(join(folder, 'worker.mjs'), { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const [server] = (await once(worker, 'message')) as [number]
  return { worker, server }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test.each<[string, (worker: ChildProcess) => unknown]>([
  ['ends by itself', (worker) => worker.send('exit')],
  ['throws', (worker) => worker.send('throw')],
  ['is told to end by SIGTERM', (worker) => worker.kill('SIGTERM')],
  ['is interrupted', (worker) => worker.kill('SIGINT')],
  ['loses its parent', (worker) => worker.disconnect()],
])('a worker that %s takes its server along', async (_, end) => {
  const { worker, server } = await startWorker()
  expect(isRunning(server)).toBe(true)
  end(worker)
  await vi.waitFor(() => expect(isRunning(server)).toBe(false), { timeout: 10_000, interval: 20 })
  worker.kill('SIGKILL')
})

test.skipIf(startTimeOf(process.pid) === undefined)(
  'the server of a killed worker is ended after the run',
  async () => {
    const before = process.env.SIF_LIBRARY_TEST_CHILDREN
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const tearDown = setup()
    try {
      const { worker, server } = await startWorker()
      const gone = once(worker, 'exit')
      worker.kill('SIGKILL')
      await gone
      expect(isRunning(server)).toBe(true)
      expect(readdirSync(process.env.SIF_LIBRARY_TEST_CHILDREN ?? '')).toEqual([String(server)])
      tearDown()
      await vi.waitFor(() => expect(isRunning(server)).toBe(false), { timeout: 10_000, interval: 20 })
      expect(warn.mock.calls.flat().join(' ')).toContain(`ended now: ${server} `)
    } finally {
      warn.mockRestore()
      if (before === undefined) delete process.env.SIF_LIBRARY_TEST_CHILDREN
      else process.env.SIF_LIBRARY_TEST_CHILDREN = before
    }
  },
)
