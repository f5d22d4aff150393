/** A library to preload, under which link() and rename() refuse as those of other file systems do (see refuse-links.c). */
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Refusals {
  readonly REFUSE_LINKS?: 'EPERM' | 'ENOTSUP' | 'EXDEV'
  readonly REFUSE_MOUNT?: string
  readonly REFUSE_RENAME?: string
}

let built: string | undefined

/** undefined where nothing can be compiled, or preloaded. */
export function buildRefuseLinks(): string | undefined {
  if (process.platform !== 'linux') return undefined
  if (built !== undefined) return built
  const library = join(mkdtempSync(join(tmpdir(), 'refuse-links-')), 'refuse-links.so')
  const source = fileURLToPath(new URL('refuse-links.c', import.meta.url))
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source, '-ldl'])
  } catch {
    return undefined
  }
  built = library
  return built
}

/** Environment of a process under the library. */
export function refusing(library: string, refusals: Refusals): Record<string, string> {
  return { LD_PRELOAD: library, ...refusals }
}
