/**
 * Counts downloads. A pull must not wait for its count, and a hundred pulls of one container must not take a connection each to wait for its row: the counts are gathered, and one
 * statement at a time writes them. A crash loses those of the last seconds.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { MetadataStore } from '../../storage/metadata/contract.js'
import type { Settings } from '../settings.js'

export interface DownloadCounts {
  count(containerId: string): void
  /** Writes what was counted, for some seconds at the most; never throws. */
  flush(): Promise<void>
}

const delayMs = 2000
const flushMs = 5000

export function createDownloadCounts({
  metadata,
  settings,
}: {
  readonly metadata: MetadataStore
  readonly settings: Settings
}): DownloadCounts {
  let counts = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  const add = (id: string, count: number): void => {
    counts.set(id, (counts.get(id) ?? 0) + count)
  }

  const write = async (): Promise<void> => {
    const gathered = [...counts]
    counts = new Map()
    while (gathered.length > 0) {
      const [id, count] = gathered[0] as [string, number]
      try {
        await metadata.containers.countDownloads(id, count)
        gathered.shift()
      } catch (err) {
        settings.logger.warn({ err }, 'downloads are counted later')
        // with the next one that is counted
        for (const [left, later] of gathered) add(left, later)
        return
      }
    }
  }

  const start = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(write)
    return writing
  }

  return {
    count: (containerId) => {
      add(containerId, 1)
      if (timer !== undefined) return
      timer = setTimeout(() => void start(), delayMs)
      timer.unref()
    },
    flush: async () => {
      const late = new AbortController()
      await Promise.race([start(), wait(flushMs, undefined, { ref: false, signal: late.signal }).catch(() => {})])
      late.abort()
    },
  }
}
