/**
 * Copies all that a registry keeps in one storage to another one. A key is written once and never
 * changes, so a copy may run beside a server and be run again: what is there already is not copied
 * again. The mark comes last, so that no registry takes half a copy for its storage.
 */
import { setMaxListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { messageOf } from '../../foreign.js'
import type { StorageBackend } from '../../storage/blob/contract.js'
import { isStorageError, StorageError } from '../../storage/blob/errors.js'
import { digestOfKey, recordsPrefix } from '../blobs/keys.js'
import { proveByReading } from '../blobs/prove.js'
import { readStorageMark, storageMarkKey } from '../blobs/storage-mark.js'
import { LibraryError } from '../http/errors.js'
import { type CopiedObject, copyObject, DamagedSource } from './copy-object.js'

export interface CopyStorageOptions {
  /** Is only read. */
  readonly from: StorageBackend
  readonly to: StorageBackend
  /** Write nothing, only say what would be copied. Default false. */
  readonly dryRun?: boolean
  /**
   * Read also the images that the target has already, and compare their SHA-256. Default false:
   * their size is compared.
   */
  readonly recheck?: boolean
  /**
   * Delete sidecars of the target that the source no longer has: of what was deleted after an
   * earlier copy. Default false.
   */
  readonly prune?: boolean
  /** Objects that are copied at the same time. Default 4. */
  readonly concurrency?: number
  readonly onItem?: (item: CopiedItem) => void
  /** Told after each object, and while the bytes of one arrive. */
  readonly onProgress?: (result: CopyStorageResult) => void
  /** Ends the copy; what is under way leaves nothing behind. */
  readonly signal?: AbortSignal
}

/**
 * `copied`: written and proven, or would be. `present`: the target had it. `damaged`: the bytes of
 * the source are not those that the key names; nothing was written. `failed`: see `why`. `pruned`:
 * deleted at the target, or would be.
 */
export type CopyOutcome = 'copied' | 'present' | 'damaged' | 'failed' | 'pruned'

export interface CopiedItem extends CopiedObject {
  readonly outcome: CopyOutcome
  readonly why?: string
}

export interface CopyStorageResult {
  readonly copied: number
  readonly present: number
  readonly damaged: number
  readonly failed: number
  readonly pruned: number
  /** Bytes that were copied, or would be. */
  readonly bytes: number
  /** Whether the target has the mark of the source now. False while something is missing. */
  readonly marked: boolean
  /** Why the target of a dry run did not answer: it may be a bucket that the copy would make. */
  readonly missing?: string
}

const attempts = 3

/**
 * Copies blobs, sidecars and mark. Images that are being pushed are not among them. Throws
 * LibraryError `invalid-request` for a source that holds nothing and for a target that is the
 * storage of another registry, and StorageError where a storage cannot be listed.
 */
export async function copyStorage(options: CopyStorageOptions): Promise<CopyStorageResult> {
  const stop = new AbortController()
  // one listener for each object under way
  setMaxListeners(0, stop.signal)
  const onAbort = (): void => stop.abort()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted === true) stop.abort()
  try {
    return await copyUntil(stop, options)
  } finally {
    options.signal?.removeEventListener('abort', onAbort)
  }
}

async function copyUntil(stop: AbortController, options: CopyStorageOptions): Promise<CopyStorageResult> {
  const { from, to, dryRun = false, prune = false } = options
  const { signal } = stop
  const totals = { copied: 0, present: 0, damaged: 0, failed: 0, pruned: 0, bytes: 0, marked: false }
  const report = (item: CopiedItem): void => {
    totals[item.outcome] += 1
    if (dryRun && item.outcome === 'copied') totals.bytes += item.size
    options.onItem?.(item)
    options.onProgress?.({ ...totals })
  }
  const onBytes = (bytes: number): void => {
    totals.bytes += bytes
    options.onProgress?.({ ...totals })
  }
  if (!dryRun) await to.ready?.()
  const mark = await readStorageMark(from)
  const missing = await refuseForeign(to, { mark, dryRun })
  const copy = { ...options, dryRun, stop, isThere: missing === undefined, report, onBytes }

  if (!(await copyAll(copy))) throw new LibraryError('invalid-request', `the source (${from.name}) holds nothing`)
  if (prune && copy.isThere && !signal.aborted && totals.failed === 0) await pruneSidecars(copy)
  if (mark !== undefined && totals.failed === 0 && !signal.aborted) {
    if (!dryRun) await copyOne(copy, { key: storageMarkKey, size: (await from.stat(storageMarkKey))?.size ?? 0 })
    totals.marked = !dryRun && totals.failed === 0 && (await readStorageMark(to)) === mark
  }
  return { ...totals, ...(missing !== undefined && { missing }) }
}

