import type { Command } from '../command.js'
import { UsageError, WorkError } from '../failure.js'
import { printJson } from '../print.js'
import { withLibrary } from '../registry.js'

const choices = ['private', 'public'] as const

export const visibility: Command = {
  name: 'visibility',
  summary: 'show or change who sees an entity (the default for what is made in it later), a collection or a container',
  args: [
    { name: 'path', help: 'entity, entity/collection or entity/collection/container' },
    { name: 'visibility', help: 'without it, the present state is shown', optional: true, choices },
  ],
  options: ['create', 'user', 'defaultPrivate', 'json'],
  run: ({ settings, args: [path = '', word], terminal }) => {
    const { create, user } = settings
    const change = choices.find((choice) => choice === word)
    if (create && change === undefined) throw new UsageError('--create needs the word private or public')
    if (user !== undefined && !create) throw new UsageError('--user names the owner of what --create makes')
    return withLibrary(settings, async (library) => {
      const owner = user === undefined ? undefined : (await library.accounts.findUser(user))?.id
      if (user !== undefined && owner === undefined) throw new WorkError(`no such user: ${user}`)
      const state = await library.visibility(path, change, { create, owner })
      if (settings.json) printJson(terminal, state)
      else
        terminal.out(
          `${state.path} ${state.private ? 'private' : 'public'}${state.privateByCollection ? ' (hidden: its collection is private)' : ''}`,
        )
      return 0
    })
  },
}
