/**
 * Bounds the JSON bodies that are being read, over all connections: their number and their bytes in
 * memory.
 */
import { LibraryError, retrySoon } from './errors.js'

export interface BodyBudget {
  /** Counts one more body of this sender. Throws `unavailable`. */
  enter(sender: string): BodySlot
}

export interface BodySlot {
  /** So many bytes more are held in memory. Throws `unavailable`. */
  grow(bytes: number): void
  /** The body is read, or given up. */
  leave(): void
}

interface Share {
  bodies: number
  bytes: number
}

/** What one sender may take of the whole, so that nobody takes all of it: one in so many. */
const senders = 4

const busy = (message: string): LibraryError =>
  new LibraryError('unavailable', `${message}: try again`, { headers: retrySoon })

export function createBodyBudget(limits: { readonly maxBodies: number; readonly maxBytes: number }): BodyBudget {
  const { maxBodies, maxBytes } = limits
  const all: Share = { bodies: 0, bytes: 0 }
  const shares = new Map<string, Share>()
  const check = ({ bodies, bytes }: Share, parts: number, whose: string): void => {
    if (bodies > Math.ceil(maxBodies / parts)) throw busy(`${whose} too many requests under way`)
    if (bytes > Math.ceil(maxBytes / parts)) throw busy(`${whose} too many bytes of requests under way`)
  }
  return {
    enter: (sender) => {
      const share = shares.get(sender) ?? { bodies: 0, bytes: 0 }
      shares.set(sender, share)
      const change = (bodies: number, bytes: number): void => {
        for (const each of [all, share]) {
          each.bodies += bodies
          each.bytes += bytes
        }
        if (share.bodies === 0) shares.delete(sender)
      }
      const checkBoth = (): void => {
        check(all, 1, 'the registry has')
        check(share, senders, 'you have')
      }
      let held = 0
      const leave = (): void => {
        change(-1, -held)
        held = 0
      }
      change(1, 0)
      try {
        checkBoth()
      } catch (error) {
        leave()
        throw error
      }
      return {
        grow: (bytes) => {
          held += bytes
          change(0, bytes)
          checkBoth()
        },
        leave,
      }
    },
  }
}
