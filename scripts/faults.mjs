/**
 * `npm run faults`: the fault harness of test/faults against the built package, for long runs; `npm run faults -- --help` names its options. A run keeps the
 * build that it began with: the package is copied aside first.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'tsup'

const root = fileURLToPath(new URL('..', import.meta.url))
if (!existsSync(join(root, 'dist/cli/main.js'))) throw new Error('there is no build: npm run build')
const cache = join(root, '.cache/faults')
mkdirSync(cache, { recursive: true })
const copy = mkdtempSync(join(cache, 'run-'))
for (const name of ['dist', 'package.json', 'scripts']) cpSync(join(root, name), join(copy, name), { recursive: true })
for (const name of ['node_modules', '.cache']) symlinkSync(join(root, name), join(copy, name))
try {
  const entry = { main: join(root, 'test/faults/main.ts') }
  await build({
    entry,
    outDir: join(copy, 'faults'),
    format: ['esm'],
    target: 'node20',
    config: false,
    dts: false,
    clean: false,
    silent: true,
    outExtension: () => ({ js: '.mjs' }),
  })
  const { main } = await import(pathToFileURL(join(copy, 'faults/main.mjs')).href)
  process.exitCode = await main(copy, process.argv.slice(2))
} finally {
  rmSync(copy, { recursive: true, force: true })
}
