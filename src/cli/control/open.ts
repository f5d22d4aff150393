/**
 * The use cases of people, for commands: on this data folder as its operator, or on a server
 * elsewhere by a token.
 */
import { readFile } from 'node:fs/promises'
import type { Library } from 'sif-library'
import { createClient } from 'sif-library/client'
import { UsageError } from '../failure.js'
import type { OptionKey, Settings } from '../options/table.js'
import { withLibrary } from '../registry.js'

export type Control = Library['operator']

/** Options of every command that works through {@link withControl}. */
export const controlOptions: readonly OptionKey[] = ['url', 'tokenFile', 'json']

/** With `--url` over HTTP, otherwise beside a running server, where nobody is asked. */
export async function withControl<T>(settings: Settings, work: (control: Control) => Promise<T>): Promise<T> {
  const { url, tokenFile } = settings
  if (url === undefined) {
    if (tokenFile !== undefined) throw new UsageError('--token-file is for a registry that --url names')
    return withLibrary(settings, (library) => work(library.operator))
  }
  const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim()
  return work(createClient({ url, ...(token !== undefined && { token }) }))
}
