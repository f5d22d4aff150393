/**
 * Keeps the sidecars in step with the metadata store, in the background. The store notes each
 * change in the transaction that makes it, so a crash loses none: what was not written is written
 * by the next instance that looks. Any number of instances may do it at once.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { StorageBackend } from '../../storage/blob/contract.js'
import { isStorageError } from '../../storage/blob/errors.js'
import type { MetadataStore, RecordChange } from '../../storage/metadata/contract.js'
import type { StorageMark } from '../blobs/storage-mark.js'
import type { Settings } from '../settings.js'
import {
  currentSidecar,
  decodeSidecar,
  encodeSidecar,
  isLaterThanStore,
  putSidecar,
  readSidecar,
  type Sidecar,
} from './document.js'
import { listVersions, type SidecarTarget } from './keys.js'

export interface SidecarWriter {
  /**
   * Something may have changed: looks after a second, so that a push and its tags are written once.
   */
  nudge(): void
  /**
   * Writes what is out of date, and waits for it, until `isOver` at the longest. False when
   * something is left for later; never throws.
   */
  drain(options?: { readonly isOver?: () => boolean }): Promise<boolean>
  /** Ends what runs in the background after the sidecar that it is at. */
  stop(): void
  /** Writes what is left after `stop`, for some seconds at the most. */
  flush(): Promise<void>
}

const debounceMs = 1000
const maxBackoffMs = 60_000
const flushMs = 5000
const pageSize = 64
const concurrency = 4
const maxTries = 10
const maxFailedPages = 8

interface Stores {
  readonly storage: StorageBackend
  readonly metadata: MetadataStore
}

interface WriterServices extends Stores {
  readonly settings: Pick<Settings, 'logger'>
  readonly storageMark: StorageMark
  readonly inBackground: (work: () => Promise<unknown>) => void
}

/**
 * Brings the sidecar of one record in step. Of two writers one gets the number, and the other
 * begins again with what the store says then. It is asked again after the document was written: one
 * that was read before a deletion, and written after it, would otherwise stay for ever. A sidecar
 * that is later than the store is kept: `reindex` needs it.
 */
export async function writeSidecar({ storage, metadata }: Stores, target: SidecarTarget): Promise<'written' | 'kept'> {
  const current = async (): Promise<Buffer | undefined> => {
    const sidecar = await currentSidecar(metadata, target)
    return sidecar && encodeSidecar(sidecar)
  }
  const read = (key: string): Promise<Buffer | undefined> =>
    readSidecar(storage, key).catch((error: unknown) => {
      if (isStorageError(error) && error.code !== 'not-found') throw error
      return undefined
    })
  for (let tries = 0; tries < maxTries; tries += 1) {
    const versions = await listVersions(storage, target)
    const [newest] = versions
    const wanted = await current()
    const there = wanted === undefined || newest === undefined ? undefined : await read(newest.key)
    const isWritten = wanted !== undefined && there?.equals(wanted) === true
    if (wanted !== undefined && !isWritten) {
      if (there !== undefined && (await isLater(metadata, target, there))) return 'kept'
      try {
        await putSidecar(storage, { ...target, number: (newest?.number ?? 0) + 1 }, wanted)
      } catch (error) {
        if (isStorageError(error, 'exists')) continue
        throw error
      }
      if ((await current())?.equals(wanted) !== true) {
        // another writer may have settled what this one was about; whatever happens to this process
        // now, the next one looks
        await metadata.changes.note(target)
        continue
      }
    }
    for (const { key } of isWritten ? versions.slice(1) : versions) await storage.delete(key)
    return 'written'
  }
  throw new Error('the record changed again and again while its sidecar was written')
}

/** Whether a sidecar is later than the store. An unreadable one counts as absent. */
async function isLater(metadata: MetadataStore, target: SidecarTarget, content: Buffer): Promise<boolean> {
  let sidecar: Sidecar
  try {
    sidecar = decodeSidecar(content, target)
  } catch {
    return false
  }
  return isLaterThanStore({ metadata }, sidecar)
}

