/**
 * Builds the real command lines from their Go modules. The modules lack one generated file, the paths of the installation, which their own
 * configure script would write; ours makes them relative to the program.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { goMissing } from './go.js'
import { CACHE } from './paths.js'
import { runOk } from './run.js'

export interface CommandLine {
  readonly name: string
  readonly module: string
  readonly version: string
  /** Name of the program, of its folder below HOME (with a dot), and of its configuration. */
  readonly program: string
  readonly packageName: string
  readonly tags: string
}

export const COMMAND_LINES: readonly CommandLine[] = [
  {
    name: 'SingularityCE 4.3.3',
    module: 'github.com/sylabs/singularity/v4',
    version: 'v4.3.3',
    program: 'singularity',
    packageName: 'singularity-ce',
    tags: 'sylog singularity_engine fakeroot_engine',
  },
  {
    name: 'Apptainer 1.5.3',
    module: 'github.com/apptainer/apptainer',
    version: 'v1.5.3',
    program: 'apptainer',
    packageName: 'apptainer',
    // openpgp in Go: no gpgme headers needed
    tags: 'sylog apptainer_engine fakeroot_engine containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper',
  },
]

const PATHS: Readonly<Record<string, string>> = {
  BINDIR: 'bin',
  LIBEXECDIR: 'libexec',
  SYSCONFDIR: 'etc',
  SESSIONDIR: 'var/session',
  PREFIX: '',
}

function constantsOf({ packageName, version, program }: CommandLine): Readonly<Record<string, string>> {
  return {
    [`${program.toUpperCase()}_SUID_INSTALL`]: '0',
    PACKAGE_NAME: `"${packageName}"`,
    PACKAGE_VERSION: `"${version.slice(1)}"`,
    MAX_CHUNK_SIZE: '126976',
    MAX_ENGINE_CONFIG_CHUNK: '32',
    MAX_ENGINE_CONFIG_SIZE: '4063232',
    ENGINE_CONFIG_ENV: '"ENGINE_CONFIG"',
    ENGINE_CONFIG_CHUNK_ENV: '"ENGINE_CONFIG_CHUNK"',
    GO_BUILD_TAGS: '""',
    SOURCEDIR: '"REPRODUCIBLE_BUILD"',
    BUILDDIR: '"REPRODUCIBLE_BUILD"',
    SQUASHFUSE_LIBEXEC: '0',
  }
}

/** The Go file that declares every name of the generated package that the sources use. */
function installation(cli: CommandLine, names: readonly string[]): string {
  const { program } = cli
  const constants = constantsOf(cli)
  const paths: Readonly<Record<string, string>> = {
    ...PATHS,
    [`${program.toUpperCase()}_CONFDIR`]: `etc/${program}`,
    [`${program.toUpperCase()}_CONF_FILE`]: `etc/${program}/${program}.conf`,
    CAPABILITY_FILE: `etc/${program}/capability.json`,
    ECL_FILE: `etc/${program}/ecl.toml`,
  }
  const lines = names.map((name) => {
    if (constants[name] !== undefined) return `const ${name} = ${constants[name]}`
    if (name.endsWith('_PATH')) return `const ${name} = ""`
    return `var ${name} = below("${paths[name] ?? `share/${name.toLowerCase()}`}")`
  })
  return [
    'package buildcfg',
    'import (\n\t"os"\n\t"path/filepath"\n)',
    'func below(path string) string {\n\tprogram, _ := os.Executable()\n\treturn filepath.Join(filepath.Dir(filepath.Dir(program)), path)\n}',
    'func IsReproducibleBuild() bool { return true }',
    ...lines,
  ].join('\n')
}

/** All names of the generated package that the Go files below a folder use. */
async function usedNames(folder: string): Promise<readonly string[]> {
  const names = new Set<string>()
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith('.go')) continue
    for (const [, name] of (await readFile(join(folder, file), 'utf8')).matchAll(/\bbuildcfg\.([A-Z_]+)\b/g))
      if (name !== undefined) names.add(name)
  }
  return [...names].sort()
}

/**
 * Why the command lines are not tested here, or undefined. Building them takes minutes, so they are built only when asked for
 * (SIF_LIBRARY_TEST_CLI=1 or SIF_LIBRARY_TEST_REQUIRE_ALL=1) or when they were built before.
 */
export function commandLineMissing(cli: CommandLine): string | undefined {
  if (existsSync(programOf(cli))) return undefined
  if (process.env.SIF_LIBRARY_TEST_CLI !== '1' && process.env.SIF_LIBRARY_TEST_REQUIRE_ALL !== '1')
    return 'its program is built only with SIF_LIBRARY_TEST_CLI=1 (some minutes, once)'
  if (process.platform !== 'linux') return 'it runs on Linux only'
  if (spawnSync('cc', ['--version']).status !== 0) return 'no C compiler on the PATH'
  return goMissing()
}

function folderOf(cli: CommandLine): string {
  const stamp = createHash('sha256')
    .update(JSON.stringify(cli))
    .update(installation(cli, []))
    .digest('hex')
    .slice(0, 12)
  return join(CACHE, `cli-${cli.program}-${cli.version}-${stamp}`)
}

function programOf(cli: CommandLine): string {
  return join(folderOf(cli), 'bin', cli.program)
}

/** Path of the program, built when it was not yet. */
export async function buildCommandLine(cli: CommandLine): Promise<string> {
  const program = programOf(cli)
  if (existsSync(program)) return program
  const env = { GOTOOLCHAIN: 'local', GOWORK: 'off', CGO_ENABLED: '1' }
  const sources = join(CACHE, `source-${cli.program}-${process.pid}`)
  await mkdir(CACHE, { recursive: true })
  const downloaded = await runOk('go', {
    args: ['mod', 'download', '-json', `${cli.module}@${cli.version}`],
    cwd: CACHE,
    env,
    timeout: 300_000,
  })
  const { Dir: folder } = JSON.parse(downloaded) as { Dir: string }
  try {
    // the module cache is read-only
    await runOk('cp', { args: ['-r', '--no-preserve=mode', folder, sources] })
    await writeFile(join(sources, 'internal/pkg/buildcfg/config.go'), installation(cli, await usedNames(sources)))
    const configuration = join(folderOf(cli), 'etc', cli.program)
    await mkdir(configuration, { recursive: true })
    // empty: every setting has its default
    await writeFile(join(configuration, `${cli.program}.conf`), '')
    await mkdir(dirname(program), { recursive: true })
    const args = [
      'build',
      '-trimpath',
      '-ldflags=-s -w',
      '-tags',
      cli.tags,
      '-o',
      `${program}.fresh`,
      `./cmd/${cli.program}`,
    ]
    await runOk('go', { args, cwd: sources, env, timeout: 1_500_000 })
    await rename(`${program}.fresh`, program)
  } finally {
    await rm(sources, { recursive: true, force: true })
  }
  return program
}
