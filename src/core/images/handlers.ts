/** Images: look up, create, delete (protocol 5.4-5.6), and handing out their bytes (5.7). */
import type { ContainerRecord, ImageInContainer } from '../../storage/metadata/contract.js'
import type { Located } from '../auth/access.js'
import { may } from '../auth/access.js'
import { containerResource, imageResource } from '../auth/resources.js'
import { activityOf } from '../hooks/activity.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryResponse } from '../http/messages.js'
import { dataResponse, emptyResponse } from '../http/responses.js'
import type { CreateImageBody } from '../model/bodies.js'
import { imageObject, isVisible, maxShownTags } from '../model/objects.js'
import {
  checkArch,
  containerPath,
  digestFromHash,
  hashFromDigest,
  isId,
  parseReference,
  type Reference,
} from '../model/references.js'
import type { RouteContext, RouteInput } from '../route.js'
import { findImage } from './find-image.js'
import { handOut } from './hand-out.js'
import { makeImage } from './make-image.js'

/** The arch that the query says; undefined where it says none (CLI 3.3 and older). */
function queryArch(input: RouteInput<unknown>): string | undefined {
  const { arch } = input.query
  return arch === undefined || arch === '' ? undefined : checkArch('arch', arch)
}

function selectorText(reference: Reference): string {
  const { selector } = reference
  return selector === undefined
    ? 'latest'
    : selector.kind === 'tag'
      ? selector.tag
      : selector.kind === 'hash'
        ? hashFromDigest(selector.digest)
        : 'sif'
}

/**
 * Finds the image of a reference. What is not uploaded yet exists only for those who may push there
 * (protocol 5.4).
 */
export async function locateImage(input: RouteInput<unknown>): Promise<Located<ImageInContainer>> {
  const { services, principal, request } = input
  const reference = parseReference(input.rest, services.settings)
  const found = await findImage(services, reference, queryArch(input))
  const selector = selectorText(reference)
  if (found === undefined)
    return { resource: { ...containerResource(reference, undefined), kind: 'image', selector }, record: undefined }
  const resource = imageResource(found.container, selector)
  const shown = isVisible(found.image) || (await may({ auth: services.auth, principal, request }, 'push', resource))
  return { resource, record: shown ? found : undefined }
}

/**
 * The hot path: one look-up in the store. Tags are left to `containers.get` and `search`: a second
 * look-up would cost a fifth more, and no client reads them here.
 */
export function getImage({ record, principal }: RouteContext<unknown, ImageInContainer>): LibraryResponse {
  return dataResponse(imageObject(record.image, record.container, principal))
}

/** Finds the container that a new image names. */
export async function locateNewImage({
  services,
  body,
}: RouteInput<CreateImageBody>): Promise<Located<ContainerRecord> | undefined> {
  digestFromHash('hash', body.hash)
  const container = isId(body.container) ? await services.metadata.containers.find(body.container) : undefined
  return container === undefined
    ? undefined
    : { resource: imageResource(container, body.hash), record: container, byId: true }
}

/** Idempotent on (container, hash). */
export async function createImage(context: RouteContext<CreateImageBody, ContainerRecord>): Promise<LibraryResponse> {
  const { services, body, record: container, principal, request } = context
  const digest = digestFromHash('hash', body.hash)
  const { record, created } = await makeImage(
    services,
    {
      principal,
      request,
      by: context,
      may: (action, resource) => may({ auth: services.auth, principal, request }, action, resource),
    },
    { container, digest, description: body.description, activity: activityOf(context, 'push') },
  )
  return dataResponse(imageObject(record, container, principal), created ? 201 : 200)
}

/** A reference without a selector is refused: a delete must never widen to the container (protocol 5.6). */
export async function locateForDelete(input: RouteInput<unknown>): Promise<Located<ImageInContainer>> {
  if (parseReference(input.rest, input.services.settings).selector === undefined) {
    throw new LibraryError('invalid-request', 'say which image: a tag or a hash after the colon')
  }
  return locateImage(input)
}

/**
 * By tag: removes that tag of that arch, and the image when no tag is left on it. By hash: removes
 * the image with its tags. Answers 200, the only word for success (protocol Q6).
 */
export async function deleteImage(context: RouteContext<unknown, ImageInContainer>): Promise<LibraryResponse> {
  const { services, record, principal, request, rest } = context
  const { metadata, hooks, settings, emit } = services
  const { image, container } = record
  const { selector } = parseReference(rest, settings)
  const path = containerPath(container)
  const now = settings.clock()
  let deleted: boolean
  if (selector?.kind === 'tag') {
    const arch = await archOfTag(context, selector.tag)
    await hooks.beforeDelete?.({ principal, request, path, image, tag: selector.tag, arch })
    const outcome = await metadata.tags.remove({
      containerId: container.id,
      arch,
      tag: selector.tag,
      imageId: image.id,
      now,
      activity: activityOf(context, 'delete'),
    })
    if (outcome === 'gone') throw new LibraryError('not-found', `no such image: ${path}:${selector.tag}`)
    // not tried again with the other image: neither the client nor the hook meant that one
    if (outcome === 'moved')
      throw new LibraryError(
        'conflict',
        `${selector.tag} was moved to another image in the meantime, and nothing was deleted: look at it, and delete again`,
      )
    deleted = outcome === 'image-deleted'
    emit('tag.removed', { path, imageId: image.id, digest: image.digest, tag: selector.tag, arch }, context)
  } else {
    await hooks.beforeDelete?.({ principal, request, path, image })
    deleted = await metadata.images.delete(image.id, now, activityOf(context, 'delete'))
  }
  if (deleted) emit('image.deleted', { path, imageId: image.id, digest: image.digest }, context)
  return dataResponse({ ...imageObject(image, container, principal), deleted })
}

/**
 * Under which arch the tag of the located image stands; the query's, the default, or the only one.
 */
async function archOfTag(context: RouteContext<unknown, ImageInContainer>, tag: string): Promise<string> {
  const arch = queryArch(context)
  if (arch !== undefined) return arch
  const { container, image } = context.record
  const tags = (await context.services.metadata.tags.list(container.id, { tag, limit: maxShownTags })).filter(
    ({ imageId }) => imageId === image.id,
  )
  const { defaultArch } = context.services.settings
  return tags.some((record) => record.arch === defaultArch) ? defaultArch : (tags[0]?.arch ?? defaultArch)
}

/** What a browser saves the file as. */
function filenameOf({ image, container }: ImageInContainer, selector: string | undefined): string {
  return `${container.name}_${selector === undefined || selector.startsWith('sha256.') ? image.digest.slice(0, 12) : selector}.sif`
}

/**
 * 303 to an absolute URL that is a capability of its own: the one answer that every generation
 * follows (protocol 5.7). Newer ones then ask for ranges, and check neither status nor length of a
 * part, so the URL outlives the slowest pull.
 */
export async function pullImage(context: RouteContext<unknown, ImageInContainer>): Promise<LibraryResponse> {
  const { services, record, principal, request, resource } = context
  const filename = filenameOf(record, resource?.selector)
  return emptyResponse(303, {
    location: await handOut(services, record, { principal, request, by: context, filename }),
  })
}
