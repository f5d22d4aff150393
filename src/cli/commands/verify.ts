import { formatBytes, type Library, type VerifiedItem, type VerifyResult } from 'sif-library'
import type { Command, CommandContext } from '../command.js'
import { UsageError } from '../failure.js'
import { printJson, printJsonOfFailure, stoppedMark } from '../print.js'
import { withLibrary } from '../registry.js'
import { untilDoneOrStopped } from '../serve/signals.js'

const describe = ({ outcome, path, digest, reason }: VerifiedItem): string =>
  `${outcome} ${path} sha256.${digest}${reason === undefined ? '' : `: ${reason}`}`

const describeTotals = ({ proven, damaged, healed, unreadable, bytes }: VerifyResult): string =>
  `${proven} proven, ${damaged} damaged, ${healed} healed, ${unreadable} unreadable; ${bytes} bytes read`

async function verifyAll(
  library: Library,
  { settings, terminal }: CommandContext,
  signal: AbortSignal,
): Promise<number> {
  const { all, rate, after, hideMissing, json } = settings
  if (after !== undefined && !/^[0-9a-f]{24}$/.test(after))
    throw new UsageError('--after: expected the id of an image, 24 hex digits')
  const items: VerifiedItem[] = []
  let last = after
  let images = 0
  let soFar: VerifyResult | undefined
  const onItem = (item: VerifiedItem, totals: VerifyResult): void => {
    last = item.imageId
    images += 1
    soFar = totals
    if (json) items.push(item)
    else if (item.outcome !== 'proven') terminal.out(describe(item))
    terminal.progress(`${images} images, ${formatBytes(totals.bytes)} read; to go on from here: --after ${last}`)
  }
  const limits = { bytesPerSecond: rate, after }
  const result = await library.verify({ all, hideMissing, onItem, signal, ...limits }).catch((error: unknown) => {
    // what was looked at need not be read again
    if (json) printJsonOfFailure(terminal, { items }, error)
    else if (soFar !== undefined) terminal.out(describeTotals(soFar))
    if (last !== undefined) terminal.note(`to go on from here: --after ${last}`)
    throw error
  })
  if (json) printJson(terminal, { ...result, ...stoppedMark(signal), items })
  else terminal.out(describeTotals(result))
  if (signal.aborted) terminal.note(`stopped${last === undefined ? '' : `; to go on from here: --after ${last}`}`)
  return result.damaged + result.unreadable > 0 ? 1 : 0
}

export const verify: Command = {
  name: 'verify',
  summary:
    'read images back and compare size and SHA-256; what is damaged is hidden and reported, what was healed is shown again',
  options: ['all', 'rate', 'after', 'hideMissing', 'json'],
  run: (context) =>
    untilDoneOrStopped((signal) => withLibrary(context.settings, (library) => verifyAll(library, context, signal))),
}
