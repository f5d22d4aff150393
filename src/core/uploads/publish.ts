/** From proven bytes to a visible image. */
import type { FinishedBlob } from '../../storage/blob/contract.js'
import type { ImageInContainer, UploadRecord } from '../../storage/metadata/contract.js'
import type { Principal } from '../auth/policy.js'
import { dropBlob } from '../blobs/why-kept.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import { factsOf, inspectBlob, whyNoSif } from '../images/inspect-blob.js'
import { keptInspection, summaryOf } from '../images/inspections.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'

/** Who pushes, with which request: what hooks and events are told. */
export interface Pusher {
  readonly principal: Principal | null
  readonly request: LibraryRequest
}

export const principalId = (pusher: Pusher): string | null => pusher.principal?.id ?? null

/** Drops bytes that nobody will see and ends their upload. What cannot be deleted now is the sweeper's. Never throws: the reason of the discard is what the client must read. */
export async function discard(
  services: Services,
  { upload, key, pusher }: { readonly upload: UploadRecord; readonly key: string; readonly pusher: Pusher },
): Promise<void> {
  const { metadata, settings, emit } = services
  try {
    if (await metadata.uploads.move(upload.id, 'completing', 'aborted', settings.clock())) {
      // its parts were joined
      await metadata.uploads.markPartsRemoved(upload.id)
      const { id: uploadId, imageId, size } = upload
      emit('upload.aborted', { uploadId, imageId, size, reason: 'failed' }, pusher)
    }
    // kept where a publish went through although its answer was lost: then the image needs these bytes
    await dropBlob(services, key)
  } catch (err) {
    settings.logger.warn({ err, key }, 'discarded bytes are left to the sweeper')
  }
}

/**
 * Publishes the bytes of an upload in state `completing`. Ends well for the second of two pushers of one image: its bytes are dropped, the image is there.
 * Where it throws (a hook refuses, `requireSif`, the store does not answer) nothing became visible, unless only the answer was lost, and the caller discards or gives back the upload.
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
  const { metadata, storage, settings, hooks, emit } = services
  const { image, container, upload, blob, partsDigest = null } = target
  const path = containerPath(container)
  const inspection = await inspectBlob(storage, { key: blob.key, size: upload.size })
  const refusal = settings.requireSif ? whyNoSif(inspection) : undefined
  if (refusal !== undefined) throw new LibraryError('invalid-image', refusal)
  const facts = factsOf(inspection)
  const { arch } = facts
  await hooks.beforePublish?.({ ...pusher, path, image, container, size: upload.size, arch, sif: inspection })
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
  })
  if (outcome === 'gone')
    throw new LibraryError('gone', 'the image or its upload was deleted in the meantime: push again')
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
}
