/**
 * From the first request to the last: getting ready once, counting what is under way, and closing
 * in order.
 */
import type { Logger } from './http/logger.js'

export interface Lifecycle {
  /** Prepares once; after a failure the next call tries again. */
  ready(): Promise<void>
  isReady(): boolean
  /** Fires when `close` is called. */
  readonly stopping: AbortSignal
  isClosing(): boolean
  /**
   * Something began that `close` waits for; the returned function ends it, and only its first call
   * counts.
   */
  enter(): () => void
  /** Work that outlives its request. `close` waits for it, and its errors are logged. */
  inBackground(work: () => Promise<unknown>): void
  /** Waits until nothing is under way, then calls `end`. A second call waits for the first. */
  close(end: () => Promise<void>): Promise<void>
}

export function createLifecycle({
  prepare,
  logger,
}: {
  readonly prepare: () => Promise<void>
  readonly logger: Logger
}): Lifecycle {
  const stopping = new AbortController()
  let active = 0
  let onIdle: (() => void) | undefined
  let preparing: Promise<void> | undefined
  let prepared = false
  let closing: Promise<void> | undefined

  const enter = (): (() => void) => {
    active += 1
    let left = false
    return () => {
      if (left) return
      left = true
      active -= 1
      if (active === 0) onIdle?.()
    }
  }
  const idle = (): Promise<void> =>
    active === 0
      ? Promise.resolve()
      : new Promise((resolve) => {
          onIdle = resolve
        })

  return {
    ready: () => {
      preparing ??= prepare().then(
        () => {
          prepared = true
        },
        (error: unknown) => {
          preparing = undefined
          throw error
        },
      )
      return preparing
    },
    isReady: () => prepared,
    stopping: stopping.signal,
    isClosing: () => closing !== undefined,
    enter,
    inBackground: (work) => {
      const leave = enter()
      work()
        .catch((err: unknown) => logger.error({ err }, 'work in the background failed'))
        .finally(leave)
    },
    close: (end) => {
      stopping.abort()
      closing ??= idle().then(end)
      return closing
    },
  }
}
