/** The lifecycle of an upload after its start (protocol 5.8-5.14): part, complete, abort. Every change of state is a compare-and-set in the metadata store. */

import type { FinishedBlob } from '../../storage/blob/contract.js'
import { isStorageError } from '../../storage/blob/errors.js'
import type { ImageInContainer, UploadRecord } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import { proveBlob } from '../blobs/prove.js'
import { dropBlob } from '../blobs/why-kept.js'
import { LibraryError } from '../http/errors.js'
import { verifyImage } from '../images/verify-image.js'
import { isId } from '../model/references.js'
import type { Services } from '../services.js'
import { claimUpload, reopen, type TouchedUpload } from './claim.js'
import { type CompletedPart, digestParts } from './part-plan.js'
import { discard, type Pusher, principalId, publishUpload } from './publish.js'

/** Says nothing about the bytes: the client may retry the completion. */
const isInfrastructureFailure = (error: unknown): boolean => isMetadataError(error) || isStorageError(error)

/** Between two signs of life, in milliseconds. */
const heartbeatMs = 30_000
/** An upload that is being completed and gave no sign of life for so long was abandoned, in milliseconds. */
export const abandonedAfterMs: number = 4 * heartbeatMs

/**
 * The multipart upload that a call names. It must belong to this image and this principal: another one's is 404 (it is hidden), an unknown one 410: a 404 would make
 * the client of a known image fall back to a single PUT from the wrong file position (protocol Q12).
 */
export async function findUpload(
  services: Services,
  uploadId: string,
  owner: { readonly imageId: string; readonly pusher: Pusher },
): Promise<UploadRecord> {
  const upload = isId(uploadId) ? await services.metadata.uploads.find(uploadId) : undefined
  if (upload === undefined) throw new LibraryError('gone', 'there is no such upload (any more): push again')
  if (
    upload.kind !== 'multipart' ||
    upload.imageId !== owner.imageId ||
    upload.principal !== principalId(owner.pusher)
  ) {
    throw new LibraryError('not-found', 'no such upload')
  }
  return upload
}

/** Throws unless the upload takes bytes. */
export function assertOpen(upload: UploadRecord, now: number): void {
  if (upload.state === 'open' && upload.expiresAt > now) return
  if (upload.state === 'completing') throw new LibraryError('conflict', 'the upload is being completed')
  throw new LibraryError('gone', `the upload is ${upload.state === 'open' ? 'expired' : upload.state}: push again`)
}

/** Whether the upload is over: its bytes are not what they should be, or they are gone. */
function isLost(error: unknown): boolean {
  return isStorageError(error, 'digest-mismatch') || isStorageError(error, 'size-mismatch') || isGone(error)
}

function isGone(error: unknown): boolean {
  return isStorageError(error, 'upload-not-found') || isStorageError(error, 'not-found')
}

/** In a storage that is not mounted everything is gone: then that is the failure. */
async function whyItFailed({ storageMark }: Services, error: unknown): Promise<unknown> {
  if (!isGone(error)) return error
  return storageMark.check().then(
    () => error,
    (other: unknown) => other,
  )
}

/** Gives an upload that failed to complete back to its client, to try again; or ends it where its bytes are gone. */
async function afterFailure(
  services: Services,
  upload: TouchedUpload,
  { error, pusher }: { readonly error: unknown; readonly pusher: Pusher },
): Promise<void> {
  const { metadata, settings, emit } = services
  if (!isLost(error)) return reopen(services, upload)
  if (!(await metadata.uploads.move(upload.id, 'completing', 'aborted', settings.clock()))) return
  await dropUploadBytes(services, upload)
  // the parts may have been joined before they were found to be wrong
  if (upload.backendUploadId !== null) await dropBlob(services, upload.key)
  emit('upload.aborted', { uploadId: upload.id, imageId: upload.imageId, size: upload.size, reason: 'failed' }, pusher)
}

/**
 * Keeps an upload from looking stuck while its bytes come in one request, or a slow store joins or proves them. The work is given a function that returns the upload as it was last
 * touched.
 */
