import { formatBytes } from 'sif-library'
import type { Command } from '../command.js'
import { controlOptions, withControl } from '../control/open.js'
import { UsageError } from '../failure.js'
import { size } from '../options/kinds.js'
import { printJson } from '../print.js'

/** Bytes; 0 = no limit, null = the default of the registry. */
function readQuota(text: string): number | null {
  if (text === 'default') return null
  if (text === 'unlimited') return 0
  try {
    return size().read(text)
  } catch (error) {
    throw new UsageError(`quota: ${(error as Error).message}, or unlimited, or default`)
  }
}

export const quota: Command = {
  name: 'quota',
  summary: 'show or change how many bytes an entity may hold',
  args: [
    { name: 'entity', help: 'the first part of a reference' },
    { name: 'size', help: 'such as 500GiB, unlimited, or default for that of the registry', optional: true },
  ],
  options: controlOptions,
  run: ({ settings, args: [name = '', text], terminal }) => {
    const quotaBytes = text === undefined ? undefined : readQuota(text)
    return withControl(settings, async ({ entities }) => {
      const entity = await (quotaBytes === undefined ? entities.get(name) : entities.update(name, { quotaBytes }))
      const { usedBytes = 0, reservedBytes = 0, quotaBytes: limit = null } = entity
      if (settings.json) printJson(terminal, { name, usedBytes, reservedBytes, quotaBytes: limit })
      else
        terminal.out(
          `${name}: ${formatBytes(usedBytes)} used${reservedBytes > 0 ? `, ${formatBytes(reservedBytes)} announced by uploads` : ''}, ${limit === null ? 'no limit' : `of ${formatBytes(limit)}`}`,
        )
      return 0
    })
  },
}