/** Changes by what they are about. */
function groupByTarget(
  changes: readonly RecordChange[],
): { readonly target: SidecarTarget; readonly seqs: number[] }[] {
  const groups = new Map<string, { readonly target: SidecarTarget; readonly seqs: number[] }>()
  for (const { seq, ...target } of changes) {
    const name = `${target.kind} ${target.id}`
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { target, seqs: [seq] })
    else group.seqs.push(seq)
  }
  return [...groups.values()]
}

export function createSidecarWriter(services: WriterServices): SidecarWriter {
  const { metadata, settings, storageMark, inBackground } = services
  const { logger } = settings
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let active = false
  let inStep = true
  let failures = 0
  let last: Promise<unknown> = Promise.resolve()

  /** Some at once; returns what may be settled. */
  const writePage = async (changes: readonly RecordChange[], isOver: () => boolean): Promise<readonly number[]> => {
    const waiting = groupByTarget(changes)
    const written: number[] = []
    const errors: unknown[] = []
    let kept = 0
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !isOver(); next = waiting.shift()) {
        try {
          kept += (await writeSidecar(services, next.target)) === 'kept' ? 1 : 0
          written.push(...next.seqs)
        } catch (error) {
          errors.push(error)
        }
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    if (kept > 0)
      logger.warn(
        { sidecars: kept },
        'sidecars are later than the database and stay as they are: it was restored from an old backup, run reindex',
      )
    if (errors.length > 0) logger.warn({ err: errors[0], sidecars: errors.length }, 'sidecars are written later')
    return written
  }

  const writeAll = async ({
    rests,
    isOver,
  }: {
    readonly rests: boolean
    readonly isOver: () => boolean
  }): Promise<boolean> => {
    let done = true
    let failed = 0
    for (let after = 0; ; ) {
      const startedAt = performance.now()
      const changes = await metadata.changes.list({ after, limit: pageSize })
      const newest = changes.at(-1)
      if (newest === undefined) return done
      after = newest.seq
      // names and descriptions must not go into another registry's
      await storageMark.check({ maxAgeMs: 5000 })
      const written = await writePage(changes, isOver)
      if (written.length > 0) {
        // what went into a storage that is not mounted is not written: it would never be written
        // again
        await storageMark.check()
        await metadata.changes.acknowledge(written)
      }
      done &&= written.length === changes.length
      // pages of nothing but failures: the storage is out of order. Few are what single records can
      // bring about, and they must not hold up those behind them
      failed = written.length === 0 ? failed + 1 : 0
      if (failed === maxFailedPages || isOver()) return false
      // a long backlog must not be felt by who pushes: half of the time is theirs
      if (rests)
        await wait(performance.now() - startedAt, undefined, { ref: false, signal: stopping.signal }).catch(() => {})
    }
  }

  /** One at a time in this process. */
  const write = (options: { readonly rests: boolean; readonly isOver: () => boolean }): Promise<boolean> => {
    inStep = true
    const next = last
      .then(() => writeAll(options))
      .catch((err: unknown) => {
        logger.warn({ err }, 'sidecars are written later')
        return false
      })
      .then((done) => {
        failures = done ? 0 : failures + 1
        inStep &&= done
        return done
      })
    last = next
    return next
  }

  const plan = (): void => {
    if (timer !== undefined || active || stopping.signal.aborted) return
    timer = setTimeout(run, Math.min(maxBackoffMs, debounceMs * 2 ** failures))
    timer.unref()
  }

  const run = (): void => {
    timer = undefined
    active = true
    inBackground(async () => {
      await write({ rests: true, isOver: () => stopping.signal.aborted })
      active = false
      if (!inStep) plan()
    })
  }

  return {
    nudge: () => {
      inStep = false
      plan()
    },
    drain: ({ isOver = () => false } = {}) =>
      write({ rests: false, isOver: () => stopping.signal.aborted || isOver() }),
    stop: () => {
      stopping.abort()
      clearTimeout(timer)
    },
    flush: async () => {
      if (inStep) return
      const until = performance.now() + flushMs
      const work = write({ rests: false, isOver: () => performance.now() > until })
      // a storage that does not answer keeps nobody from closing
      const late = new AbortController()
      await Promise.race([work, wait(flushMs, undefined, { ref: false, signal: late.signal }).catch(() => {})])
      late.abort()
    },
  }
}
