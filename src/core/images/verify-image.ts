/** Proving one image by its bytes: hides what is damaged, shows again what is whole. */
import { messageOf } from '../../foreign.js'
import { isStorageError } from '../../storage/blob/errors.js'
import type { ImageInContainer } from '../../storage/metadata/contract.js'
import { proveBlob, proveByReading } from '../blobs/prove.js'
import type { ReadRate } from '../blobs/read-rate.js'
import { systemActivity } from '../hooks/activity.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'

export interface VerifiedItem {
  readonly imageId: string
  /** `entity/collection/container`. */
  readonly path: string
  readonly digest: string
  readonly size: number
  /**
   * `proven`: whole. `damaged`: other bytes, or none; hidden now. `healed`: was hidden, is whole,
   * and is shown again. `unreadable`: the storage did not answer, or is not the one of this
   * registry; nothing was changed.
   */
  readonly outcome: 'proven' | 'damaged' | 'healed' | 'unreadable'
  readonly reason?: string
}

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
  if (
    !(await metadata.images.setState(
      image.id,
      ['published', 'unproven'],
      'damaged',
      settings.clock(),
      image,
      systemActivity,
    ))
  )
    return
  const facts = { path: containerPath(container), imageId: image.id, digest: image.digest }
  settings.logger.error({ ...facts, reason }, 'image damaged: it is hidden until it is pushed again')
  emit('image.damaged', facts)
}

/** How an image is read. */
export interface Reading {
  readonly signal?: AbortSignal
  /** Default: as fast as it goes. */
  readonly rate?: ReadRate
  readonly onRead?: (bytes: number) => void
}

/**
 * Proves one image and moves its state. What it got by a push meanwhile is proven instead;
 * undefined where it was deleted meanwhile.
 */
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
    // what was proven once may have spoilt since: only its bytes can tell, and not what the storage
    // noted of them then
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
