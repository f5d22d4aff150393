/** The tarball that would be published, and folders that install it. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import { ensureBuilt } from '../e2e/harness/build.js'
import { PACKAGE } from '../e2e/harness/paths.js'
import { runOk } from '../e2e/harness/run.js'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

/** An empty folder, removed after the file's tests. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-package-'))
  folders.push(folder)
  return folder
}

export interface Packed {
  readonly tarball: string
  readonly files: readonly string[]
  /** Bytes when unpacked. */
  readonly unpackedSize: number
}

/** What `npm pack` makes of the built package. */
export async function pack(): Promise<Packed> {
  await ensureBuilt()
  const folder = await temporaryFolder()
  const output = await runOk('npm', {
    args: ['pack', '--json', '--ignore-scripts', '--silent', '--pack-destination', folder],
    cwd: PACKAGE,
  })
  const [made] = JSON.parse(output) as [{ filename: string; files: { path: string }[]; unpackedSize: number }]
  return {
    tarball: join(folder, made.filename),
    files: made.files.map(({ path }) => path),
    unpackedSize: made.unpackedSize,
  }
}

export interface Consumer {
  readonly folder: string
  write(name: string, text: string): Promise<void>
}

/**
 * An empty project that installed the tarball, with packages of the registry beside it. Peers and types (`linked`) come from this checkout: some of them take a minute to
 * compile.
 */
export async function install(
  packed: Packed,
  options: { readonly linked: readonly string[]; readonly packages?: readonly string[] },
): Promise<Consumer> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true }))
  const args = [
    'install',
    '--prefer-offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    packed.tarball,
    ...(options.packages ?? []),
  ]
  await runOk('npm', { args, cwd: folder })
  // better-sqlite3 is not there on a Node that carries SQLite
  for (const name of options.linked.filter((each) => existsSync(join(PACKAGE, 'node_modules', each)))) {
    const link = join(folder, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(PACKAGE, 'node_modules', name), link)
  }
  return { folder, write: (name, text) => writeFile(join(folder, name), text) }
}

export async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(join(PACKAGE, path), 'utf8')) as T
}
