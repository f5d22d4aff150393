/** From proven bytes to a visible image. */
import type { FinishedBlob } from '../../storage/blob/contract.js'
import type { ImageInContainer, UploadRecord } from '../../storage/metadata/contract.js'
import { activityOf } from '../hooks/activity.js'
import { LibraryError } from '../http/errors.js'
import { factsOf, inspectBlob, whyNoSif } from '../images/inspect-blob.js'
import { keptInspection, summaryOf } from '../images/inspections.js'
import { verifyImage } from '../images/verify-image.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'
import { Refused } from './claim.js'
import type { Pusher } from './pusher.js'

/**
 * Publishes the bytes of an upload in state `completing`, as work of its claim. Ends well for the
 * second of two pushers of one image: its bytes are dropped, the image is there. Where it throws
 * nothing became visible, unless only the answer was lost; `Refused` where a hook or a rule is
 * against it.
 */
export async function publishUpload(
  services: Services,
  target: ImageInContainer & {
    readonly upload: UploadRecord
    readonly blob: FinishedBlob
    readonly partsDigest?: string
  },
  pusher: Pusher,
): Promise<void> {
  const { metadata, storage, settings, hooks, emit, inBackground } = services
  const { image, container, upload, blob, partsDigest = null } = target
  const path = containerPath(container)
  const inspection = await inspectBlob(storage, { key: blob.key, size: upload.size })
  const refusal = settings.requireSif ? whyNoSif(inspection) : undefined
  if (refusal !== undefined) throw new Refused(new LibraryError('invalid-image', refusal), blob.key)
  const facts = factsOf(inspection)
  const { arch } = facts
  try {
    await hooks.beforePublish?.({ ...pusher, path, image, container, size: upload.size, arch, sif: inspection })
  } catch (error) {
    throw new Refused(error, blob.key)
  }
  // bytes in a storage that is not mounted would be gone when it is
  await services.storageMark.check({ maxAgeMs: 5000 })
  const outcome = await metadata.images.publish({
    imageId: image.id,
    uploadId: upload.id,
    blob: { key: blob.key, size: upload.size, ...facts },
    inspection: keptInspection(inspection, settings.clock()),
    state: blob.proof === 'proven' ? 'published' : 'unproven',
    partsDigest,
    now: settings.clock(),
    activity: activityOf(pusher, 'push'),
  })
  if (outcome === 'gone')
    throw new Refused(
      new LibraryError('gone', 'the image or its upload was deleted in the meantime: push again'),
      blob.key,
    )
  // another pusher of the same image was first: these bytes are a copy
  if (outcome === 'already')
    await storage
      .delete(blob.key)
      .catch((error: unknown) => settings.logger.warn({ err: error, key: blob.key }, 'a copy is left to the sweeper'))
  const { size } = upload
  emit('upload.completed', { uploadId: upload.id, imageId: image.id, size }, pusher)
  if (outcome === 'published') {
    const sif = summaryOf(inspection)
    emit('image.published', { path, imageId: image.id, digest: image.digest, size, arch, sif }, pusher)
  }
  if (blob.proof === 'unproven') inBackground(() => verifyById(services, image.id))
}

/**
 * Proves an image that was published before its proof. After a crash `verify` does it, where upkeep
 * runs.
 */
async function verifyById(services: Services, imageId: string): Promise<void> {
  const found = await services.metadata.images.find(imageId)
  if (found?.image.state === 'unproven') await verifyImage(services, found)
}