export async function withHeartbeat<T>(
  services: Services,
  upload: UploadRecord,
  work: (current: () => TouchedUpload) => Promise<T>,
): Promise<T> {
  const { metadata, settings } = services
  let current: TouchedUpload = upload
  const state = upload.state === 'completing' ? 'completing' : 'open'
  const beat = setInterval(() => {
    const now = settings.clock()
    const expiresAt = now + settings.limits.uploadSeconds * 1000
    // until the answer comes, and when none does, either time may be the one that is recorded
    current = { ...current, unconfirmedBeats: [...(current.unconfirmedBeats ?? []), now] }
    metadata.uploads.touch(upload.id, { state, now, expiresAt }).then(
      () => {
        current = {
          ...current,
          updatedAt: now,
          expiresAt,
          unconfirmedBeats: (current.unconfirmedBeats ?? []).filter((at) => at > now),
        }
      },
      (err: unknown) => settings.logger.warn({ err }, 'no sign of life recorded'),
    )
  }, heartbeatMs)
  beat.unref()
  try {
    return await work(() => current)
  } finally {
    clearInterval(beat)
  }
}

async function finishAndPublish(
  services: Services,
  target: ImageInContainer & { readonly upload: UploadRecord; readonly partsDigest?: string },
  pusher: Pusher,
  finish: () => Promise<FinishedBlob>,
): Promise<void> {
  await withHeartbeat(services, target.upload, async (current) => {
    let blob: FinishedBlob
    try {
      blob = await finish()
    } catch (failure) {
      const error = await whyItFailed(services, failure)
      // the first failure is what the client must read
      await afterFailure(services, current(), { error, pusher }).catch((err: unknown) =>
        services.settings.logger.warn({ err }, 'a failed upload is left to the sweeper'),
      )
      throw error
    }
    try {
      await publishUpload(services, { ...target, blob }, pusher)
    } catch (error) {
      // its bytes are there and proven
      if (isInfrastructureFailure(error)) await reopen(services, current())
      else await discard(services, { upload: target.upload, key: blob.key, pusher })
      throw error
    }
    if (blob.proof === 'unproven') services.inBackground(() => verifyById(services, target.image.id))
  })
}

/** Proves an image that was published before its proof. After a crash `verify` does it, on the timer of `serve` or of the host. */
async function verifyById(services: Services, imageId: string): Promise<void> {
  const found = await services.metadata.images.find(imageId)
  if (found?.image.state === 'unproven') await verifyImage(services, found)
}

/** What a single PUT brought: the one part of its upload in parts, or nothing more to join. undefined: nothing yet. */
async function findArrived(
  { storage }: Services,
  { key, backendUploadId }: UploadRecord,
): Promise<readonly CompletedPart[] | undefined> {
  const parts =
    backendUploadId === null
      ? []
      : ((await storage.multipart?.listParts({ key, uploadId: backendUploadId }).catch((error: unknown) => {
          if (isStorageError(error, 'upload-not-found')) return []
          throw error
        })) ?? [])
  if (parts.length > 0) return parts.map(({ partNumber, etag }) => ({ partNumber, etag }))
  // sent through this server, or joined by a completion whose answer was lost
  return (await storage.stat(key)) === undefined ? undefined : []
}

/** Proves the bytes of a single PUT. */
async function finishSingle(
  services: Services,
  upload: UploadRecord,
  parts: readonly CompletedPart[],
): Promise<FinishedBlob> {
  const { storage } = services
  const { key, size, digest: sha256 } = upload
  if (parts.length > 0) return joinParts(services, upload, parts)
  // This server proves what it receives. Where the storage hands out URLs, an earlier version may have signed one for this key.
  if (storage.presign !== undefined) await proveBlob(storage, { key, size, sha256 })
  return { key, proof: 'proven' }
}

/**
 * Completes a single PUT (protocol 5.10). The call names no upload, so the newest open one of this image and principal whose bytes have arrived is meant. A repeated call, and the
 * call of a second pusher of the same image, ends well.
 */
export async function completeSingle(services: Services, target: ImageInContainer, pusher: Pusher): Promise<void> {
  const { metadata, settings } = services
  for (let taken = true; taken; ) {
    taken = false
    for (const upload of await metadata.uploads.findOpen(
      target.image.id,
      principalId(pusher),
      settings.limits.maxImageUploads,
    )) {
      if (upload.kind !== 'single') continue
      const parts = await findArrived(services, upload)
      if (parts === undefined) continue
      // another client of the same principal took this one; its own may have arrived after the list was read
      const claimed = await claimUpload(services, upload)
      taken = claimed === undefined
      if (claimed === undefined) continue
      await finishAndPublish(services, { ...target, upload: claimed }, pusher, () =>
        finishSingle(services, claimed, parts),
      )
      return
    }
  }
  const now = await metadata.images.find(target.image.id)
  if (now?.image.state === 'published' || now?.image.state === 'unproven') return
  throw new LibraryError('conflict', 'no bytes were uploaded for this image: push again')
}

