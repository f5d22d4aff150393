/** `npm start`: builds the JavaScript and the web page when the sources are newer than the build, then serves on the embedded defaults. Arguments go to `sif-library serve`. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { installSqlite } from './tools.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const main = `${root}dist/cli/main.js`

function newest(folder) {
  return Math.max(...readdirSync(folder, { recursive: true }).map((name) => statSync(`${folder}/${name}`).mtimeMs))
}

const isBuilt = existsSync(main) && newest(`${root}src`) <= statSync(main).mtimeMs
if (!isBuilt) {
  const started = performance.now()
  console.error('building …')
  // types and CommonJS are for those who install the package: `npm run build` makes them too
  for (const args of [
    ['node_modules/tsup/dist/cli-default.js', '--silent', '--no-dts', '--format', 'esm'],
    ['node_modules/vite/bin/vite.js', 'build', '--config', 'src/ui/vite.config.ts', '--logLevel', 'warn'],
  ]) {
    const built = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    if (built.status !== 0) process.exit(built.status ?? 1)
  }
  // the page needs tools that npm ci leaves out; without it images are served all the same
  const vite = `${root}node_modules/vite/bin/vite.js`
  if (existsSync(vite))
    spawnSync(process.execPath, [vite, 'build', '--config', `${root}src/ui/vite.config.ts`, '--logLevel', 'warn'], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  else if (!existsSync(`${root}dist/ui/manifest.json`)) console.error('  without the web page: npm run build makes it')
  console.error(`  done in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}
await installSqlite().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
process.argv.splice(1, process.argv.length - 1, main, 'serve', ...process.argv.slice(2))
await import(pathToFileURL(main).href)
