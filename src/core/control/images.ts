/** Images: list, look at, describe, delete, hand out. */
import { z } from 'zod'
import type { SifInspection } from '../../sif/index.js'
import type { ContainerRecord, ImageInContainer, ImageSummary } from '../../storage/metadata/contract.js'
import type { Resource } from '../auth/policy.js'
import { imageResource } from '../auth/resources.js'
import { LibraryError } from '../http/errors.js'
import { handOut } from '../images/hand-out.js'
import { inspectionOf } from '../images/inspections.js'
import { checkArch, containerPath, hashFromDigest } from '../model/references.js'
import { activityOf } from './activity.js'
import { canOf } from './asker.js'
import { date, dateOrNull, type UseCase } from './context.js'
import type { ImageQuery } from './control.js'
import { findContainer } from './find-place.js'
import {
  canShape,
  containerPlace,
  description,
  digest as digestSchema,
  flag,
  pageShape,
  read,
  type Shape,
  text,
} from './input.js'
import { mapPage, readPage, splitPage } from './pages.js'
import { previewOf } from './place-records.js'
import type { ControlAction, DeletionPreview, Image, ImageState, Page, PageQuery, WithCan } from './records.js'

export const imageQuery: Shape<ImageQuery & PageQuery> = {
  arch: text(32).optional(),
  untagged: flag.optional().describe('only those without a tag (true), or only those with one (false)'),
  sort: z.enum(['publishedAt', '-publishedAt']).optional().describe('default: -publishedAt'),
  ...canShape,
  ...pageShape,
}

export const imageChange: Shape<{ description: string }> = { description }

const shownTags = 100

export async function imageOf(
  { asker }: UseCase,
  {
    container,
    image,
    query = {},
  }: {
    readonly container: ContainerRecord
    readonly image: ImageSummary
    readonly query?: WithCan
  },
): Promise<Image> {
  return {
    path: containerPath(container),
    digest: image.digest,
    hash: hashFromDigest(image.digest),
    description: image.description,
    size: image.size,
    arch: image.arch,
    // one without bytes is shown to nobody
    state: image.state as ImageState,
    signed: image.signed,
    encrypted: image.encrypted,
    fingerprints: image.fingerprints,
    tags: image.tags.slice(0, shownTags).map(({ tag, arch }) => ({ tag, arch })),
    pulls: image.downloadCount,
    lastPulledAt: dateOrNull(image.lastPulledAt),
    createdAt: date(image.createdAt),
    publishedAt: dateOrNull(image.publishedAt),
    pushedBy: image.pushedByName,
    ...(await canOf(asker, query, imageResource(container, hashFromDigest(image.digest)))),
  }
}

export async function listImages(useCase: UseCase, path: string, given?: ImageQuery & PageQuery): Promise<Page<Image>> {
  const { services, asker } = useCase
  const { page, query } = splitPage(read<ImageQuery & PageQuery>(imageQuery, given))
  const { with: _, sort = '-publishedAt', ...filters } = query
  if (filters.arch !== undefined) checkArch('arch', filters.arch)
  const container = await findContainer(useCase, containerPlace(path), 'pull')
  const found = await readPage<ImageSummary>(services, asker, {
    list: 'images',
    query: { path, sort, ...filters },
    page,
    read: (part) => services.metadata.images.page({ containerId: container.id, sort, ...filters, ...part }),
  })
  return mapPage(found, (image) => imageOf(useCase, { container, image, query }))
}

/** An image that the action may be done to. One without bytes is as good as none. */
async function findImage(
  { services, asker }: UseCase,
  { path, digest: given, action }: { readonly path: string; readonly digest: string; readonly action: ControlAction },
): Promise<ImageInContainer> {
  const place = containerPlace(path)
  const parsed = digestSchema.safeParse(given)
  if (!parsed.success)
    throw new LibraryError('invalid-name', `digest: ${parsed.error.issues[0]?.message ?? 'is none'}`, {
      field: 'digest',
    })
  const found = await services.metadata.images.findByPath(place, { digest: parsed.data })
  const record = found?.image.state === 'pending' ? undefined : found
  const selector = hashFromDigest(parsed.data)
  const resource: Resource =
    record === undefined
      ? { kind: 'image', path, ...place, selector, private: false, owner: null }
      : imageResource(record.container, selector)
  return asker.authorize(action, { resource, record })
}

