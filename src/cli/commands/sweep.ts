import type { Library, SweepProgress, SweptItem } from 'sif-library'
import type { Command, CommandContext } from '../command.js'
import { printJson, printJsonOfFailure, stoppedMark } from '../print.js'
import { withLibrary } from '../registry.js'
import { untilDoneOrStopped } from '../serve/signals.js'

async function sweepAll(
  library: Library,
  { settings, terminal }: CommandContext,
  signal: AbortSignal,
): Promise<number> {
  const { dryRun, json } = settings
  const items: SweptItem[] = []
  const onItem = (item: SweptItem): void => {
    if (json) items.push(item)
    else
      terminal.out(
        `${dryRun ? 'would remove' : 'removed'} ${item.kind} ${item.what}${item.bytes > 0 ? ` (${item.bytes} bytes)` : ''}: ${item.why}`,
      )
  }
  const onProgress = ({ files }: SweepProgress): void => terminal.progress(`${files} files looked at`)
  const result = await library
    .sweep({ graceSeconds: settings.grace, dryRun, onItem, onProgress, signal })
    .catch((error: unknown) => {
      // one step failed; what the others removed is removed
      if (json) printJsonOfFailure(terminal, { dryRun, items }, error)
      throw error
    })
  if (json) {
    printJson(terminal, { ...result, ...stoppedMark(signal), dryRun, items })
    return 0
  }
  const { uploads, images, blobs, orphans, temporary, kept, bytes } = result
  terminal.out(
    `${uploads} uploads, ${images} images, ${blobs} blobs, ${orphans} orphans, ${temporary} temporary files; ${bytes} bytes`,
  )
  if (signal.aborted) terminal.note('stopped before it was through')
  if (kept > 0)
    terminal.out(
      `${kept} blobs are kept because sidecars name them, of images that the database does not know: run sif-library reindex`,
    )
  return 0
}

async function explainOne(library: Library, { settings, terminal }: CommandContext): Promise<number> {
  const found = await library.explain(settings.explain ?? '', { graceSeconds: settings.grace })
  if (settings.json) printJson(terminal, found)
  else for (const { key, why, size } of found) terminal.out(`${key}${size === null ? '' : ` (${size} bytes)`}: ${why}`)
  return found.every(({ fate }) => fate === 'absent') ? 1 : 0
}

export const sweep: Command = {
  name: 'sweep',
  summary: 'end stale uploads and delete bytes that no image refers to; safe beside running servers',
  options: ['dryRun', 'explain', 'grace', 'uploadTime', 'activityDays', 'json'],
  run: (context) =>
    untilDoneOrStopped((signal) =>
      withLibrary(context.settings, (library) =>
        context.settings.explain === undefined ? sweepAll(library, context, signal) : explainOne(library, context),
      ),
    ),
}
