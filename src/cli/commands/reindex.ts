import { existsSync } from 'node:fs'
import type { Library, ReindexItem, ReindexProgress } from 'sif-library'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import type { Command, CommandContext } from '../command.js'
import { dataFolder, requireRegistry } from '../data-folder.js'
import type { Settings } from '../options/table.js'
import { printJson, printJsonOfFailure, stoppedMark } from '../print.js'
import { openMetadata, withLibrary } from '../registry.js'
import { untilDoneOrStopped } from '../serve/signals.js'

/**
 * The one command beside `serve` that may find no registry.db: it is what was lost. A dry run
 * leaves it so.
 */
async function openLost(settings: Settings) {
  const folder = dataFolder(settings)
  if (settings.metadata !== undefined || existsSync(folder.registryFile))
    return openMetadata(settings, { mayCreate: true })
  // a mistyped --data must not found a second registry
  if (settings.storage === undefined && !existsSync(folder.blobs)) requireRegistry(folder)
  return settings.dryRun ? sqliteMetadata({ file: ':memory:' }) : openMetadata(settings, { mayCreate: true })
}

function describe({ outcome, kind, what, why, bytes }: ReindexItem, dryRun: boolean): string {
  const verb = outcome === 'not-restored' ? 'cannot restore' : dryRun ? 'would restore' : 'restored'
  return `${verb} ${kind} ${what}${bytes === undefined ? '' : ` (${bytes} bytes)`}: ${why}`
}

async function restoreAll(
  library: Library,
  { settings, terminal }: CommandContext,
  signal: AbortSignal,
): Promise<number> {
  const { dryRun, json } = settings
  const items: ReindexItem[] = []
  const onItem = (item: ReindexItem): void => {
    if (json) items.push(item)
    else terminal.out(describe(item, dryRun))
  }
  const onProgress = ({ done, of, names }: ReindexProgress): void =>
    terminal.progress(names === undefined ? `${Math.round((100 * done) / of)} % of the images` : `${names} names read`)
  const result = await library.reindex({ dryRun, onItem, onProgress, signal }).catch((error: unknown) => {
    // what was restored stays
    if (json) printJsonOfFailure(terminal, { dryRun, items }, error)
    throw error
  })
  const { entities, collections, containers, images, tags, bytes, problems, orphans, orphanBytes, notCovered } = result
  if (signal.aborted) terminal.note('stopped before it was through; run it again for the rest')
  if (json) {
    printJson(terminal, { ...result, ...stoppedMark(signal), dryRun, items })
    return problems > 0 ? 1 : 0
  }
  terminal.out(
    `${entities} entities, ${collections} collections, ${containers} containers, ${images} images, ${tags} tags; ${bytes} bytes`,
  )
  if (problems > 0) terminal.out(`${problems} could not be restored`)
  if (orphans > 0)
    terminal.out(
      `${orphans} blobs (${orphanBytes} bytes) that no record and no sidecar knows: a sweep deletes them after its grace time`,
    )
  if (entities + collections + containers + images + tags > 0) {
    terminal.out('not known from the storage:')
    for (const line of notCovered) terminal.out(`- ${line}`)
  }
  return problems > 0 ? 1 : 0
}

export const reindex: Command = {
  name: 'reindex',
  summary:
    'bring back from the storage what the database has lost; changes nothing that the database has; safe beside running servers',
  options: ['dryRun', 'json'],
  run: async (context) => {
    const metadata = await openLost(context.settings)
    return untilDoneOrStopped((signal) =>
      withLibrary(context.settings, (library) => restoreAll(library, context, signal), { metadata }),
    )
  },
}
