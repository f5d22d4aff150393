import { type CopiedItem, type CopyStorageResult, copyStorage as copyObjects, formatBytes } from 'sif-library'
import type { StorageBackend } from 'sif-library/storage'
import type { Command, CommandContext } from '../command.js'
import { dataFolder, readServerRecord } from '../data-folder.js'
import { UsageError } from '../failure.js'
import { printJson, printJsonOfFailure, stoppedMark } from '../print.js'
import { openStorage } from '../registry.js'
import { isAlive } from '../serve/server-record.js'
import { untilDoneOrStopped } from '../serve/signals.js'

const url = 'filesystem:DIR or s3://BUCKET[/PREFIX][?endpoint=URL&…], as in --storage'

export const copyStorage: Command = {
  name: 'copy-storage',
  summary:
    'copy all images, sidecars and the mark from one storage to another one, with proof; may be stopped and run again',
  args: [
    { name: 'from', help: url },
    { name: 'to', help: url },
  ],
  options: ['dryRun', 'recheck', 'prune', 'concurrency', 'json'],
  run: (context) => untilDoneOrStopped((signal) => copyFromTo(context, signal)),
}

const words = { copied: 'copied', present: 'present', damaged: 'DAMAGED', failed: 'FAILED', pruned: 'deleted' }

const describe = ({ outcome, key, why }: CopiedItem, dryRun: boolean): string =>
  `${dryRun && outcome === 'pruned' ? 'would delete' : words[outcome]} ${key}${why === undefined ? '' : `: ${why}`}`

const describeTotals = ({ copied, present, damaged, failed, pruned, bytes }: CopyStorageResult): string =>
  `${copied} copied (${formatBytes(bytes)}), ${present} there already, ${pruned} deleted, ${damaged} damaged, ${failed} failed`

async function withStorages<T>(
  { settings, args: [from = '', to = ''] }: CommandContext,
  work: (storages: { readonly from: StorageBackend; readonly to: StorageBackend }) => Promise<T>,
): Promise<T> {
  if (from === to) throw new UsageError('both storages are the same')
  const open = (storage: string): Promise<StorageBackend> => openStorage({ ...settings, storage }, dataFolder(settings))
  const source = await open(from)
  try {
    const target = await open(to)
    try {
      return await work({ from: source, to: target })
    } finally {
      await target.close?.()
    }
  } finally {
    await source.close?.()
  }
}

async function copyFromTo(context: CommandContext, signal: AbortSignal): Promise<number> {
  const { settings, terminal } = context
  const { dryRun, recheck, prune, concurrency, json } = settings
  const items: CopiedItem[] = []
  let soFar: CopyStorageResult | undefined
  const onItem = (item: CopiedItem): void => {
    if (item.outcome === 'present') return
    if (json) items.push(item)
    else if (item.outcome !== 'copied') terminal.out(describe(item, dryRun))
  }
  const onProgress = (result: CopyStorageResult): void => {
    soFar = result
    terminal.progress(`${result.copied + result.present} objects, ${formatBytes(result.bytes)} copied`)
  }
  const result = await withStorages(context, ({ from, to }) =>
    copyObjects({ from, to, dryRun, recheck, prune, concurrency, onItem, onProgress, signal }),
  ).catch((error: unknown) => {
    if (json) printJsonOfFailure(terminal, { dryRun, items }, error)
    else if (soFar !== undefined) terminal.out(describeTotals(soFar))
    throw error
  })
  if (json) printJson(terminal, { ...result, ...stoppedMark(signal), dryRun, items })
  else terminal.out(`${dryRun ? 'would be: ' : ''}${describeTotals(result)}`)
  if (result.missing !== undefined)
    terminal.note(`the target does not answer yet (${result.missing}); a copy makes the bucket if it may`)
  await sayWhatIsLeft(context, { result, stopped: signal.aborted })
  return result.damaged + result.failed > 0 ? 1 : 0
}

async function sayWhatIsLeft(
  { settings, terminal }: CommandContext,
  { result, stopped }: { readonly result: CopyStorageResult; readonly stopped: boolean },
): Promise<void> {
  if (settings.dryRun) return
  if (stopped || result.failed > 0) {
    terminal.note('the copy is not whole: run the same command again, it goes on with what is missing')
    return
  }
  const record = await readServerRecord(dataFolder(settings)).catch(() => undefined)
  if (record !== undefined && (await isAlive(record)))
    terminal.note(
      `a server runs (${record.url}): what is pushed from now on is not in the copy. Stop it, run the same command again, then start it with the new --storage`,
    )
  else if (!result.marked)
    terminal.note(
      'the source has no mark of a registry, so the target has none: serve takes it once with --accept-storage',
    )
}
