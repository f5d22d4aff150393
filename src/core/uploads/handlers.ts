/**
 * Uploads (protocol 5.8-5.14). All are authorized as `push` on the container of the image that the
 * path names, and an upload is bound to its image and principal.
 */
import { isStorageError } from '../../storage/blob/errors.js'
import type { ImageInContainer, UploadRecord } from '../../storage/metadata/contract.js'
import type { Located } from '../auth/access.js'
import { grantOf, stillHolds } from '../auth/grants.js'
import { imageResource } from '../auth/resources.js'
import { proveBlob } from '../blobs/prove.js'
import { LibraryError } from '../http/errors.js'
import { readByteStream } from '../http/json-body.js'
import type { LibraryResponse } from '../http/messages.js'
import { dataResponse, emptyResponse } from '../http/responses.js'
import type {
  AbortBody,
  CompleteMultipartBody,
  PresignPartBody,
  StartMultipartBody,
  StartSingleBody,
} from '../model/bodies.js'
import type { UploadCompleteObject } from '../model/objects.js'
import { containerPath, isId } from '../model/references.js'
import type { RouteContext, RouteInput } from '../route.js'
import { abortUpload } from './abort.js'
import { claimUpload } from './claim.js'
import { completeMultipart, completeSingle } from './complete.js'
import { findUpload, openPart } from './open-upload.js'
import { publishUpload } from './publish.js'
import type { Pusher } from './pusher.js'
import { startUpload } from './start.js'

/** Finds the image whose id the path holds. */
export async function locateImageById({
  services,
  params,
}: RouteInput<unknown>): Promise<Located<ImageInContainer> | undefined> {
  const id = params.imageId ?? ''
  const record = isId(id) ? await services.metadata.images.find(id) : undefined
  return record === undefined ? undefined : { resource: imageResource(record.container), record, byId: true }
}

const pusherOf = ({
  principal,
  request,
}: {
  readonly principal: Pusher['principal']
  readonly request: Pusher['request']
}): Pusher => ({ principal, request })

/**
 * Either nothing or the full object: an empty one makes the CLI print an empty URL (protocol Q8).
 */
async function completeAnswer({ services, record }: RouteContext<unknown, ImageInContainer>): Promise<LibraryResponse> {
  const { container } = record
  const entity = await services.metadata.entities.find(container.entityId)
  const answer: UploadCompleteObject = {
    quota: {
      quotaTotal: entity?.quotaBytes ?? services.settings.limits.maxEntityBytes,
      quotaUsage: entity?.usedBytes ?? 0,
    },
    containerUrl: services.settings.containerUrl(containerPath(container)),
  }
  return dataResponse(answer)
}

/** `POST v1/imagefile/{id}`: the bytes in one request (protocol 5.8). */
export async function pushDirect(context: RouteContext<unknown, ImageInContainer>): Promise<LibraryResponse> {
  const { services, record, request } = context
  const { settings } = services
  const { stream, length } = readByteStream(request, settings.limits.idleSeconds)
  if (length === undefined) throw new LibraryError('length-required')
  if (length === 0) throw new LibraryError('invalid-request', 'an empty file is no image')
  const pusher = pusherOf(context)
  const upload = await startUpload(services, { ...record, kind: 'single', size: length }, pusher)
  // claimed before its bytes come: somebody who completes a single PUT of the same image would take
  // it for his own
  const claim = await claimUpload(services, upload, { pusher, isResumable: false })
  if (claim === undefined) throw new LibraryError('gone', 'the upload was ended in the meantime')
  await claim.run(async () => {
    await receiveDirect(context, upload, stream)
    await assertMayStillPush(context)
    const blob = { key: upload.key, proof: 'proven' } as const
    await publishUpload(services, { ...record, upload: claim.upload, blob }, pusher)
  })
  return emptyResponse(200)
}

async function receiveDirect(
  { services, request }: RouteContext<unknown, ImageInContainer>,
  { key, size, digest: sha256 }: UploadRecord,
  stream: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { storage } = services
  try {
    await storage.put(key, stream, { size, sha256, signal: request.signal })
  } catch (error) {
    // nobody else knows this key: the backend tried again after the answer to its first try got
    // lost
    if (!isStorageError(error, 'exists')) throw error
    await proveBlob(storage, { key, size, sha256 })
  }
}

