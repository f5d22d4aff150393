/** Bun and Deno: their npm packages carry the programs. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PACKAGE } from './paths.js'
import { runOk } from './run.js'

/** The versions that docs/hosts.md names. */
const runtimes = {
  Bun: { package: 'bun', version: '1.4.5', scope: '@oven', program: 'bin/bun', args: [] },
  Deno: { package: 'deno', version: '2.9.6', scope: '@deno', program: 'deno', args: ['run', '--allow-all'] },
} as const

export type RuntimeName = keyof typeof runtimes

export interface Runtime {
  readonly name: RuntimeName
  readonly program: string
  /** What stands before the name of a script. */
  readonly args: readonly string[]
}

/** Installs the runtime where it is not there yet, outside of the package; resolves to why it cannot be had where it cannot. */
export async function findRuntime(name: RuntimeName): Promise<Runtime | string> {
  const runtime = runtimes[name]
  const folder = join(PACKAGE, '.cache/runtimes', `${runtime.package}-${runtime.version}`)
  try {
    if (!existsSync(join(folder, 'node_modules', runtime.package))) {
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, 'package.json'), '{ "private": true }')
      await runOk('npm', {
        args: ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${runtime.package}@${runtime.version}`],
        cwd: folder,
      })
    }
    const scope = join(folder, 'node_modules', runtime.scope)
    const [platform] = await readdir(scope)
    if (platform === undefined) return `the registry of npm has no ${name} for this platform`
    const program = join(scope, platform, runtime.program)
    await runOk(program, { args: ['--version'] })
    return { name, program, args: runtime.args }
  } catch (error) {
    return `${name} ${runtime.version} cannot be installed by npm and run here: ${(error as Error).message.split('\n')[0]}`
  }
}