/** Where a complete left the upload before its answer was lost: the blob may lie there already. */
async function joinParts(
  services: Services,
  upload: UploadRecord,
  parts: readonly CompletedPart[],
): Promise<FinishedBlob> {
  const { storage } = services
  const { key, size, digest: sha256 } = upload
  if (storage.multipart === undefined)
    throw new LibraryError('conflict', 'the storage takes no parts any more: push again')
  try {
    return await storage.multipart.complete({ key, uploadId: upload.backendUploadId ?? '', parts, size, sha256 })
  } catch (error) {
    if (isStorageError(error, 'invalid-part') && upload.kind === 'single')
      throw new LibraryError('conflict', 'the bytes were sent again meanwhile: try again', { cause: error })
    if (isStorageError(error, 'invalid-part'))
      throw new LibraryError(
        'invalid-request',
        'completedParts: a part is missing, or is not the one that was uploaded',
        { cause: error },
      )
    if (!isStorageError(error, 'upload-not-found') || (await storage.stat(key)) === undefined) throw error
    await proveBlob(storage, { key, size, sha256 })
    return { key, proof: 'proven' }
  }
}

/** Whether the upload was completed with these parts; throws where it was with others. Null: an earlier version completed it, and kept no list. */
function isRepeated(upload: UploadRecord | undefined, partsDigest: string): boolean {
  if (upload?.state !== 'completed') return false
  if (upload.partsDigest !== null && upload.partsDigest !== partsDigest) {
    throw new LibraryError(
      'conflict',
      'completedParts: the upload was completed with other parts, and these were not used',
    )
  }
  return true
}

/** Completes a multipart upload (protocol 5.13). Repeating it with the same parts answers as the first time did: its client lost that answer. With others it is refused. */
export async function completeMultipart(
  services: Services,
  target: ImageInContainer & { readonly upload: UploadRecord; readonly parts: readonly CompletedPart[] },
  pusher: Pusher,
): Promise<void> {
  const { metadata, settings } = services
  const { upload, parts } = target
  if (parts.length !== upload.totalParts)
    throw new LibraryError(
      'invalid-request',
      `completedParts: ${parts.length} parts, the upload has ${upload.totalParts}`,
    )
  const gap = parts.findIndex((part, index) => part.partNumber !== index + 1)
  if (gap >= 0)
    throw new LibraryError(
      'invalid-request',
      `completedParts[${gap}].partNumber: ${parts[gap]?.partNumber} where ${gap + 1} is due`,
    )
  const partsDigest = digestParts(parts)
  if (isRepeated(upload, partsDigest)) return
  assertOpen(upload, settings.clock())
  const claimed = await claimUpload(services, upload)
  if (claimed === undefined) {
    const now = await metadata.uploads.find(upload.id)
    if (isRepeated(now, partsDigest)) return
    assertOpen(now ?? { ...upload, state: 'expired' }, settings.clock())
    // somebody else had it, failed and gave it back; without the claim it must not go on
    throw new LibraryError('conflict', 'the upload was being completed: try again')
  }
  await finishAndPublish(services, { ...target, upload: claimed, partsDigest }, pusher, () =>
    joinParts(services, claimed, parts),
  )
}

/** Ends an open upload (protocol 5.14), or one that is as it was seen while it was completed; a published image is never touched, and repeating it is fine. */
export async function abortUpload(
  services: Services,
  upload: UploadRecord,
  { reason, pusher }: { readonly reason: 'client' | 'failed' | 'replaced'; readonly pusher: Pusher },
): Promise<void> {
  const { metadata, settings, emit } = services
  const seen = upload.state === 'completing' ? upload : undefined
  if (
    !(await metadata.uploads.move(
      upload.id,
      seen === undefined ? 'open' : 'completing',
      'aborted',
      settings.clock(),
      seen,
    ))
  )
    return
  await dropUploadBytes(services, upload)
  if (seen !== undefined && upload.backendUploadId !== null) await dropBlob(services, upload.key)
  emit('upload.aborted', { uploadId: upload.id, imageId: upload.imageId, size: upload.size, reason }, pusher)
}

/**
 * Drops what an upload that was aborted or has expired left in the storage. False where that failed: a sweep tries again, and finds parts by the record of their upload, because a
 * storage may not list them (MinIO lists only what began since its last start), and a single PUT by its key.
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
