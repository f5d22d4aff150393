import type { Command } from '../command.js'
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
  options: ['json'],
  run: ({ settings, args: [path = '', change], terminal }) =>
    withLibrary(settings, async (library) => {
      const state = await library.visibility(
        path,
        choices.find((choice) => choice === change),
      )
      if (settings.json) printJson(terminal, state)
      else
        terminal.out(
          `${state.path} ${state.private ? 'private' : 'public'}${state.privateByCollection ? ' (hidden: its collection is private)' : ''}`,
        )
      return 0
    }),
}