interface Copy extends Omit<CopyStorageOptions, 'signal'> {
  readonly dryRun: boolean
  readonly stop: AbortController
  /** False in a dry run to what the copy would make. */
  readonly isThere: boolean
  readonly report: (item: CopiedItem) => void
  readonly onBytes: (bytes: number) => void
}

/**
 * Resolves with why the target does not answer: in a dry run it may be a bucket that the copy would
 * make.
 */
async function refuseForeign(
  to: StorageBackend,
  { mark, dryRun }: { readonly mark: string | undefined; readonly dryRun: boolean },
): Promise<string | undefined> {
  let there: string | undefined
  try {
    there = await readStorageMark(to)
  } catch (error) {
    if (dryRun && isStorageError(error, 'unavailable') && !error.retryable) return error.message
    throw error
  }
  if (there !== undefined && there !== mark)
    throw new LibraryError(
      'invalid-request',
      `the target (${to.name}) is the storage of another registry: its ${storageMarkKey} is another one`,
    )
  return undefined
}

/** False where there is nothing at all. */
async function copyAll(copy: Copy): Promise<boolean> {
  const objects = copy.from.list('')[Symbol.asyncIterator]()
  const { signal } = copy.stop
  let found = false
  const work = async (): Promise<void> => {
    while (!signal.aborted) {
      const next = await objects.next()
      if (next.done === true) return
      const { key, size } = next.value
      found = true
      // probes of doctor, and the mark, which comes last
      if (key !== storageMarkKey && !key.startsWith('doctor/')) await copyOne(copy, { key, size })
    }
  }
  const workers = Array.from({ length: copy.concurrency ?? 4 }, () =>
    work().catch((error: unknown) => {
      // the source cannot be listed any more: what is under way ends, too
      copy.stop.abort()
      throw error
    }),
  )
  const failed = (await Promise.allSettled(workers)).find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  await objects.return?.()
  return found || signal.aborted
}

async function copyOne(copy: Copy, object: CopiedObject): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      copy.report({ ...object, outcome: await settleOne(copy, object) })
      return
    } catch (error) {
      // stopped: neither copied nor failed
      if (copy.stop.signal.aborted) return
      // swept, or its record was deleted, since it was listed
      if (isStorageError(error, 'not-found') && (await copy.from.stat(object.key).catch(() => object)) === undefined)
        return
      const again = isStorageError(error) && error.retryable && attempt < attempts
      if (!again) {
        const outcome = error instanceof DamagedSource ? 'damaged' : 'failed'
        copy.report({ ...object, outcome, why: messageOf(error) })
        return
      }
      await wait(1000 * attempt, undefined, { signal: copy.stop.signal }).catch(() => {})
    }
  }
}

async function settleOne(copy: Copy, object: CopiedObject): Promise<'copied' | 'present'> {
  const { to, dryRun, recheck = false, stop } = copy
  const { signal } = stop
  const there = copy.isThere ? await to.stat(object.key) : undefined
  if (there === undefined) {
    if (!dryRun) await copyObject({ ...copy, signal }, object)
    return 'copied'
  }
  if (there.size !== object.size)
    throw new StorageError(
      'exists',
      `the target has ${there.size} bytes under this key, and the source ${object.size}`,
      {
        backend: to.name,
        key: object.key,
      },
    )
  const sha256 = digestOfKey(object.key)
  if (recheck && sha256 !== undefined) await proveByReading(to, { ...object, sha256, signal })
  return 'present'
}

async function pruneSidecars({ from, to, dryRun, stop, report }: Copy): Promise<void> {
  for await (const { key, size } of to.list(recordsPrefix)) {
    if (stop.signal.aborted) return
    if (key === storageMarkKey || (await from.stat(key)) !== undefined) continue
    if (!dryRun) await to.delete(key)
    report({ key, size, outcome: 'pruned' })
  }
}
