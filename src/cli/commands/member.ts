import { roles } from 'sif-library'
import type { Command } from '../command.js'
import { UsageError, WorkError } from '../failure.js'
import { formatTable, formatTime, printJson } from '../print.js'
import { withAccounts } from '../registry.js'

const entity = { name: 'entity', help: 'the first part of a reference' }
const member = { name: 'member', help: 'name of a user, or group:NAME' }

/** `alice` and `user:alice` are a user, `group:lab` everybody in a group. Names have no colon. */
function memberNamed(text: string): { readonly user: string } | { readonly group: string } {
  return text.startsWith('group:') ? { group: text.slice('group:'.length) } : { user: text.replace(/^user:/, '') }
}

export const memberList: Command = {
  name: 'member list',
  summary: 'list who may do what in an entity beside its owner, its group and the admins',
  args: [entity],
  options: ['json'],
  run: ({ settings, args: [entity = ''], terminal }) =>
    withAccounts(settings, async (accounts) => {
      const members = await accounts.members.list(entity)
      const rows = members.map(({ kind, name, role, createdAt }) => ({
        ...{ member: kind === 'group' ? `group:${name}` : name, role, since: formatTime(createdAt) },
      }))
      if (settings.json) printJson(terminal, members)
      else for (const line of formatTable(rows)) terminal.out(line)
      if (members.length === 0) terminal.note(`${entity} has no members`)
      return 0
    }),
}

export const memberAdd: Command = {
  name: 'member add',
  summary: 'make a user or a group a member of an entity, or change the role; works beside a running server',
  args: [entity, member],
  options: ['role', 'json'],
  run: ({ settings, args: [entity = '', text = ''], terminal }) => {
    const { role, json } = settings
    if (role === undefined) throw new UsageError(`--role is missing: ${roles.join(', ')}`)
    const named = memberNamed(text)
    return withAccounts(settings, async (accounts) => {
      const made = await accounts.members.set({ entity, ...named, role })
      if (json) printJson(terminal, made)
      else terminal.out(`${text} is ${role} in ${entity}`)
      if ('group' in named && !(await accounts.listUsers()).some(({ groups }) => groups.includes(named.group)))
        terminal.note(`no user is in the group ${named.group} yet`)
      return 0
    })
  },
}

export const memberRemove: Command = {
  name: 'member remove',
  summary: 'take a member out of an entity; from the next request on',
  args: [entity, member],
  options: ['json'],
  run: ({ settings, args: [entity = '', text = ''], terminal }) =>
    withAccounts(settings, async (accounts) => {
      if (!(await accounts.members.remove({ entity, ...memberNamed(text) })))
        throw new WorkError(`${text} is no member of ${entity}`)
      if (settings.json) printJson(terminal, { removed: text, entity })
      else terminal.out(`removed ${text} from ${entity}`)
      return 0
    }),
}