async function summaryOf({ services }: UseCase, { image, container }: ImageInContainer): Promise<ImageSummary> {
  const summary = await services.metadata.images.findSummary(image.id)
  if (summary === undefined)
    throw new LibraryError('not-found', `no such image: ${containerPath(container)}:${hashFromDigest(image.digest)}`)
  return summary
}

export async function getImage(useCase: UseCase, path: string, digest: string, given?: WithCan): Promise<Image> {
  const query = read<WithCan>(canShape, given)
  const found = await findImage(useCase, { path, digest, action: 'pull' })
  return imageOf(useCase, { container: found.container, image: await summaryOf(useCase, found), query })
}

/**
 * What the file says of itself, under the rule of its bytes: a definition file may hold secrets.
 */
export async function inspectImage(useCase: UseCase, path: string, digest: string): Promise<SifInspection> {
  const { image, container } = await findImage(useCase, { path, digest, action: 'pull' })
  const inspection = await inspectionOf(useCase.services, image)
  if (inspection === undefined)
    throw new LibraryError('not-found', `no such image: ${containerPath(container)}:${hashFromDigest(image.digest)}`)
  return inspection
}

export async function imageById(useCase: UseCase, { image, container }: ImageInContainer): Promise<Image> {
  return imageOf(useCase, { container, image: await summaryOf(useCase, { image, container }) })
}

export async function updateImage(
  useCase: UseCase,
  path: string,
  digest: string,
  given: { readonly description: string },
): Promise<Image> {
  const { services, asker } = useCase
  const change = read<{ description: string }>(imageChange, given)
  const found = await findImage(useCase, { path, digest, action: 'push' })
  const now = services.settings.clock()
  await services.metadata.images.update(found.image.id, { ...change, now, activity: activityOf(asker) })
  return imageById(useCase, found)
}

export async function previewImage(useCase: UseCase, path: string, digest: string): Promise<DeletionPreview> {
  const { image, container } = await findImage(useCase, { path, digest, action: 'delete' })
  const preview = await useCase.services.metadata.images.preview(image.id)
  const reference = `${containerPath(container)}:${hashFromDigest(image.digest)}`
  if (preview === undefined) throw new LibraryError('not-found', `no such image: ${reference}`)
  return previewOf(reference, preview)
}

export async function deleteImage(useCase: UseCase, path: string, digest: string): Promise<void> {
  const { services, asker } = useCase
  const { image, container } = await findImage(useCase, { path, digest, action: 'delete' })
  const { principal, request } = asker
  await services.hooks.beforeDelete?.({ principal, request, path, image })
  const now = services.settings.clock()
  if (!(await services.metadata.images.delete(image.id, now, activityOf(asker, { cause: 'delete' }))))
    throw new LibraryError('not-found', `no such image: ${containerPath(container)}:${hashFromDigest(image.digest)}`)
  services.emit('image.deleted', { path, imageId: image.id, digest: image.digest }, asker.by)
}

/** `NAME_TAG_ARCH.sif`; an image without a tag has the start of its digest in its place. */
async function filenameOf({ services }: UseCase, { image, container }: ImageInContainer): Promise<string> {
  const [first] = await services.metadata.images.tagsOf(image.id)
  const arch = first?.arch ?? image.arch
  return `${container.name}_${first?.tag ?? image.digest.slice(0, 12)}${arch === null ? '' : `_${arch}`}.sif`
}

export async function pullUrl(useCase: UseCase, path: string, digest: string): Promise<string> {
  const { services, asker } = useCase
  const found = await findImage(useCase, { path, digest, action: 'pull' })
  const { principal, request, by } = asker
  return handOut(services, found, { principal, request, by, filename: await filenameOf(useCase, found) })
}
