import type { Command } from '../command.js'
import { WorkError } from '../failure.js'
import { formatTable, formatTime, printJson } from '../print.js'
import { withAccounts } from '../registry.js'

const name = { name: 'name', help: 'the name is also the user’s own entity' }

export const userAdd: Command = {
  name: 'user add',
  summary: 'add a user; works beside a running server',
  args: [name],
  options: ['admin', 'group', 'takeOver', 'json'],
  run: ({ settings, args: [name = ''], terminal }) =>
    withAccounts(settings, async (accounts) => {
      const { admin, group: groups, takeOver } = settings
      const user = await accounts.addUser({ name, admin, groups, takeOver })
      if (settings.json) printJson(terminal, user)
      else terminal.out(`added ${user.name}`)
      return 0
    }),
}

export const userList: Command = {
  name: 'user list',
  summary: 'list the users',
  options: ['json'],
  run: ({ settings, terminal }) =>
    withAccounts(settings, async (accounts) => {
      const users = await accounts.listUsers()
      const rows = users.map((user) => ({
        name: user.name,
        admin: user.admin ? 'yes' : 'no',
        groups: user.groups.join(',') || '-',
        created: formatTime(user.createdAt),
      }))
      if (settings.json) printJson(terminal, users)
      else for (const line of formatTable(rows)) terminal.out(line)
      return 0
    }),
}

export const userRemove: Command = {
  name: 'user remove',
  summary: 'remove a user and their tokens; their images stay, and their name is not given away by itself',
  args: [name],
  options: [],
  run: ({ settings, args: [name = ''], terminal }) =>
    withAccounts(settings, async (accounts) => {
      if (!(await accounts.removeUser(name))) throw new WorkError(`no such user: ${name}`)
      terminal.out(`removed ${name}`)
      return 0
    }),
}
