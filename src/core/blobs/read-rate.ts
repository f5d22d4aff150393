/** Reading at so many bytes per second at the most. */
import { setTimeout as wait } from 'node:timers/promises'

export interface ReadRate {
  /**
   * So many bytes were read. Waits where that was too fast, for a second at the most: a store ends
   * a connection on which nothing moves.
   */
  spend(bytes: number): Promise<void>
  /** Waits for the rest, between two reads. */
  waitForBudget(): Promise<void>
}

const maxPauseMs = 1000

/** No wait lasts longer than until the signal. */
export function createReadRate(bytesPerSecond: number, signal?: AbortSignal): ReadRate {
  /** When as much may have been read as was, in milliseconds. */
  let dueAt = 0
  const pause = async (atMostMs: number): Promise<void> => {
    const milliseconds = Math.min(dueAt - performance.now(), atMostMs)
    // a timer is no finer
    if (milliseconds >= 1) await wait(milliseconds, undefined, signal && { signal }).catch(() => {})
  }
  return {
    spend: async (bytes) => {
      dueAt = Math.max(dueAt, performance.now()) + (bytes / bytesPerSecond) * 1000
      await pause(maxPauseMs)
    },
    // the longest that a timer can wait
    waitForBudget: () => pause(2 ** 31 - 1),
  }
}
