import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildCommandLine, type CommandLine } from './cli-build.js'
import { run } from './run.js'

/** A real command line with a home folder of its own. */
export interface CommandLineUser {
  readonly home: string
  /** Runs a command; rejects with what it said unless it ended with 0. */
  readonly run: (args: readonly string[]) => Promise<string>
  readonly remove: () => Promise<void>
}

/** Builds the program where needed. */
export async function makeCommandLineUser(
  cli: CommandLine,
  env: Readonly<Record<string, string>> = {},
): Promise<CommandLineUser> {
  const program = await buildCommandLine(cli)
  const home = await mkdtemp(join(tmpdir(), 'sif-library-home-'))
  const word = cli.program.toUpperCase()
  // SingularityCE takes the home folder from the user database, not from HOME; both take the folder of their configuration from the environment
  const folders = {
    HOME: home,
    [`${word}_CONFIGDIR`]: join(home, `.${cli.program}`),
    [`${word}_CACHEDIR`]: join(home, 'cache'),
    [`${word}_TMPDIR`]: home,
  }
  return {
    home,
    run: async (args) => {
      const { code, stdout, stderr } = await run(program, {
        args,
        cwd: home,
        env: { ...folders, NO_COLOR: '1', ...env },
        timeout: 600_000,
      })
      if (code !== 0) throw new Error(`${cli.program} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
      return stdout + stderr
    },
    remove: () => rm(home, { recursive: true, force: true }),
  }
}
