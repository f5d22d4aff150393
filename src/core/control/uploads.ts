/** Uploads for people and scripts: the same records as those of a push. */
import { z } from 'zod'
import { isStorageError } from '../../storage/blob/errors.js'
import type { ContainerRecord, ImageInContainer, UploadRecord } from '../../storage/metadata/contract.js'
import { imageResource } from '../auth/resources.js'
import { LibraryError } from '../http/errors.js'
import { makeImage } from '../images/make-image.js'
import { setTag } from '../images/set-tag.js'
import { isVisible } from '../model/objects.js'
import { checkArch, checkTag, containerPath, isId } from '../model/references.js'
import { abortUpload } from '../uploads/abort.js'
import { completeMultipart, completeSingle } from '../uploads/complete.js'
import { openPart } from '../uploads/open-upload.js'
import { plannedPartSize } from '../uploads/part-plan.js'
import type { Pusher } from '../uploads/pusher.js'
import { startUpload } from '../uploads/start.js'
import { forgetWishes, rememberWishes, type UploadWishes, wishesOf } from '../uploads/wishes.js'
import { activityOf } from './activity.js'
import { date, type UseCase } from './context.js'
import type { NewUpload, PartsQuestion } from './control.js'
import { findEntity } from './find-place.js'
import { imageById } from './images.js'
import { containerPlace, description, digest, flag, pageShape, read, type Shape, text } from './input.js'
import { makeContainer } from './make-places.js'
import { mapPage, readPage, splitPage } from './pages.js'
import type { CompletedUpload, Page, PageQuery, PartTarget, StartedUpload, Upload, UploadedPart } from './records.js'

/** Tags that one upload may set. */
const maxTags = 32

export const newUpload: Shape<NewUpload> = {
  path: text(767).describe('of the container, which is made where it is missing'),
  digest: digest.describe('SHA-256 of the file'),
  size: z.int().min(1).describe('bytes of the file'),
  tags: z.array(text(128)).max(maxTags).optional().describe('set once the bytes are there'),
  arch: text(32).optional().describe('of the tags; default: what the image says'),
  description: description.optional(),
}

export const partsQuestion: Shape<PartsQuestion> = {
  parts: z
    .array(
      z.strictObject({
        number: z.int().min(1),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')
          .describe('of the part'),
      }),
    )
    .min(1)
    .max(32),
  transfer: z.enum(['auto', 'proxy']).optional().describe('proxy: through the registry, not to its store'),
}

type UploadsQuery = { readonly entity?: string; readonly mine?: boolean }

export const uploadsQuery: Shape<UploadsQuery & PageQuery> = {
  entity: text(255).optional().describe('all of this entity, for those who manage it'),
  mine: flag.optional().describe('only your own; without entity always'),
  ...pageShape,
}

const pusherOf = ({ asker: { principal, request, by } }: UseCase): Pusher => ({
  principal,
  request,
  ...(by?.requestId !== undefined && { requestId: by.requestId }),
})

function uploadOf(
  record: UploadRecord,
  {
    path,
    wishes,
    parts,
  }: {
    readonly path: string
    readonly wishes: UploadWishes
    readonly parts?: readonly UploadedPart[] | undefined
  },
): Upload {
  const { id, state, digest: hex, size, partSize, totalParts, createdAt, expiresAt } = record
  return {
    ...{ id, state, path, digest: hex, size, partSize, totalParts },
    tags: wishes.tags,
    arch: wishes.arch,
    createdAt: date(createdAt),
    expiresAt: date(expiresAt),
    ...(parts !== undefined && { parts }),
  }
}

async function setTags(
  { services, asker }: UseCase,
  { image, container }: ImageInContainer,
  { tags, arch }: UploadWishes,
): Promise<void> {
  for (const tag of tags)
    await setTag(services, asker, {
      ...{ container, image, tag },
      declared: arch ?? undefined,
      activity: activityOf(asker, { cause: 'push' }),
    })
}

/**
 * Makes what is missing on the way. Bytes that are there already, or that who asks may read
 * elsewhere, need no upload.
 */
