/**
 * Who changed what by a command beside the server: a line in DATA/commands.log, of the same form as
 * in the log of `serve`.
 */
import { appendFileSync, existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dataFolder } from './data-folder.js'
import { systemReason } from './failure.js'
import type { Settings } from './options/table.js'

/** The other events of a command say what the registry did by itself. */
export const operatorEvents: readonly (
  | 'visibility.changed'
  | 'user.added'
  | 'user.changed'
  | 'user.removed'
  | 'token.created'
  | 'token.revoked'
)[] = ['visibility.changed', 'user.added', 'user.changed', 'user.removed', 'token.created', 'token.revoked']

/** The account of the operating system: a command asks for no other. */
function operator(): { readonly operator: string; readonly sudo?: string } {
  const sudo = process.env.SUDO_USER
  let name: string
  try {
    name = userInfo().username
  } catch {
    // a user id without a name, as containers have
    name = String(process.getuid?.())
  }
  return sudo === undefined ? { operator: name } : { operator: name, sudo }
}

/**
 * Appends an event. Where there is no data folder there is no such file; one that cannot be written
 * is warned of, and the command goes on.
 */
export function recordEvent(settings: Pick<Settings, 'data'>, name: string, facts: object): void {
  const { directory, commandLog } = dataFolder(settings)
  if (!existsSync(directory)) return
  const line = JSON.stringify({ level: 30, time: new Date().toISOString(), ...operator(), ...facts, msg: name })
  try {
    appendFileSync(commandLog, `${line}\n`, { mode: 0o600 })
  } catch (error) {
    process.emitWarning(`${name} is not recorded in ${commandLog}: ${systemReason(error)}`)
  }
}
