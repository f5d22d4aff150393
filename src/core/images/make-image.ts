/** The record of a new image, for the protocol and for the use cases of people. */
import type {
  Activity,
  ContainerRecord,
  CreateResult,
  ImageInContainer,
  ImageRecord,
} from '../../storage/metadata/contract.js'
import type { Action, Principal, Resource } from '../auth/policy.js'
import { imageResource } from '../auth/resources.js'
import { isLibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import { isVisible } from '../model/objects.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'
import { inspectionOf, summaryOf } from './inspections.js'
import { explainQuota } from './quota.js'
import { findSharable } from './share-bytes.js'

/** Who pushes. */
export interface ImageMaker {
  readonly principal: Principal | null
  readonly request: LibraryRequest
  readonly may: (action: Action, resource: Resource) => boolean | Promise<boolean>
  /** Whom events name; absent where nobody asked. */
  readonly by: { readonly principal: Principal | null; readonly request: LibraryRequest } | undefined
}

export interface NewImage {
  readonly container: ContainerRecord
  readonly digest: string
  readonly description: string
  readonly activity?: Activity
}

/**
 * Idempotent on (container, hash). Bytes that the principal may read elsewhere are shared, so that
 * nothing has to be uploaded; others have to be sent.
 */
export async function makeImage(
  services: Services,
  maker: ImageMaker,
  { container, digest, description, activity }: NewImage,
): Promise<CreateResult<ImageRecord>> {
  const { settings, metadata, hooks, emit } = services
  const { principal, request, by } = maker
  const path = containerPath(container)
  await hooks.beforePush?.({ principal, request, path, digest })
  const place = { entity: container.entityName, collection: container.collectionName, container: container.name }
  const existing = (await metadata.images.findByPath(place, { digest }))?.image
  if (existing !== undefined && isVisible(existing)) return { record: existing, created: false }
  const base = { containerId: container.id, digest, description, owner: principal?.id ?? null, now: settings.clock() }
  const id = existing?.id ?? settings.generateId()
  const source = await findSharable(metadata, digest, (candidate) => mayShare(services, maker, candidate))
  const shareBytes =
    source === undefined
      ? {}
      : { shareBytes: { imageId: source.id, defaultQuotaBytes: settings.limits.maxEntityBytes } }
  const inspection = source && (await inspectionOf(services, source))
  if (source !== undefined && inspection !== undefined) {
    // beforePublish must see what becomes visible, however its bytes came
    const image = {
      ...source,
      ...existing,
      id,
      containerId: container.id,
      description: existing?.description ?? description,
      owner: base.owner,
    }
    const { size, arch } = source
    await hooks.beforePublish?.({ principal, request, path, image, container, size, arch, sif: inspection })
  }
  const room = { entityId: container.entityId, wanted: source?.size ?? 0 }
  const made = await explainQuota(services, room, () =>
    metadata.images.createIfAbsent({
      ...{ id, ...base, ...shareBytes },
      maxRecords: settings.limits.maxEntityRecords,
      maxPending: settings.limits.maxPendingImages,
      ...(activity !== undefined && { activity }),
    }),
  )
  const { record: image } = made
  if (made.shared && inspection !== undefined) {
    const { size, arch } = image
    emit('image.published', { path, imageId: image.id, digest, size, arch, sif: summaryOf(inspection) }, by)
  }
  return made
}

/** Whether who asks could download these bytes, and so may have them without sending them. */
async function mayShare(
  { hooks, settings }: Services,
  { principal, request, may }: ImageMaker,
  { image, container }: ImageInContainer,
): Promise<boolean> {
  if (!(await may('pull', imageResource(container)))) return false
  try {
    await hooks.beforePull?.({ principal, request, path: containerPath(container), image, container })
    return true
  } catch (err) {
    if (!isLibraryError(err)) settings.logger.error({ err }, 'hooks.beforePull failed: bytes are not shared')
    // they send the bytes, if they have them
    return false
  }
}