export async function startUploading(useCase: UseCase, given: NewUpload): Promise<StartedUpload> {
  const { services, asker } = useCase
  const wanted = read<NewUpload>(newUpload, given)
  const place = containerPlace(wanted.path)
  const wishes: UploadWishes = {
    tags: (wanted.tags ?? []).map((tag) => checkTag('tags', tag)),
    arch: wanted.arch === undefined ? null : checkArch('arch', wanted.arch),
  }
  const { record: container } = await makeContainer(useCase, place)
  const { record: image } = await makeImage(services, asker, {
    ...{ container, digest: wanted.digest, description: wanted.description ?? '' },
    activity: activityOf(asker, { cause: 'push' }),
  })
  if (isVisible(image)) {
    await setTags(useCase, { image, container }, wishes)
    return { state: 'present', image: await imageById(useCase, { image, container }) }
  }
  const { transfers } = services
  const upload = await startUpload(
    services,
    {
      ...{ image, container, size: wanted.size },
      ...(transfers.offersMultipart
        ? { kind: 'multipart' }
        : { kind: 'single', ...(transfers.presignsUploads && { asPart: { sha256: wanted.digest } }) }),
    },
    pusherOf(useCase),
  )
  await rememberWishes(services, upload.id, wishes)
  return { ...uploadOf(upload, { path: wanted.path, wishes }), state: 'open' }
}

interface FoundUpload extends ImageInContainer {
  readonly upload: UploadRecord
}

/**
 * An upload of who asks, whose container they may (still) push to. Another one's is as good as
 * none.
 */
async function findUpload(
  { services, asker }: UseCase,
  id: string,
  { others = false }: { readonly others?: boolean } = {},
): Promise<FoundUpload> {
  const absent = new LibraryError('not-found', 'no such upload')
  const { metadata } = services
  const upload = isId(String(id)) ? await metadata.uploads.find(id) : undefined
  if (upload === undefined) throw absent
  const found = await metadata.images.find(upload.imageId)
  if (found === undefined) throw absent
  const resource = imageResource(found.container)
  const isOwn = asker.isOperator || upload.principal === (asker.principal?.id ?? null)
  if (!isOwn && !(others && (await asker.may('manage', resource)))) throw absent
  await asker.authorize('push', { resource, record: found, byId: true })
  return { ...found, upload }
}

/** What of an upload has arrived whole. */
async function arrivedParts({ services }: UseCase, upload: UploadRecord): Promise<readonly UploadedPart[]> {
  const { storage } = services
  const { key, backendUploadId } = upload
  if (upload.state !== 'open') return []
  if (backendUploadId === null) return (await storage.stat(key)) === undefined ? [] : [{ number: 1, size: upload.size }]
  const parts = await storage.multipart?.listParts({ key, uploadId: backendUploadId }).catch((error: unknown) => {
    if (isStorageError(error, 'upload-not-found')) return []
    throw error
  })
  return (parts ?? [])
    .filter(({ partNumber, size }) => partNumber <= upload.totalParts && size === plannedPartSize(upload, partNumber))
    .map(({ partNumber, size }) => ({ number: partNumber, size }))
}

export async function getUpload(useCase: UseCase, id: string): Promise<Upload> {
  const { upload, container } = await findUpload(useCase, id, { others: true })
  return uploadOf(upload, {
    path: containerPath(container),
    wishes: await wishesOf(useCase.services, upload.id),
    parts: await arrivedParts(useCase, upload),
  })
}

export async function listUploads(useCase: UseCase, given?: UploadsQuery & PageQuery): Promise<Page<Upload>> {
  const { services, asker } = useCase
  const { metadata } = services
  const { page, query } = splitPage(read<UploadsQuery & PageQuery>(uploadsQuery, given))
  const { entity, mine = entity === undefined } = query
  const { principal } = asker
  if (mine && principal === null)
    throw new LibraryError('unauthorized', 'log in to see your uploads', {
      headers: { 'www-authenticate': 'Bearer' },
    })
  const entityId = entity === undefined ? undefined : (await findEntity(useCase, entity, mine ? 'push' : 'manage')).id
  const containers = new Map<string, Promise<ContainerRecord | undefined>>()
  const containerOf = (id: string): Promise<ContainerRecord | undefined> => {
    const found = containers.get(id) ?? metadata.containers.find(id)
    containers.set(id, found)
    return found
  }
  const found = await readPage<UploadRecord>(services, asker, {
    list: 'uploads',
    query,
    page,
    read: (part) =>
      metadata.uploads.page({
        ...(entityId !== undefined && { entityId }),
        ...(mine && principal !== null && { principal: principal.id }),
        ...part,
      }),
  })
  return mapPage(found, async (record) => {
    const container = await containerOf(record.containerId)
    return uploadOf(record, {
      path: container === undefined ? '' : containerPath(container),
      wishes: await wishesOf(services, record.id),
    })
  })
}

