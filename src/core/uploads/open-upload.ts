/** An upload that still takes bytes: finding it, and opening one of its parts. */
import type { UploadRecord } from '../../storage/metadata/contract.js'
import { LibraryError } from '../http/errors.js'
import { isId } from '../model/references.js'
import type { Services } from '../services.js'
import { plannedPartSize } from './part-plan.js'
import { type Pusher, principalId } from './pusher.js'

/** Throws unless the upload takes bytes. */
export function assertOpen(upload: UploadRecord, now: number): void {
  if (upload.state === 'open' && upload.expiresAt > now) return
  if (upload.state === 'completing') throw new LibraryError('conflict', 'the upload is being completed')
  throw new LibraryError('gone', `the upload is ${upload.state === 'open' ? 'expired' : upload.state}: push again`)
}

/**
 * The multipart upload that a call names. It must belong to this image and this principal: another
 * one's is 404 (it is hidden), an unknown one 410: a 404 would make the client of a known image
 * fall back to a single PUT from the wrong file position (protocol Q12).
 */
export async function findUpload(
  services: Services,
  uploadId: string,
  owner: { readonly imageId: string; readonly pusher: Pusher },
): Promise<UploadRecord> {
  const upload = isId(uploadId) ? await services.metadata.uploads.find(uploadId) : undefined
  if (upload === undefined) throw new LibraryError('gone', 'there is no such upload (any more): push again')
  const isOwn = upload.imageId === owner.imageId && upload.principal === principalId(owner.pusher)
  if (upload.kind !== 'multipart' || !isOwn) throw new LibraryError('not-found', 'no such upload')
  return upload
}

/**
 * Opens a part for its bytes: the upload must be open, and the size the planned one. Counts as a
 * sign of life, the only one of an upload whose parts go past this server.
 */
export async function openPart(
  { metadata, settings }: Services,
  upload: UploadRecord,
  { partNumber, partSize }: { readonly partNumber: number; readonly partSize: number },
): Promise<void> {
  const now = settings.clock()
  assertOpen(upload, now)
  const size = plannedPartSize(upload, partNumber)
  if (partSize !== size)
    throw new LibraryError('invalid-request', `partSize: ${partSize} where part ${partNumber} has ${size} bytes`)
  // a write only now and then
  const lifetime = settings.limits.uploadSeconds * 1000
  if (upload.expiresAt < now + 0.9 * lifetime)
    await metadata.uploads.touch(upload.id, { state: 'open', now, expiresAt: now + lifetime })
}
