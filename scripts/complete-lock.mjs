/**
 * `npm run lock`: writes into package-lock.json the packages of other platforms that this machine's registry did not have.
 *
 * npm leaves an optional dependency out of the lock file where its registry has no such package (a mirror that carries one platform only), and `npm ci` then refuses the lock file
 * everywhere. What is missing is known: the exact version stands in the package that wants it, and its platform in its name. With `--check` nothing is written; exit 1 when something is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
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

const names = Object.keys(missing)
if (process.argv.includes('--check')) {
  for (const name of names) console.error(`package-lock.json lacks ${name}: npm run lock`)
  process.exitCode = names.length === 0 ? 0 : 1
} else {
  const { '': root, ...rest } = lock.packages
  lock.packages = {
    '': root,
    ...Object.fromEntries(Object.entries({ ...rest, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
  console.log(`${names.length} entries added`)
}
