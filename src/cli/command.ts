/** What a command is, for the program that runs it and for the docs. */

import type { Environment } from './options/resolve.js'
import type { OptionKey, Settings } from './options/table.js'

/** The world around a command. Results go to `out`, everything else to `note`. */
export interface Terminal {
  /** A line on stdout. */
  readonly out: (line: string) => void
  /** A line on stderr. */
  readonly note: (line: string) => void
  /** How far long work is; may be called as often as there is something new. */
  readonly progress: (text: string) => void
  readonly environment: Environment
  /** Home folder of the user. */
  readonly home: string
}

export interface CommandContext {
  readonly settings: Settings
  /** Positional arguments in their order; an optional one that was not given is undefined. */
  readonly args: readonly (string | undefined)[]
  readonly terminal: Terminal
}

export interface CommandArgument {
  readonly name: string
  readonly help: string
  readonly optional?: boolean
  readonly choices?: readonly string[]
}

export interface Command {
  /** One word, or two: `user add`. */
  readonly name: string
  readonly summary: string
  readonly args?: readonly CommandArgument[]
  /** Beside the common ones. */
  readonly options: readonly OptionKey[]
  /** Exit code; undefined = 0. */
  readonly run: (context: CommandContext) => Promise<number | undefined>
}

/** Options that every command takes. */
export const commonOptions: readonly OptionKey[] = ['config', 'data', 'storage', 'metadata']
