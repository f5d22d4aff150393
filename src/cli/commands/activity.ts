import type { Command } from '../command.js'
import { controlOptions, withControl } from '../control/open.js'
import { readPlace } from '../control/reference.js'
import { UsageError } from '../failure.js'
import { printRows } from '../print.js'

export const activity: Command = {
  name: 'activity',
  summary: 'show who did what, newest first: everywhere, in an entity or in a container',
  args: [{ name: 'path', help: 'entity or entity/collection/container', optional: true }],
  options: [...controlOptions, 'csv', 'limit', 'user'],
  run: ({ settings, args: [text], terminal }) => {
    const place = text === undefined ? undefined : readPlace(text)
    if (place?.depth === 2) throw new UsageError(`${text}: activity is that of an entity, or of a container`)
    const within = place === undefined ? {} : place.depth === 1 ? { entity: place.path } : { container: place.path }
    return withControl(settings, async (control) => {
      const events = []
      const by = settings.user === undefined ? {} : { actor: settings.user }
      for await (const event of control.events.all({ ...within, ...by })) {
        if (events.length === settings.limit) break
        events.push(event)
      }
      printRows(terminal, settings, {
        values: events,
        isCut: false,
        shown: events.map(({ at, actor, action, path, tag, digest }) => ({
          at: at.replace(/\.\d+Z$/, 'Z'),
          who: actor.name ?? actor.via,
          action,
          path: `${path ?? '-'}${tag === null ? '' : `:${tag}`}`,
          hash: digest === null ? '-' : digest.slice(0, 12),
        })),
      })
      if (events.length === 0) terminal.note('nothing happened, or it is older than --activity-days of serve')
      return 0
    })
  },
}
