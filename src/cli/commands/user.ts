import type { Command } from '../command.js'
import { UsageError, WorkError } from '../failure.js'
import { formatTable, formatTime, printJson } from '../print.js'
import { withAccounts } from '../registry.js'
import { formatTokens } from './token.js'

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

export const userSet: Command = {
  name: 'user set',
  summary: 'change what a user may; works beside a running server',
  args: [name],
  options: ['admin', 'noAdmin', 'group', 'removeGroup', 'json'],
  run: ({ settings, args: [name = ''], terminal }) => {
    const { admin, noAdmin, group: added, removeGroup: removed } = settings
    if (admin && noAdmin) throw new UsageError('--admin and --no-admin: which of them?')
    const both = added.find((each) => removed.includes(each))
    if (both !== undefined) throw new UsageError(`--group and --remove-group both name ${both}`)
    if (!admin && !noAdmin && added.length + removed.length === 0)
      throw new UsageError('nothing to change: say --admin, --no-admin, --group or --remove-group')
    return withAccounts(settings, async (accounts) => {
      const before = await accounts.findUser(name)
      if (before === undefined) throw new WorkError(`no such user: ${name}`)
      for (const group of removed)
        if (!before.groups.includes(group)) terminal.note(`${name} was not in the group ${group}`)
      const user = await accounts.updateUser(name, {
        ...((admin || noAdmin) && { admin }),
        groups: [...new Set([...before.groups, ...added])].filter((group) => !removed.includes(group)),
      })
      if (settings.json) printJson(terminal, user)
      else terminal.out(`${name}: ${user.admin ? 'admin' : 'no admin'}, groups ${user.groups.join(',') || '-'}`)
      if (before.admin && !user.admin && !(await accounts.listUsers()).some((each) => each.admin))
        terminal.note('no user is an admin now')
      return 0
    })
  },
}

export const userShow: Command = {
  name: 'user show',
  summary: 'show a user with their tokens',
  args: [name],
  options: ['json'],
  run: ({ settings, args: [name = ''], terminal }) =>
    withAccounts(settings, async (accounts) => {
      const user = await accounts.findUser(name)
      if (user === undefined) throw new WorkError(`no such user: ${name}`)
      const tokens = await accounts.listTokens(name)
      if (settings.json) {
        printJson(terminal, { ...user, tokens })
        return 0
      }
      for (const [what, value] of [
        ['name', user.name],
        ['admin', user.admin ? 'yes' : 'no'],
        ['groups', user.groups.join(',') || '-'],
        ['pushes to', user.admin ? 'everything' : [user.name, ...user.groups].join(',')],
        ['created', formatTime(user.createdAt)],
        ['id', user.id],
        ['tokens', String(tokens.length)],
      ] as const)
        terminal.out(`${what.padEnd(10)} ${value}`)
      if (tokens.length > 0) terminal.out('')
      for (const line of formatTokens(tokens)) terminal.out(line)
      return 0
    }),
}

export const userRemove: Command = {
  name: 'user remove',
  summary: 'remove a user and their tokens; their images stay, and their name is not given away by itself',
  args: [name],
  options: ['json'],
  run: ({ settings, args: [name = ''], terminal }) =>
    withAccounts(settings, async (accounts) => {
      if (!(await accounts.removeUser(name))) throw new WorkError(`no such user: ${name}`)
      if (settings.json) printJson(terminal, { removed: name })
      else terminal.out(`removed ${name}`)
      return 0
    }),
}
