/** The backend of docs/storage-backend.md, taken from the page, held to the contract by the suite as third parties run it: under node:test. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ensureBuilt } from '../e2e/harness/build.js'
import { PACKAGE } from '../e2e/harness/paths.js'
import { run } from '../e2e/harness/run.js'

test('the documented backend passes the conformance suite', async () => {
  await ensureBuilt()
  const page = await readFile(join(PACKAGE, 'docs/storage-backend.md'), 'utf8')
  const [backend, suite] = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code ?? '')
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-docs-'))
  try {
    await mkdir(join(folder, 'node_modules'))
    await symlink(PACKAGE, join(folder, 'node_modules/sif-library'))
    await writeFile(join(folder, 'folder-storage.mjs'), backend ?? '')
    await writeFile(join(folder, 'folder-storage.test.mjs'), suite ?? '')
    const { code, stdout } = await run(process.execPath, {
      args: ['--test', '--test-reporter=tap', 'folder-storage.test.mjs'],
      cwd: folder,
      env: { NODE_OPTIONS: '' },
    })
    expect(stdout.split('\n').filter((line) => /^\s*not ok/.test(line))).toEqual([])
    expect(code).toBe(0)
    expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(20)
  } finally {
    await rm(folder, { recursive: true })
  }
})
