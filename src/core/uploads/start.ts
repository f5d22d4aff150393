/**
 * The start of an upload (protocol 5.8, 5.9, 5.11): its plan, its record, and the bytes that it
 * reserves.
 */
import type { ImageInContainer, MetadataStore, UploadKind, UploadRecord } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import { blobKey } from '../blobs/keys.js'
import { activityOf } from '../hooks/activity.js'
import { LibraryError } from '../http/errors.js'
import { explainQuota } from '../images/quota.js'
import { exactBytes } from '../model/format-bytes.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'
import { abortUpload } from './abort.js'
import { abandonedAfterMs } from './heartbeat.js'
import { planParts } from './part-plan.js'
import { type Pusher, principalId } from './pusher.js'

/**
 * Records an upload. A push that is tried again must not be refused for what its attempt before
 * still has reserved: uploads of the same image by the same principal make room, the oldest first,
 * and before all one whose instance died while it completed it. Only where the quota has no room
 * beside them: one may be alive, and two clients of one principal may push one image at once
 * (protocol 9.8 has no abort after Ctrl-C). The same where the image has as many uploads under way
 * as it may.
 */
async function createUpload(
  services: Services,
  upload: Parameters<MetadataStore['uploads']['create']>[0],
  pusher: Pusher,
): Promise<UploadRecord> {
  const { uploads } = services.metadata
  let former: UploadRecord[] | undefined
  for (;;) {
    try {
      return await uploads.create(upload)
    } catch (error) {
      if (!isMetadataError(error, 'quota-exceeded') && !isMetadataError(error, 'limit-exceeded')) throw error
      if (isMetadataError(error, 'limit-exceeded') && error.limit !== 'uploads-of-image') throw error
      former ??= await findReplaceable(services, upload)
      const oldest = former.pop()
      if (oldest === undefined) throw error
      await abortUpload(services, oldest, { reason: 'replaced', pusher })
    }
  }
}

/** How many uploads one new one replaces at the most: each takes a call to the storage. */
const maxReplaced = 10

/** Uploads that may make room for this one, the oldest last. */
async function findReplaceable(
  { metadata, settings }: Services,
  upload: Pick<UploadRecord, 'imageId' | 'principal' | 'createdAt'>,
): Promise<UploadRecord[]> {
  const { uploads } = metadata
  const dead = (await uploads.findCompleting(upload.imageId, upload.principal)).filter(
    ({ updatedAt }) => updatedAt < upload.createdAt - abandonedAfterMs,
  )
  const open = await uploads.findOpen(upload.imageId, upload.principal, settings.limits.maxImageUploads)
  return [...open, ...dead].slice(-maxReplaced)
}

/**
 * Records of ended uploads that are kept of each principal, of each state: they answer a call that
 * is repeated.
 */
const maxEndedUploads = 1000

/**
 * Starts an upload: asks the hook, reserves quota, records it. Throws `too-large`,
 * `quota-exceeded`, `too-many`.
 *
 * One PUT past this server is the one part of an upload in parts, so that no URL for a final key
 * exists, and the URL leads nowhere once the upload has ended.
 */
export async function startUpload(
  services: Services,
  target: ImageInContainer & {
    readonly kind: UploadKind
    readonly size: number
    /** Of a `single` one: it becomes one part of an upload in parts at the storage. */
    readonly asPart?: { readonly sha256: string | undefined }
  },
  pusher: Pusher,
): Promise<UploadRecord> {
  const { settings, storage, hooks, emit } = services
  const { image, container, kind, size, asPart } = target
  const { maxImageBytes, partBytes, uploadSeconds, maxEntityBytes, maxPrincipalUploads, maxImageUploads } =
    settings.limits
  if (size > maxImageBytes)
    throw new LibraryError(
      'too-large',
      `the image has ${exactBytes(size)}, this registry takes ${exactBytes(maxImageBytes)} at most`,
    )
  if (kind === 'single' && size > storage.limits.maxPutSize) {
    throw new LibraryError(
      'too-large',
      `one PUT takes ${exactBytes(storage.limits.maxPutSize)} at most, and this image needs a client that sends parts`,
    )
  }
  await hooks.beforePush?.({ ...pusher, path: containerPath(container), digest: image.digest, size })
  const plan =
    kind === 'single' ? { partSize: size, totalParts: 1 } : planParts(size, { partBytes, limits: storage.limits })
  const now = settings.clock()
  const id = settings.generateId()
  const key = blobKey(image.digest, id)
  const backendUploadId =
    kind === 'single' && asPart === undefined
      ? null
      : ((await storage.multipart?.create(key, { size, partSize: plan.partSize, sha256: asPart?.sha256 }))?.uploadId ??
        null)
  try {
    const room = { entityId: container.entityId, wanted: size }
    const upload = await explainQuota(services, room, () =>
      createUpload(
        services,
        {
          id,
          kind,
          imageId: image.id,
          containerId: container.id,
          entityId: container.entityId,
          principal: principalId(pusher),
          key,
          size,
          digest: image.digest,
          ...plan,
          backendUploadId,
          createdAt: now,
          expiresAt: now + uploadSeconds * 1000,
          defaultQuotaBytes: maxEntityBytes,
          activity: activityOf(pusher, 'push'),
          limits: {
            ofPrincipal: maxPrincipalUploads,
            ofImage: maxImageUploads,
            endedOfPrincipal: Math.max(maxEndedUploads, maxPrincipalUploads),
          },
        },
        pusher,
      ),
    )
    emit('upload.started', { uploadId: id, imageId: image.id, size }, pusher)
    return upload
  } catch (error) {
    if (backendUploadId !== null) await storage.multipart?.abort({ key, uploadId: backendUploadId }).catch(() => {})
    throw error
  }
}
