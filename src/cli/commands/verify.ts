import type { Library, VerifiedItem } from 'sif-library'
import type { Command, CommandContext } from '../command.js'
import { UsageError } from '../failure.js'
import { formatBytes, printJson } from '../print.js'
import { withLibrary } from '../registry.js'
import { untilDoneOrStopped } from '../signals.js'

const describe = ({ outcome, path, digest, reason }: VerifiedItem): string => `${outcome} ${path} sha256.${digest}${reason === undefined ? '' : `: ${reason}`}`

async function verifyAll(library: Library, { settings, terminal }: CommandContext, signal: AbortSignal): Promise<number> {
  const { all, rate, after, json } = settings
  if (after !== undefined && !/^[0-9a-f]{24}$/.test(after)) throw new UsageError('--after: expected the id of an image, 24 hex digits')
  const items: VerifiedItem[] = []
  let last = after
  let images = 0
  let read = 0
  const onItem = (item: VerifiedItem): void => {
    last = item.imageId
    images += 1
    read += item.size
    if (json) items.push(item)
    else if (item.outcome !== 'proven') terminal.out(describe(item))
    terminal.progress(`${images} images, ${formatBytes(read)} read; to go on from here: --after ${last}`)
  }
  const limits = { ...(rate !== undefined && { bytesPerSecond: rate }), ...(after !== undefined && { after }) }
  const result = await library.verify({ all, onItem, signal, ...limits })
  if (json) printJson(terminal, { ...result, items })
  else terminal.out(`${result.proven} proven, ${result.damaged} damaged, ${result.healed} healed, ${result.unreadable} unreadable; ${result.bytes} bytes read`)
  if (signal.aborted) terminal.note(`stopped${last === undefined ? '' : `; to go on from here: --after ${last}`}`)
  return result.damaged + result.unreadable > 0 ? 1 : 0
}

export const verify: Command = {
  name: 'verify',
  summary: 'read images back and compare size and SHA-256; what is damaged is hidden and reported, what was healed is shown again',
  options: ['all', 'rate', 'after', 'json'],
  run: (context) => untilDoneOrStopped((signal) => withLibrary(context.settings, (library) => verifyAll(library, context, signal))),
}