export async function openParts(useCase: UseCase, id: string, given: PartsQuestion): Promise<readonly PartTarget[]> {
  const { services, asker } = useCase
  const { transfers } = services
  const { parts, transfer = 'auto' } = read<PartsQuestion>(partsQuestion, given)
  const { upload } = await findUpload(useCase, id)
  const viaServer = transfer === 'proxy'
  if (viaServer && upload.backendUploadId !== null && !transfers.takesParts)
    throw new LibraryError('not-offered', 'parts can only be sent to the store itself', { field: 'transfer' })
  const { principal, request } = asker
  const targets: PartTarget[] = []
  for (const { number, sha256 } of parts) {
    const size = plannedPartSize(upload, number)
    await openPart(services, upload, { partNumber: number, partSize: size })
    if (upload.backendUploadId === null) {
      const url = await transfers.putUrl(request, upload, { clientSendsNoHash: false, principal })
      const { presignSeconds } = services.settings.limits
      targets.push({ number, url, headers: {}, expiresAt: date(services.settings.clock() + presignSeconds * 1000) })
      continue
    }
    const target = await transfers.partTarget(request, upload, {
      ...{ partNumber: number, size, sha256, principal, viaServer },
    })
    const { url, headers, expiresAt } = target
    targets.push({ number, url, headers, expiresAt: expiresAt.toISOString() })
  }
  return targets
}

/**
 * The parts in their order, as the store has them. Throws `conflict` that says which are missing.
 */
async function wholeParts(useCase: UseCase, upload: UploadRecord) {
  const { storage } = useCase.services
  const { key, backendUploadId } = upload
  const arrived = await storage.multipart?.listParts({ key, uploadId: backendUploadId ?? '' }).catch(
    // joined by a completion whose answer was lost; the next step finds that out
    (error: unknown) => {
      if (isStorageError(error, 'upload-not-found')) throw new LibraryError('gone', 'the upload is gone: start again')
      throw error
    },
  )
  const parts = (arrived ?? [])
    .filter(({ partNumber }) => partNumber <= upload.totalParts)
    .map(({ partNumber, etag }) => ({ partNumber, etag }))
  const numbers = new Set(parts.map(({ partNumber }) => partNumber))
  const missing = Array.from({ length: upload.totalParts }, (_, index) => index + 1).filter((n) => !numbers.has(n))
  if (missing.length > 0) {
    const some = missing.slice(0, 10).join(', ')
    const more = missing.length > 10 ? ` and ${missing.length - 10} more` : ''
    throw new LibraryError('conflict', `not all parts have arrived: ${some}${more}`, {
      current: { missing: missing.slice(0, 1000) },
    })
  }
  return parts
}

export async function completeUpload(useCase: UseCase, id: string): Promise<CompletedUpload> {
  const { services } = useCase
  const { upload, image, container } = await findUpload(useCase, id)
  if (upload.state === 'completing') return { state: 'completing' }
  const target = { image, container }
  const pusher = pusherOf(useCase)
  if (upload.state !== 'completed') {
    if (upload.kind === 'single') await completeSingle(services, target, pusher)
    else {
      const parts = upload.state === 'open' ? await wholeParts(useCase, upload) : []
      if (parts.length === 0) throw new LibraryError('gone', `the upload is ${upload.state}: start again`)
      await completeMultipart(services, { ...target, upload, parts }, pusher)
    }
  }
  const now = await services.metadata.images.find(image.id)
  if (now === undefined || !isVisible(now.image))
    throw new LibraryError('gone', 'the image was deleted in the meantime: push again')
  // they are there until the tags are set: a completion that broke off before is repeated
  await setTags(useCase, now, await wishesOf(services, upload.id))
  await forgetWishes(services, upload.id)
  return { state: 'completed', image: await imageById(useCase, now) }
}

export async function abortUploading(useCase: UseCase, id: string): Promise<void> {
  const { upload } = await findUpload(useCase, id, { others: true })
  if (upload.state === 'completing') throw new LibraryError('conflict', 'the upload is being completed')
  await abortUpload(useCase.services, upload, { reason: 'client', pusher: pusherOf(useCase) })
  await forgetWishes(useCase.services, upload.id)
}
