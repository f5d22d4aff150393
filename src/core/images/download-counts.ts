/**
 * Counts downloads. A pull must not wait for its count, and a hundred pulls of one container must
 * not take a connection each to wait for its row: the counts are gathered, and one transaction at a
 * time writes some of them. A crash loses those of the last seconds.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { CountedPulls, MetadataStore } from '../../storage/metadata/contract.js'
import type { Settings } from '../settings.js'

export interface DownloadCounts {
  count(containerId: string, imageId: string): void
  /** Writes what was counted, for some seconds at the most; never throws. */
  flush(): Promise<void>
}

const delayMs = 2000
const flushMs = 5000
/** Images of one transaction. */
const writtenAtOnce = 50

export function createDownloadCounts({
  metadata,
  settings,
}: {
  readonly metadata: MetadataStore
  readonly settings: Settings
}): DownloadCounts {
  // by image
  let counts = new Map<string, CountedPulls>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  const add = ({ containerId, imageId, count }: CountedPulls): void => {
    counts.set(imageId, { containerId, imageId, count: (counts.get(imageId)?.count ?? 0) + count })
  }

  const write = async (): Promise<void> => {
    const gathered = [...counts.values()]
    counts = new Map()
    while (gathered.length > 0) {
      try {
        await metadata.pulls.count(gathered.slice(0, writtenAtOnce), settings.clock())
        gathered.splice(0, writtenAtOnce)
      } catch (err) {
        settings.logger.warn({ err }, 'downloads are counted later')
        // with the next one that is counted
        for (const left of gathered) add(left)
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
    count: (containerId, imageId) => {
      add({ containerId, imageId, count: 1 })
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
