/**
 * The completion of an upload (protocol 5.10, 5.13): claim it, join and prove its bytes, publish
 * them.
 */
import type { FinishedBlob } from '../../storage/blob/contract.js'
import { isStorageError } from '../../storage/blob/errors.js'
import type { ImageInContainer, UploadRecord } from '../../storage/metadata/contract.js'
import { proveBlob } from '../blobs/prove.js'
import { LibraryError } from '../http/errors.js'
import type { Services } from '../services.js'
import { type Claim, claimUpload } from './claim.js'
import { assertOpen } from './open-upload.js'
import { type CompletedPart, digestParts } from './part-plan.js'
import { publishUpload } from './publish.js'
import { type Pusher, principalId } from './pusher.js'

/**
 * What a single PUT brought: the one part of its upload in parts, or nothing more to join.
 * undefined: nothing yet.
 */
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
  // This server proves what it receives. Where the storage hands out URLs, an earlier version may
  // have signed one for this key.
  if (storage.presign !== undefined) await proveBlob(storage, { key, size, sha256 })
  return { key, proof: 'proven' }
}

/** Claims the newest open single PUT of this image and principal whose bytes have arrived. */
async function claimArrived(
  services: Services,
  imageId: string,
  pusher: Pusher,
): Promise<{ readonly claim: Claim; readonly parts: readonly CompletedPart[] } | undefined> {
  const { metadata, settings } = services
  const open = await metadata.uploads.findOpen(imageId, principalId(pusher), settings.limits.maxImageUploads)
  for (const upload of open) {
    if (upload.kind !== 'single') continue
    const parts = await findArrived(services, upload)
    if (parts === undefined) continue
    const claim = await claimUpload(services, upload, { pusher })
    // another client of the same principal took this one; its own may have arrived after the list
    // was read
    return claim === undefined ? claimArrived(services, imageId, pusher) : { claim, parts }
  }
  return undefined
}

/**
 * Completes a single PUT (protocol 5.10). The call names no upload, so the newest one whose bytes
 * have arrived is meant. A repeated call, and the call of a second pusher of the same image, ends
 * well.
 */
export async function completeSingle(services: Services, target: ImageInContainer, pusher: Pusher): Promise<void> {
  const arrived = await claimArrived(services, target.image.id, pusher)
  if (arrived === undefined) {
    const now = await services.metadata.images.find(target.image.id)
    if (now?.image.state === 'published' || now?.image.state === 'unproven') return
    throw new LibraryError('conflict', 'no bytes were uploaded for this image: push again')
  }
  const { claim, parts } = arrived
  await claim.run(async () => {
    const blob = await finishSingle(services, claim.upload, parts)
    await publishUpload(services, { ...target, upload: claim.upload, blob }, pusher)
  })
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

/**
 * Whether the upload was completed with these parts; throws where it was with others. Null: an
 * earlier version completed it, and kept no list.
 */
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

/**
 * Completes a multipart upload (protocol 5.13). Repeating it with the same parts answers as the
 * first time did: its client lost that answer. With others it is refused.
 */
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
  const claim = await claimUpload(services, upload, { pusher })
  if (claim === undefined) {
    const now = await metadata.uploads.find(upload.id)
    if (isRepeated(now, partsDigest)) return
    assertOpen(now ?? { ...upload, state: 'expired' }, settings.clock())
    // somebody else had it, failed and gave it back; without the claim it must not go on
    throw new LibraryError('conflict', 'the upload was being completed: try again')
  }
  await claim.run(async () => {
    const blob = await joinParts(services, claim.upload, parts)
    await publishUpload(services, { ...target, upload: claim.upload, blob, partsDigest }, pusher)
  })
}
