/** Reading blobs back: proves what was published before its proof, finds damage, hides it, and shows again what was healed. */
import { messageOf } from '../../foreign.js'
import { isStorageError } from '../../storage/blob/errors.js'
import type { ImageInContainer, ImageState } from '../../storage/metadata/contract.js'
import { proveBlob, proveByReading } from '../blobs/prove.js'
import { createReadRate, type ReadRate } from '../blobs/read-rate.js'
import { isStillEmpty } from '../blobs/storage-mark.js'
import { LibraryError } from '../http/errors.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'

export interface VerifyOptions {
  /** Every image; otherwise those that are not proven yet or were found damaged. Default: false. */
  readonly all?: boolean
  /** `unproven`: only those that are not proven yet, which a crash or a storage that did not answer leaves behind; what a timer runs. Default: see `all`. */
  readonly only?: 'unproven'
  /** Hide images without bytes also where a storage was accepted that has those of none: they are lost. Default: false, and `verify` throws there. */
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

export interface VerifiedItem {
  readonly imageId: string
  /** `entity/collection/container`. */
  readonly path: string
  readonly digest: string
  readonly size: number
  /**
   * `proven`: whole. `damaged`: other bytes, or none; hidden now. `healed`: was hidden, is whole, and is shown again. `unreadable`: the storage did not answer, or is not the one of this
   * registry; nothing was changed.
   */
  readonly outcome: 'proven' | 'damaged' | 'healed' | 'unreadable'
  readonly reason?: string
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
const isDamage = (error: unknown): boolean =>
  isStorageError(error, 'digest-mismatch') ||
  isStorageError(error, 'size-mismatch') ||
  isStorageError(error, 'not-found')

/** Of all images on one blob; the rest is found in its turn. */
const maxSharers = 10_000

async function hideDamaged(
  { metadata, settings, emit }: Services,
  { image, container }: ImageInContainer,
  reason: string,
): Promise<void> {
  if (!(await metadata.images.setState(image.id, ['published', 'unproven'], 'damaged', settings.clock(), image))) return
  const facts = { path: containerPath(container), imageId: image.id, digest: image.digest }
  settings.logger.error({ ...facts, reason }, 'image damaged: it is hidden until it is pushed again')
  emit('image.damaged', facts)
}

/** How an image is read. */
interface Reading {
  readonly signal?: AbortSignal
  /** Default: as fast as it goes. */
  readonly rate?: ReadRate
  readonly onRead?: (bytes: number) => void
}

/** Proves one image and moves its state. What it got by a push meanwhile is proven instead; undefined where it was deleted meanwhile. */
export async function verifyImage(
  services: Services,
  found: ImageInContainer,
  reading: Reading = {},
): Promise<VerifiedItem | undefined> {
  const { image, container } = found
  const { metadata, settings } = services
  const item = { imageId: image.id, path: containerPath(container), digest: image.digest, size: image.size }
  try {
    if (image.blobKey === null) throw new Error('the image has no blob')
    // what was proven once may have spoilt since: only its bytes can tell, and not what the storage noted of them then
    const prove = image.state === 'unproven' && reading.rate === undefined ? proveBlob : proveByReading
    await prove(services.storage, { key: image.blobKey, size: image.size, sha256: image.digest, ...reading })
  } catch (error) {
    const reason = messageOf(error)
    if (!isDamage(error)) return { ...item, outcome: 'unreadable', reason }
    // deleted, or pushed again meanwhile: what is damaged is a blob that the image no longer has
    const now = await metadata.images.find(image.id)
    if (now === undefined) return undefined
    if (now.image.blobKey !== image.blobKey) return verifyImage(services, now, reading)
    try {
      // in a storage that is not mounted every image would be damaged
      await services.storageMark.check()
    } catch (other) {
      return { ...item, outcome: 'unreadable', reason: messageOf(other) }
    }
    await hideDamaged(services, found, reason)
    // a push would take the same bytes from the other images that share them
    for (const other of await metadata.blobs.imagesOf(image.blobKey ?? '', maxSharers))
      await hideDamaged(services, other, reason)
    return { ...item, outcome: 'damaged', reason }
  }
  const { state } = image
  if (
    state !== 'published' &&
    !(await metadata.images.setState(image.id, [state], 'published', settings.clock(), image))
  ) {
    // another instance was faster, and may have found something else
    const now = await metadata.images.find(image.id)
    if (now === undefined) return undefined
    if (now.image.blobKey !== image.blobKey || now.image.state !== 'published')
      return verifyImage(services, now, reading)
  }
  return { ...item, outcome: state === 'damaged' ? 'healed' : 'proven' }
}

function statesOf({ all, only }: VerifyOptions): readonly ImageState[] {
  if (only !== undefined) return [only]
  return all === true ? ['published', 'unproven', 'damaged'] : ['unproven', 'damaged']
}

/**
 * Verifies images one after another. Resumable by `after`. Throws LibraryError `invalid-request` for a `bytesPerSecond` that is no rate, and `conflict` where a
 * storage was accepted that has no bytes at all (see `hideMissing`).
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
  const reading: Reading = { onRead, ...(signal && { signal }), ...(rate && { rate }) }
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
      ...(after === undefined ? {} : { after }),
    })
    for (const { image } of page) {
      if (isStopped()) return totals
      // read again: while the images before it were read, its own push or another instance may have proven it
      const found = await services.metadata.images.find(image.id)
      if (found === undefined || !states.includes(found.image.state)) continue
      const item = await verifyImage(services, found, reading)
      if (item === undefined) continue
      if (isStopped() && item.outcome === 'unreadable') return totals
      totals[item.outcome] += 1
      options.onItem?.(item, { ...totals })
      await rate?.settle()
    }
    after = page.at(-1)?.image.id
    if (page.length < pageSize) return totals
  }
}
