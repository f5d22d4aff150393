import type { VerifiedItem } from 'sif-library'
import type { Command } from '../command.js'
import { printJson } from '../print.js'
import { withLibrary } from '../registry.js'

const describe = ({ outcome, path, digest, reason }: VerifiedItem): string => `${outcome} ${path} sha256.${digest}${reason === undefined ? '' : `: ${reason}`}`

export const verify: Command = {
  name: 'verify',
  summary: 'read images back and compare size and SHA-256; what is damaged is hidden and reported, what was healed is shown again',
  options: ['all', 'rate', 'json'],
  run: ({ settings, terminal }) =>
    withLibrary(settings, async (library) => {
      const { all, rate, json } = settings
      const items: VerifiedItem[] = []
      const onItem = (item: VerifiedItem): void => {
        if (json) items.push(item)
        else if (item.outcome !== 'proven') terminal.out(describe(item))
      }
      const result = await library.verify({ all, onItem, ...(rate === undefined ? {} : { bytesPerSecond: rate }) })
      if (json) printJson(terminal, { ...result, items })
      else
        terminal.out(`${result.proven} proven, ${result.damaged} damaged, ${result.healed} healed, ${result.unreadable} unreadable; ${result.bytes} bytes read`)
      return result.damaged + result.unreadable > 0 ? 1 : 0
    }),
}
