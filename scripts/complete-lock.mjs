/**
 * `npm run lock`: writes into package-lock.json the packages of other platforms, each with its integrity.
 *
 * npm leaves an optional dependency out of the lock file where its registry has no such package (a mirror that carries
 * one platform only), and `npm ci` then refuses the lock file everywhere. What is missing is known: the exact version
 * stands in the package that wants it, and its platform in its name. Only the hash of its bytes is not, and npm never
 * adds one to an entry that is there.
 *
 * `--drop` removes the entries without integrity, so that npm looks them up again; without it what is missing is added,
 * and what has no integrity is named. `[--check] [LOCK FILE]` writes nothing; exit 1 when something is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const given = process.argv.slice(2)
const isCheck = given.includes('--check')
const file = given.find((word) => !word.startsWith('--')) ?? new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
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

const write = () => writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
/** Without its hash npm takes whatever bytes the registry gives under that version. */
const unhashed = Object.entries(lock.packages)
  .filter(([path, { link, integrity }]) => path.includes('node_modules/') && link !== true && integrity === undefined)
  .map(([path]) => path)
const names = Object.keys(missing)

if (given.includes('--drop')) {
  for (const path of unhashed) delete lock.packages[path]
  write()
} else if (isCheck) {
  for (const name of names) console.error(`package-lock.json lacks ${name}: npm run lock`)
  for (const path of unhashed) console.error(`package-lock.json has no integrity for ${path}: npm run lock`)
  process.exitCode = names.length + unhashed.length === 0 ? 0 : 1
} else {
  const { '': root, ...rest } = lock.packages
  lock.packages = {
    '': root,
    ...Object.fromEntries(Object.entries({ ...rest, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
  write()
  console.log(`${names.length} entries added`)
  for (const path of [...unhashed, ...names])
    console.error(`${path} has no integrity: run this again with a registry that has it`)
}
