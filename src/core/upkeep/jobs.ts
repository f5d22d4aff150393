/** Repeated work that runs on one instance at a time, however many share the metadata store. */
import { randomUUID } from 'node:crypto'
import type { DocumentRecord, MetadataStore } from '../../storage/metadata/contract.js'
import type { Logger } from '../http/logger.js'

export interface Job {
  /** Unique over the registry: two instances know by it that they mean the same work. */
  readonly name: string
  /** From the end of one run to the start of the next. */
  readonly everySeconds: number
  run(signal: AbortSignal): Promise<void>
}

export interface JobStores {
  readonly metadata: MetadataStore
  readonly clock: () => number
  readonly logger: Logger
}

/** Who owns these documents: no extension can have this name. */
const owner = 'sif-library'
const kind = 'job'
/** Between two signs of life of the instance that runs a job, in milliseconds. */
const heartbeatMs = 20_000
/** An instance that gave none for so long has died, and another one may run the job. */
const abandonedAfterMs = 4 * heartbeatMs

/** What is recorded of a job. Times are milliseconds since 1970. */
interface JobState {
  /** The instance that runs it; null = none. */
  readonly holder: string | null
  readonly beatAt: number
  readonly endedAt: number
}

function stateOf(document: DocumentRecord | undefined): JobState {
  const value = (document?.value ?? {}) as Partial<JobState>
  return { holder: value.holder ?? null, beatAt: value.beatAt ?? 0, endedAt: value.endedAt ?? 0 }
}

/**
 * Whether it may start now: nobody runs it, and its time has come. A clock that was set back delays
 * it by its period at the most.
 */
function isDue({ holder, beatAt, endedAt }: JobState, { everySeconds }: Job, now: number): boolean {
  const isHeld = holder !== null && Math.abs(now - beatAt) < abandonedAfterMs
  return !isHeld && Math.abs(now - endedAt) >= everySeconds * 1000
}

/**
 * Runs a job if it is due and no other instance has it. True where it ran. What the job throws is
 * logged and counts as a run. An instance that loses its claim (the metadata store did not answer
 * for too long) stops the job.
 */
export async function runIfDue(
  { metadata, clock, logger }: JobStores,
  job: Job,
  signal: AbortSignal,
): Promise<boolean> {
  const { documents } = metadata
  const found = await documents.get(owner, kind, job.name)
  if (!isDue(stateOf(found), job, clock())) return false
  const holder = randomUUID()
  const { endedAt } = stateOf(found)
  const write = (value: JobState, expected: number | undefined): Promise<number | undefined> =>
    documents.put(owner, kind, job.name, { value, now: clock(), expected })
  let version = await write({ holder, beatAt: clock(), endedAt }, found?.version)
  // another instance was faster
  if (version === undefined) return false

  const lost = new AbortController()
  let lastBeat = performance.now()
  let beating: Promise<void> = Promise.resolve()
  const beat = async (): Promise<void> => {
    if (version === undefined) return
    try {
      version = await write({ holder, beatAt: clock(), endedAt }, version)
      lastBeat = performance.now()
      if (version === undefined) lost.abort()
    } catch (err) {
      logger.warn({ err, job: job.name }, 'a job could not give its sign of life')
      if (performance.now() - lastBeat > abandonedAfterMs) lost.abort()
    }
  }
  const timer = setInterval(() => {
    beating = beating.then(beat)
  }, heartbeatMs)
  timer.unref()
  try {
    await job.run(AbortSignal.any([signal, lost.signal]))
  } catch (err) {
    logger.error({ err, job: job.name }, 'a job failed')
  } finally {
    clearInterval(timer)
    await beating
    if (version !== undefined)
      await write({ holder: null, beatAt: clock(), endedAt: clock() }, version).catch((err: unknown) =>
        logger.warn({ err, job: job.name }, 'the end of a job could not be recorded'),
      )
  }
  return true
}
