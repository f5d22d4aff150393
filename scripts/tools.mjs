/**
 * `npm run tools`: what only building types, testing and benchmarking need, installed into tools/node_modules when a command first wants it, so that `npm ci` stays small.
 *
 * Node looks for packages in the folders above a file, so every package that tools/package.json names gets a link in node_modules. `npm ci` removes the links; they are made again here.
 * A package that stands in node_modules already is left alone.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))

/** Whether this Node (22.13 and later) carries SQLite; before that the package better-sqlite3 stands in. */
export const hasSqlite = process.getBuiltinModule?.('node:sqlite') !== undefined

/** What an installed folder was made from: its lock file, and for compiled packages the Node that compiled them. */
function fingerprintOf(folder) {
  const lock = readFileSync(join(root, folder, 'package-lock.json'))
  const abi = folder === 'tools/sqlite' ? process.versions.modules : ''
  return createHash('sha256').update(lock).update(abi).digest('hex')
}

/** Runs `npm ci` in a folder, with a line every few seconds; throws with what npm said when it fails. */
async function install(folder, why, { compiles = false } = {}) {
  const cwd = join(root, folder)
  const stamp = join(cwd, 'node_modules/.fingerprint')
  const fingerprint = fingerprintOf(folder)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint) return
  const total = Object.keys(readJson(join(cwd, 'package-lock.json')).packages).length - 1
  console.error(`installing ${why} into ${folder}/node_modules (up to ${total} packages) …`)
  const started = performance.now()
  const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`
  // npm on Windows is a script, which only a shell starts
  // a script that npm runs hands on the configuration of the checkout, which forbids install scripts
  const npm = spawn('npm', ['ci', '--loglevel=error', `--ignore-scripts=${!compiles}`], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  })
  let said = ''
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (text) => (said += text))
  const timer = setInterval(() => console.error(`  ${seconds()}`), 10_000)
  const code = await new Promise((resolve) => {
    npm.once('error', (error) => {
      said += error.message
      resolve(1)
    })
    npm.once('close', resolve)
  })
  clearInterval(timer)
  if (code !== 0) throw new Error(`npm ci in ${folder} failed:\n${said.trim()}`)
  writeFileSync(stamp, fingerprint)
  console.error(`  done in ${seconds()}`)
}

const isLink = (path) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true

/** Links `target` as `path`; a link that stands there is replaced, a file or folder is left alone. */
function link(path, target, type) {
  if (isLink(path)) unlinkSync(path)
  else if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(process.platform === 'win32' ? target : relative(dirname(path), target), path, type)
}

/** Links to packages of `tools` that are no longer there. */
function removeBrokenLinks(folder) {
  for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    const path = join(folder, entry.name)
    if (entry.isSymbolicLink() && !existsSync(path)) rmSync(path)
    else if (entry.isDirectory() && entry.name.startsWith('@')) removeBrokenLinks(path)
  }
}

/** Makes every package that the folder names, and its commands, known to all of the checkout. */
function linkPackages(folder) {
  for (const name of Object.keys(readJson(join(root, folder, 'package.json')).dependencies)) {
    const target = join(root, folder, 'node_modules', name)
    link(join(root, 'node_modules', name), target, 'junction')
    const { bin = {} } = readJson(join(target, 'package.json'))
    const commands = typeof bin === 'string' ? { [name.split('/').at(-1)]: bin } : bin
    if (process.platform !== 'win32')
      for (const [command, file] of Object.entries(commands))
        link(join(root, 'node_modules/.bin', command), join(target, file), 'file')
  }
}

/** Installs and links better-sqlite3 where this Node needs it; does nothing on Node 22.13 and later. */
export async function installSqlite() {
  if (hasSqlite || existsSync(join(root, 'node_modules/better-sqlite3/build'))) return
  const why = `better-sqlite3 (Node ${process.versions.node} has no SQLite of its own; 22.13 and later need no such package)`
  const build = join(root, 'tools/sqlite/node_modules/better-sqlite3/build')
  // an install that was cut short, or that ran no scripts, left no compiled part
  if (!existsSync(build)) rmSync(join(root, 'tools/sqlite/node_modules'), { recursive: true, force: true })
  await install('tools/sqlite', why, { compiles: true }).catch(({ message }) => {
    throw new Error(`${message}\nUse Node 22.13 or newer, or install a C++ compiler, make and Python 3 and try again.`)
  })
  if (!existsSync(build))
    throw new Error(`npm compiled nothing in ${dirname(build)}: see npm config get ignore-scripts`)
  linkPackages('tools/sqlite')
}

/** Installs and links everything that building types, testing and benchmarking need. */
export async function installTools() {
  removeBrokenLinks(join(root, 'node_modules'))
  removeBrokenLinks(join(root, 'node_modules/.bin'))
  await install('tools', 'what only developing and testing need')
  linkPackages('tools')
  await installSqlite()
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await installTools().catch((error) => {
    console.error(error.message)
    process.exitCode = 1
  })
