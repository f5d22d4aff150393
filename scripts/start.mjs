/** `npm start`: builds when the sources are newer than the build, then serves on the embedded defaults. Arguments go to `sif-library serve`. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const main = `${root}dist/cli/main.js`

function newest(folder) {
  return Math.max(...readdirSync(folder, { recursive: true }).map((name) => statSync(`${folder}/${name}`).mtimeMs))
}

if (!existsSync(main) || newest(`${root}src`) > statSync(main).mtimeMs) {
  console.error('building …')
  const built = spawnSync(process.execPath, [`${root}node_modules/tsup/dist/cli-default.js`, '--silent'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (built.status !== 0) process.exit(built.status ?? 1)
}
process.argv.splice(1, process.argv.length - 1, main, 'serve', ...process.argv.slice(2))
await import(pathToFileURL(main).href)
