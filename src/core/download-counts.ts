/**
 * Counts downloads. A pull must not wait for its count, and a hundred pulls of one container must not take a connection each to wait for its row: the counts are gathered, and one
 * statement at a time writes them. A crash loses those of the last seconds.
 */
import type { MetadataStore } from '../storage/metadata/contract.js'
import type { Settings } from './options.js'

export interface DownloadCounts {
  count(containerId: string): void
  /** Writes what was counted; never throws. */
  flush(): Promise<void>
}

const delayMs = 2000

export function createDownloadCounts({ metadata, settings }: { readonly metadata: MetadataStore; readonly settings: Settings }): DownloadCounts {
  let counts = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    const gathered = counts
    counts = new Map()
    try {
      for (const [id, count] of gathered) await metadata.containers.countDownloads(id, count)
    } catch (err) {
      settings.logger.warn({ err }, 'some downloads were not counted')
    }
  }

  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(write)
    return writing
  }

  return {
    count: (containerId) => {
      counts.set(containerId, (counts.get(containerId) ?? 0) + 1)
      if (timer !== undefined) return
      timer = setTimeout(() => void flush(), delayMs)
      timer.unref()
    },
    flush,
  }
}
