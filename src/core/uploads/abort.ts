/** The end of an upload that became no image (protocol 5.14), and what it leaves in the storage. */
import type { UploadRecord } from '../../storage/metadata/contract.js'
import { dropBlob } from '../blobs/why-kept.js'
import { activityOf } from '../hooks/activity.js'
import type { Services } from '../services.js'
import type { Pusher } from './pusher.js'

export interface UploadEnd {
  readonly reason: 'client' | 'failed' | 'replaced'
  readonly pusher: Pusher
}

/**
 * Ends an upload in the state that it has here, drops its bytes and emits `upload.aborted`. With
 * `seen`, only one that was not touched since. False where it is in another state by now: whoever
 * moved it there has its bytes.
 */
export async function endUpload(
  services: Services,
  upload: UploadRecord,
  { reason, pusher, seen }: UploadEnd & { readonly seen?: UploadRecord | undefined },
): Promise<boolean> {
  const { metadata, settings, emit } = services
  const { id, imageId, size, state, key, backendUploadId } = upload
  if (!(await metadata.uploads.move(id, state, 'aborted', settings.clock(), seen, activityOf(pusher)))) return false
  await dropUploadBytes(services, upload)
  // the parts may have been joined already
  if (state === 'completing' && backendUploadId !== null) await dropBlob(services, key)
  emit('upload.aborted', { uploadId: id, imageId, size, reason }, pusher)
  return true
}

/**
 * Ends an open upload, or one that is being completed and was not touched since it was read. A
 * published image is never touched, and repeating it is fine.
 */
export async function abortUpload(services: Services, upload: UploadRecord, end: UploadEnd): Promise<void> {
  if (upload.state === 'completing') await endUpload(services, upload, { ...end, seen: upload })
  else await endUpload(services, { ...upload, state: 'open' }, end)
}

/**
 * Drops what an upload that was aborted or has expired left in the storage. False where that
 * failed: a sweep tries again, and finds parts by the record of their upload, because a storage may
 * not list them (MinIO lists only what began since its last start), and a single PUT by its key.
 */
export async function dropUploadBytes(
  services: Pick<Services, 'storage' | 'metadata' | 'settings' | 'keepers'>,
  upload: UploadRecord,
): Promise<boolean> {
  const { storage, metadata, settings } = services
  if (upload.backendUploadId === null) return dropBlob(services, upload.key)
  try {
    await storage.multipart?.abort({ key: upload.key, uploadId: upload.backendUploadId })
    await metadata.uploads.markPartsRemoved(upload.id)
    return true
  } catch (err) {
    settings.logger.warn({ err, key: upload.key }, 'parts of an ended upload are left to the sweeper')
    return false
  }
}
