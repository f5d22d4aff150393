/**
 * Reading blobs back: proves what was published before its proof, finds damage, hides it, and shows
 * again what was healed.
 */
import type { ImageState } from '../../storage/metadata/contract.js'
import { createReadRate } from '../blobs/read-rate.js'
import { isStillEmpty } from '../blobs/storage-mark.js'
import { LibraryError } from '../http/errors.js'
import { type Reading, type VerifiedItem, verifyImage } from '../images/verify-image.js'
import type { Services } from '../services.js'

export interface VerifyOptions {
  /** Every image; otherwise those that are not proven yet or were found damaged. Default: false. */
  readonly all?: boolean
  /**
   * `unproven`: only those that are not proven yet, which a crash or a storage that did not answer
   * leaves behind; what a timer runs. Default: see `all`.
   */
  readonly only?: 'unproven'
  /**
   * Hide images without bytes also where a storage was accepted that has those of none: they are
   * lost. Default: false, and `verify` throws there.
   */
  readonly hideMissing?: boolean
  /** Go on after this image id, as reported by an earlier run. Default: from the start. */
  readonly after?: string
  /** Bytes per second at the most, so that users do not feel it; above 0. Default: unlimited. */
  readonly bytesPerSecond?: number
  /** Told of each image, in order of its id, and of the totals so far. */
  readonly onItem?: (item: VerifiedItem, totals: VerifyResult) => void
  /** Stops, also in the middle of an image, which stays as it was. */
  readonly signal?: AbortSignal
}

export interface VerifyResult {
  readonly proven: number
  readonly damaged: number
  readonly healed: number
  readonly unreadable: number
  /** Bytes read: none of a blob that is missing. */
  readonly bytes: number
}

const pageSize = 100
function statesOf({ all, only }: VerifyOptions): readonly ImageState[] {
  if (only !== undefined) return [only]
  return all === true ? ['published', 'unproven', 'damaged'] : ['unproven', 'damaged']
}

/**
 * Verifies images one after another. Resumable by `after`. Throws LibraryError `invalid-request`
 * for a `bytesPerSecond` that is no rate, and `conflict` where a storage was accepted that has no
 * bytes at all (see `hideMissing`).
 */
export async function verify(services: Services, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { signal, bytesPerSecond } = options
  if (bytesPerSecond !== undefined && !(bytesPerSecond > 0))
    throw new LibraryError('invalid-request', `bytesPerSecond: ${bytesPerSecond} is no number above 0`)
  const totals = { proven: 0, damaged: 0, healed: 0, unreadable: 0, bytes: 0 }
  const rate = bytesPerSecond === undefined ? undefined : createReadRate(bytesPerSecond, signal)
  const onRead = (bytes: number): void => {
    totals.bytes += bytes
  }
  const reading: Reading = { onRead, signal, rate }
  const isStopped = (): boolean => signal?.aborted === true
  const states = statesOf(options)
  let after = options.after
  await services.storageMark.check()
  if (options.hideMissing !== true && (await isStillEmpty(services)))
    throw new LibraryError(
      'conflict',
      'this storage was accepted with the bytes of no image in it, and still has none, so that every image would be hidden: bring the bytes along with sif-library copy-storage, or say that they are lost with hideMissing (--hide-missing)',
    )
  for (;;) {
    const page = await services.metadata.images.list({
      states,
      limit: pageSize,
      after,
    })
    for (const { image } of page) {
      if (isStopped()) return totals
      // read again: while the images before it were read, its own push or another instance may have
      // proven it
      const found = await services.metadata.images.find(image.id)
      if (found === undefined || !states.includes(found.image.state)) continue
      const item = await verifyImage(services, found, reading)
      if (item === undefined) continue
      if (isStopped() && item.outcome === 'unreadable') return totals
      totals[item.outcome] += 1
      options.onItem?.(item, { ...totals })
      await rate?.waitForBudget()
    }
    after = page.at(-1)?.image.id
    if (page.length < pageSize) return totals
  }
}
