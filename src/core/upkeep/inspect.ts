/** Inspecting what was pushed before its version read so much, or was put back by `reindex`. */
import { messageOf } from '../../foreign.js'
import type { SifState } from '../../sif/index.js'
import { isStorageError } from '../../storage/blob/errors.js'
import type { Logger } from '../http/logger.js'
import { inspectAgain, inspectionVersion } from '../images/inspections.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'
import type { Job } from './jobs.js'

export interface InspectedItem {
  /** `entity/collection/container` of one image that has the bytes. */
  readonly path: string
  readonly digest: string
  /**
   * `unreadable`: the bytes are not there, or the storage did not answer; tried again by the next
   * run.
   */
  readonly outcome: SifState | 'unreadable'
  readonly reason?: string
}

export interface InspectAllOptions {
  /** Also what was inspected by this version. Default: false. */
  readonly again?: boolean
  readonly onItem?: (item: InspectedItem, totals: InspectAllResult) => void
  /** Stops after the file that it is at. */
  readonly signal?: AbortSignal
}

/** Files, each counted once however many images have it. */
export interface InspectAllResult {
  readonly inspected: number
  readonly unreadable: number
}

const pageSize = 100

/**
 * Inspects all bytes whose inspection is missing or of an earlier version: 64 KiB of most files.
 */
export async function inspectAll(services: Services, options: InspectAllOptions = {}): Promise<InspectAllResult> {
  const { metadata, storageMark } = services
  const { again = false, signal, onItem } = options
  const totals = { inspected: 0, unreadable: 0 }
  // in a storage that is not mounted every file would be missing
  await storageMark.check()
  const last = again ? inspectionVersion : inspectionVersion - 1
  // each blob is asked for in the version that it had at the start: from the newest to the oldest
  // none comes twice
  for (let version = last; version >= 0; version -= 1) {
    let after: string | undefined
    for (;;) {
      const page = await metadata.blobs.findInspected({
        version,
        limit: pageSize,
        ...(after !== undefined && { after }),
      })
      for (const { key, size, digest } of page) {
        if (signal?.aborted === true) return totals
        const [owner] = await metadata.blobs.imagesOf(key, 1)
        if (owner === undefined) continue
        const item = { path: containerPath(owner.container), digest }
        try {
          const { state, reason } = await inspectAgain(services, { key, size })
          totals.inspected += 1
          onItem?.({ ...item, outcome: state, ...(reason !== null && { reason }) }, { ...totals })
        } catch (error) {
          if (!isStorageError(error)) throw error
          totals.unreadable += 1
          onItem?.({ ...item, outcome: 'unreadable', reason: messageOf(error) }, { ...totals })
        }
      }
      after = page.at(-1)?.key
      if (page.length < pageSize) break
    }
  }
  return totals
}

/** An hour: what waits is there once after an upgrade or a reindex, and hardly ever between. */
const everySeconds = 3600

export function inspectJob(inspect: (options: InspectAllOptions) => Promise<InspectAllResult>, logger: Logger): Job {
  return {
    name: 'library.inspect',
    everySeconds,
    run: async (signal) => {
      const result = await inspect({ signal })
      if (result.inspected + result.unreadable > 0) logger.info({ ...result }, 'inspected images of an earlier version')
    },
  }
}
