/**
 * `npm run lock`: brings the lock files of this checkout up to date, packages of other platforms and every integrity included.
 *
 * npm leaves an optional dependency out of the lock file where its registry has no such package (a mirror that carries one platform only), and `npm ci` then refuses the lock file
 * everywhere. What is missing is known: the exact version stands in the package that wants it, and its platform in its name. With `--check` nothing is written; exit 1 when something is missing.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const folders = ['.', 'tools', 'tools/sqlite']
const root = fileURLToPath(new URL('..', import.meta.url))
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32']

function platformOf(name) {
  const words = name.split('/').at(-1).split('-')
  const os = systems.find((system) => words.includes(system))
  const cpu = processors.find((processor) => words.includes(processor))
  const libc = words.includes('musl') ? 'musl' : words.includes('gnu') && os === 'linux' ? 'glibc' : undefined
  if (os === undefined || cpu === undefined) return undefined
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }) }
}

/** Entries that packages of the lock file want and it does not have. */
function missingFrom(lock) {
  const missing = {}
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const places = [`${path}/node_modules/${name}`, `node_modules/${name}`]
      if (places.some((place) => place in lock.packages)) continue
      const platform = platformOf(name)
      if (platform === undefined || !/^\d+\.\d+\.\d+$/.test(version))
        throw new Error(`${path} wants ${name}@${version}: write its entry by hand`)
      missing[`node_modules/${name}`] = {
        version,
        ...platform,
        ...(entry.dev === true ? { dev: true } : {}),
        optional: true,
      }
    }
  }
  return missing
}

const withoutIntegrity = (lock) =>
  Object.entries(lock.packages).filter(([path, entry]) => path !== '' && entry.integrity === undefined)

const nameOf = (path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

/** Asks the registry for what npm did not write down. */
function integrityOf(path, { version }) {
  const wanted = `${nameOf(path)}@${version}`
  const answer = execFileSync('npm', ['view', wanted, 'dist.integrity'], { cwd: root, encoding: 'utf8' }).trim()
  if (!answer.startsWith('sha512-')) throw new Error(`this registry knows no integrity of ${wanted}`)
  return answer
}

function check(folder) {
  const lock = JSON.parse(readFileSync(resolve(root, folder, 'package-lock.json'), 'utf8'))
  const lacks = [
    ...Object.keys(missingFrom(lock)),
    ...withoutIntegrity(lock).map(([path]) => `the integrity of ${path}`),
    ...Object.keys(lock.packages)
      .filter((path) => 'resolved' in lock.packages[path])
      .map((path) => `a free choice of registry for ${path}`),
  ]
  for (const what of lacks) console.error(`${folder}/package-lock.json lacks ${what}: npm run lock`)
  if (lacks.length > 0) process.exitCode = 1
}

function complete(folder) {
  const file = `${root}${folder}/package-lock.json`
  execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts', '--loglevel=error'], {
    cwd: `${root}${folder}`,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = missingFrom(lock)
  const { '': own, ...rest } = lock.packages
  lock.packages = {
    '': own,
    ...Object.fromEntries(Object.entries({ ...rest, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
  const unproven = withoutIntegrity(lock)
  for (const [path, entry] of unproven) {
    const { version, ...others } = entry
    lock.packages[path] = { version, integrity: integrityOf(path, entry), ...others }
  }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
  console.log(
    `${folder}/package-lock.json: ${Object.keys(missing).length} entries and ${unproven.length} integrities added`,
  )
}

const [isCheck, given] = [process.argv.includes('--check'), process.argv.slice(2).filter((word) => word !== '--check')]
for (const folder of given.length > 0 ? given : folders) (isCheck ? check : complete)(folder)
