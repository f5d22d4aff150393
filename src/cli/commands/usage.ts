import { formatBytes } from 'sif-library'
import type { Command } from '../command.js'
import { controlOptions, withControl } from '../control/open.js'
import { readPlace } from '../control/reference.js'
import { UsageError } from '../failure.js'
import { formatTable, printCsv, printJson } from '../print.js'

export const usage: Command = {
  name: 'usage',
  summary: 'show who uses the space: the largest entities, or what is largest in an entity or a collection',
  args: [{ name: 'path', help: 'entity or entity/collection', optional: true }],
  options: [...controlOptions, 'csv'],
  run: ({ settings, args: [text], terminal }) => {
    const place = text === undefined ? undefined : readPlace(text)
    if (place?.depth === 3) throw new UsageError(`${text}: list shows what a container holds`)
    return withControl(settings, async (control) => {
      const found = await control.usage.get({ top: 200, ...(place !== undefined && { under: place.path }) })
      const { children, others, usedBytes, images } = found
      if (settings.json) printJson(terminal, found)
      else if (settings.csv) printCsv(terminal, children)
      else {
        const rows = [...children, ...(others.images > 0 ? [{ path: '(others)', ...others }] : [])]
        for (const line of formatTable(
          rows.map((row) => ({ path: row.path, size: formatBytes(row.usedBytes), images: String(row.images) })),
        ))
          terminal.out(line)
        terminal.out(`${formatBytes(usedBytes)} in ${images} images`)
      }
      return 0
    })
  },
}
