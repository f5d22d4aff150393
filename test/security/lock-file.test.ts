/** npm takes whatever bytes the registry gives for an entry of package-lock.json without integrity. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/complete-lock.mjs', import.meta.url))
const lockFile = fileURLToPath(new URL('../../package-lock.json', import.meta.url))
const run = (...args: readonly string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })

interface Lock {
  readonly packages: Record<string, { integrity?: string }>
}

test('every package of the lock file has its integrity', () => {
  const { status, stderr } = run('--check')
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

test('the check names an entry without integrity', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-lock-'))
  const lock = JSON.parse(await readFile(lockFile, 'utf8')) as Lock
  const path = 'node_modules/zod'
  delete lock.packages[path]?.integrity
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock))
  expect(run('--check', folder)).toMatchObject({ status: 1, stderr: expect.stringContaining(`integrity of ${path}`) })
  await rm(folder, { recursive: true })
})
