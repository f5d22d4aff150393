/** How this program was called, so that the lines it prints can be typed as they are. */
import { realpathSync } from 'node:fs'
import { delimiter, dirname, relative, sep } from 'node:path'

const isPlain = /^[A-Za-z0-9_@%+=:,./-]+$/

/** Quotes an argument for a POSIX shell where it needs that. */
export function quote(argument: string): string {
  return isPlain.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}

/**
 * `sif-library` where the shell finds it, `npx sif-library` in a project that installed it,
 * otherwise the script by its path.
 */
export function invocation(options: { readonly script: string; readonly path: string; readonly cwd: string }): string {
  const { script, path, cwd } = options
  const folder = dirname(script)
  const byName = script.endsWith(`${sep}sif-library`)
  if (byName && folder.endsWith(`node_modules${sep}.bin`)) return 'npx sif-library'
  if (byName && path.split(delimiter).includes(folder)) return 'sif-library'
  const file = realpathSync(script)
  const near = relative(cwd, file)
  return `node ${quote(near.startsWith('..') ? file : near)}`
}
