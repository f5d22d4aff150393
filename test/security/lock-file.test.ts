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

test('the check names an entry without integrity, and --drop takes it out for npm to look it up again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-lock-'))
  const copy = join(folder, 'package-lock.json')
  const lock = JSON.parse(await readFile(lockFile, 'utf8')) as Lock
  const path = 'node_modules/zod'
  delete lock.packages[path]?.integrity
  await writeFile(copy, JSON.stringify(lock))
  expect(run('--check', copy)).toMatchObject({ status: 1, stderr: expect.stringContaining(path) })
  expect(run('--drop', copy).status).toBe(0)
  const dropped = JSON.parse(await readFile(copy, 'utf8')) as Lock
  expect(Object.keys(lock.packages).filter((name) => !(name in dropped.packages))).toEqual([path])
  await rm(folder, { recursive: true })
})
