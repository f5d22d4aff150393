/**
 * Bounds what answers take in memory whose clients do not read them: the ones left alone for the
 * longest time make room for new ones.
 */
import type { WatchedBody } from './response-body.js'

/** A client that reads takes the next piece within this time, in milliseconds. */
const patienceMs = 1000

export interface UnreadAnswers {
  /**
   * Counts an answer until `release`; false where there is no room for it, and no other one stands
   * still.
   */
  hold(answer: WatchedBody, bytes: number): boolean
  release(answer: WatchedBody): void
}

export function createUnreadAnswers(maxBytes: number): UnreadAnswers {
  const held = new Map<WatchedBody, number>()
  let total = 0
  const release = (answer: WatchedBody): void => {
    total -= held.get(answer) ?? 0
    held.delete(answer)
  }
  const longestIdle = (): WatchedBody | undefined => {
    let found: WatchedBody | undefined
    let longest = patienceMs
    for (const answer of held.keys()) {
      const idle = answer.idleMs()
      if (idle < longest) continue
      longest = idle
      found = answer
    }
    return found
  }
  return {
    release,
    hold: (answer, bytes) => {
      while (total + bytes > maxBytes) {
        const victim = longestIdle()
        if (victim === undefined) return false
        release(victim)
        victim.giveUp('its client did not read it, and other answers needed the room')
      }
      held.set(answer, bytes)
      total += bytes
      return true
    },
  }
}
