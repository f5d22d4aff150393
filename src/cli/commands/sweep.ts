import type { SweptItem } from 'sif-library'
import type { Command } from '../command.js'
import { printJson } from '../print.js'
import { withLibrary } from '../registry.js'

export const sweep: Command = {
  name: 'sweep',
  summary: 'end stale uploads and delete bytes that no image refers to; safe beside running servers',
  options: ['dryRun', 'grace', 'uploadTime', 'json'],
  run: ({ settings, terminal }) =>
    withLibrary(settings, async (library) => {
      const { dryRun, json } = settings
      const items: SweptItem[] = []
      const onItem = (item: SweptItem): void => {
        if (json) items.push(item)
        else terminal.out(`${dryRun ? 'would remove' : 'removed'} ${item.kind} ${item.what}${item.bytes > 0 ? ` (${item.bytes} bytes)` : ''}: ${item.why}`)
      }
      const result = await library.sweep({ graceSeconds: settings.grace, dryRun, onItem })
      if (json) printJson(terminal, { ...result, dryRun, items })
      else
        terminal.out(`${result.uploads} uploads, ${result.blobs} blobs, ${result.orphans} orphans, ${result.temporary} temporary files; ${result.bytes} bytes`)
      return 0
    }),
}
