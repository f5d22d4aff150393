/**
 * The repeated work of a running registry: sweeping, proving what is unproven, and the jobs of
 * extensions.
 */
import type { Logger } from '../http/logger.js'
import type { VerifiedItem } from '../images/verify-image.js'
import type { Job } from './jobs.js'
import type { SweepOptions } from './sweep.js'
import type { VerifyOptions, VerifyResult } from './verify.js'

export interface UpkeepOptions {
  /** How sweeps are done; false = none. Default: with the defaults of `sweep`. */
  readonly sweep?: Pick<SweepOptions, 'graceSeconds' | 'stuckSeconds'> | false
  /** Seconds between two sweeps, and between two looks for unproven images. Default: 3,600. */
  readonly everySeconds?: number
}

/** What is done, bound to one registry. */
export interface UpkeepWork {
  readonly sweep: (options: SweepOptions) => Promise<unknown>
  readonly verify: (options: VerifyOptions) => Promise<VerifyResult>
  readonly jobs: readonly Job[]
  readonly runIfDue: (job: Job, signal: AbortSignal) => Promise<boolean>
  readonly logger: Logger
}

const firstSweepMs = 5 * 60_000
/** Soon: whatever is unproven at a start was left so by the process before. */
const firstVerificationMs = 5000
/** How often a job is asked whether it is due: another instance may have run it. */
const jobPollMs = 10_000

interface Chore {
  readonly name: string
  readonly firstMs: number
  readonly everyMs: number
  readonly work: (signal: AbortSignal) => Promise<unknown>
}

/**
 * Does the chore after `firstMs`, and `everyMs` after each time it ended: never twice at once. A
 * failure is a line in the log.
 */
function repeat({ name, firstMs, everyMs, work }: Chore, { logger, signal }: { logger: Logger; signal: AbortSignal }) {
  const plan = (delay: number): void => {
    if (signal.aborted) return
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      work(signal)
        .catch((err: unknown) => {
          if (!signal.aborted) logger.error({ err }, `${name} failed`)
        })
        .finally(() => plan(everyMs))
    }, delay)
    timer.unref()
    const stop = (): void => clearTimeout(timer)
    signal.addEventListener('abort', stop, { once: true })
  }
  plan(firstMs)
}

/**
 * Starts the timers; the returned function stops them and what they run. Throws TypeError for a
 * period that is none.
 */
export function startUpkeep(work: UpkeepWork, options: UpkeepOptions = {}): () => void {
  const { sweep = {}, everySeconds = 3600 } = options
  if (!(everySeconds >= 1 && everySeconds <= 2_147_483))
    throw new TypeError(`everySeconds: ${everySeconds} is no number of seconds from 1 to 2,147,483`)
  const everyMs = everySeconds * 1000
  const { logger } = work
  const stopping = new AbortController()
  const { signal } = stopping

  const onItem = (item: VerifiedItem): void => {
    if (item.outcome === 'unreadable')
      logger.warn({ ...item }, 'an image is still unproven: the storage did not answer')
  }
  const verifyUnproven = async (): Promise<void> => {
    const result = await work.verify({ only: 'unproven', onItem, signal })
    if (result.proven + result.damaged > 0) logger.info({ ...result }, 'proved what was left unproven')
  }
  const chores: readonly Chore[] = [
    { name: 'verification', firstMs: Math.min(firstVerificationMs, everyMs), everyMs, work: verifyUnproven },
    ...(sweep === false
      ? []
      : [
          {
            name: 'sweep',
            firstMs: Math.min(firstSweepMs, everyMs),
            everyMs,
            work: () => work.sweep({ ...sweep, signal }),
          },
        ]),
    ...work.jobs.map((job) => {
      const pollMs = Math.min(job.everySeconds * 1000, jobPollMs)
      return { name: `the job ${job.name}`, firstMs: pollMs, everyMs: pollMs, work: () => work.runIfDue(job, signal) }
    }),
  ]
  for (const chore of chores) repeat(chore, { logger, signal })
  return () => stopping.abort()
}
