/** The hourly sweep of `serve`. */
import type { Library, Logger } from 'sif-library'

const firstAfter = 5 * 60_000
const every = 60 * 60_000

/** Starts the timer; the returned function stops it. One sweep at a time, and a failed one is only a line in the log. */
export function startSweeping(library: Pick<Library, 'sweep'>, options: { readonly graceSeconds: number; readonly logger: Logger }): () => void {
  const { graceSeconds, logger } = options
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const plan = (delay: number): void => {
    if (stopped) return
    timer = setTimeout(() => {
      library
        .sweep({ graceSeconds })
        .catch((error: unknown) => logger.error({ err: error }, 'sweep failed'))
        .finally(() => plan(every))
    }, delay).unref()
  }
  plan(firstAfter)
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