/** The bytes may have come for hours. */
async function assertMayStillPush({
  services,
  record,
  request,
  principal,
}: RouteContext<unknown, ImageInContainer>): Promise<void> {
  const wanted = { action: 'push', resource: imageResource(record.container) } as const
  if ((await stillHolds({ auth: services.auth, request }, grantOf(principal), wanted)) === false)
    throw new LibraryError('unauthorized', 'the access token is not valid any more, or may not push here any more')
}

/** `POST v2/imagefile/{id}`: a URL for one PUT (protocol 5.9). */
export async function startSingle(context: RouteContext<StartSingleBody, ImageInContainer>): Promise<LibraryResponse> {
  const { services, record, body, request, principal } = context
  if (body.sha256sum !== undefined && body.sha256sum !== '' && body.sha256sum !== record.image.digest) {
    throw new LibraryError('invalid-request', 'sha256sum: is not the hash that the image was created with')
  }
  // client libraries up to 0.4 know no SHA-256, and never send its header
  const clientSendsNoHash = body.sha256sum === undefined
  const asPart = { sha256: clientSendsNoHash ? undefined : record.image.digest }
  const upload = await startUpload(
    services,
    {
      ...record,
      kind: 'single',
      size: body.filesize,
      ...(services.transfers.presignsUploads && { asPart }),
    },
    pusherOf(context),
  )
  const uploadURL = await services.transfers.putUrl(request, upload, { clientSendsNoHash, principal })
  return dataResponse({ uploadURL })
}

/** `PUT v2/imagefile/{id}/_complete` (protocol 5.10). */
export async function finishSingleUpload(context: RouteContext<object, ImageInContainer>): Promise<LibraryResponse> {
  await completeSingle(context.services, context.record, pusherOf(context))
  return completeAnswer(context)
}

/**
 * `POST v2/imagefile/{id}/_multipart`: the plan (protocol 5.11). 404 = not offered, and the client
 * falls back to one PUT.
 */
export async function startMultipart(
  context: RouteContext<StartMultipartBody, ImageInContainer>,
): Promise<LibraryResponse> {
  const { services, record, body } = context
  const { transfers } = services
  if (!transfers.offersMultipart) throw new LibraryError('not-offered', 'multipart uploads are not offered')
  const upload = await startUpload(services, { ...record, kind: 'multipart', size: body.filesize }, pusherOf(context))
  return dataResponse({
    uploadID: upload.id,
    totalParts: upload.totalParts,
    partSize: upload.partSize,
    // values must be strings (protocol Q15)
    options: { s3compliant: String(transfers.bindsParts()) },
  })
}

/**
 * `PUT v2/imagefile/{id}/_multipart`: a URL for one part (protocol 5.12). Never 404 for one's own
 * upload (Q12).
 */
export async function presignPart(context: RouteContext<PresignPartBody, ImageInContainer>): Promise<LibraryResponse> {
  const { services, record, body, request, principal } = context
  const upload = await findUpload(services, body.uploadID, { imageId: record.image.id, pusher: pusherOf(context) })
  const { partNumber, partSize: size } = body
  await openPart(services, upload, { partNumber, partSize: size })
  const sha256 = body.sha256sum === '' ? undefined : body.sha256sum
  return dataResponse({
    presignedURL: await services.transfers.partUrl(request, upload, { partNumber, size, sha256, principal }),
  })
}

/**
 * `PUT v2/imagefile/{id}/_multipart_complete` (protocol 5.13): 200 with JSON, never an empty body
 * (Q7).
 */
export async function finishMultipart(
  context: RouteContext<CompleteMultipartBody, ImageInContainer>,
): Promise<LibraryResponse> {
  const { services, record, body } = context
  const pusher = pusherOf(context)
  const upload = await findUpload(services, body.uploadID, { imageId: record.image.id, pusher })
  // tokens are ETags as they were received, quotes and all (protocol Q20)
  const parts = body.completedParts.map(({ partNumber, token }) => ({ partNumber, etag: token.replace(/^"|"$/g, '') }))
  await completeMultipart(services, { ...record, upload, parts }, pusher)
  return completeAnswer(context)
}

/** `PUT v2/imagefile/{id}/_multipart_abort` (protocol 5.14): ends the upload, touches no image. */
export async function abortMultipart(context: RouteContext<AbortBody, ImageInContainer>): Promise<LibraryResponse> {
  const { services, record, body } = context
  const pusher = pusherOf(context)
  const upload = await findUpload(services, body.uploadID, { imageId: record.image.id, pusher })
  await abortUpload(services, upload, { reason: 'client', pusher })
  return dataResponse({})
}
