/** What `serve` does without being asked: it sweeps, and proves the images that a crash left unproven. Instances that do it at the same time tolerate each other. */
import type { Library, Logger, VerifiedItem } from 'sif-library'

const every = 60 * 60_000
const firstSweep = 5 * 60_000
/** Soon: whatever is unproven at a start was left so by the process before. */
const firstVerification = 5000

interface Chore {
  readonly name: string
  readonly first: number
  readonly work: () => Promise<unknown>
}

/** Does the chore after `first` milliseconds, and an hour after each time it ended: never twice at once, and a failure is only a line in the log. Returns the stop. */
function repeat({ name, first, work }: Chore, logger: Logger): () => void {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const plan = (delay: number): void => {
    if (stopped) return
    timer = setTimeout(() => {
      work()
        .catch((err: unknown) => logger.error({ err }, `${name} failed`))
        .finally(() => plan(every))
    }, delay).unref()
  }
  plan(first)
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}

/** Starts the timers; the returned function stops them, and the verification under way. Without `graceSeconds` nothing is swept. */
export function startUpkeep(
  library: Pick<Library, 'sweep' | 'verify'>,
  options: { readonly graceSeconds: number | undefined; readonly logger: Logger },
): () => void {
  const { graceSeconds, logger } = options
  const stopping = new AbortController()
  const onItem = (item: VerifiedItem): void => {
    if (item.outcome === 'unreadable')
      logger.warn({ ...item }, 'an image is still unproven: the storage did not answer')
  }
  const verify = async (): Promise<void> => {
    const result = await library.verify({ only: 'unproven', onItem, signal: stopping.signal })
    if (result.proven + result.damaged > 0) logger.info({ ...result }, 'proved what was left unproven')
  }
  const stops = [
    repeat({ name: 'verification', first: firstVerification, work: verify }, logger),
    ...(graceSeconds === undefined
      ? []
      : [repeat({ name: 'sweep', first: firstSweep, work: () => library.sweep({ graceSeconds }) }, logger)]),
  ]
  return () => {
    stopping.abort()
    for (const stop of stops) stop()
  }
}
