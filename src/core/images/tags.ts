/** Tags, in both generations of the API (protocol 5.15). */
import type { ContainerRecord } from '../../storage/metadata/contract.js'
import type { Located } from '../auth/access.js'
import { containerResource } from '../auth/resources.js'
import { activityOf } from '../hooks/activity.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryResponse } from '../http/messages.js'
import { dataResponse } from '../http/responses.js'
import type { SetTagV1Body, SetTagV2Body } from '../model/bodies.js'
import { archTagsOf, imageTagsOf, isVisible, maxShownTags } from '../model/objects.js'
import { checkArch, checkTag, isId } from '../model/references.js'
import type { RouteContext, RouteInput } from '../route.js'
import { setTag } from './set-tag.js'

export async function locateContainerById({
  services,
  params,
}: RouteInput<unknown>): Promise<Located<ContainerRecord> | undefined> {
  const id = params.containerId ?? ''
  const record = isId(id) ? await services.metadata.containers.find(id) : undefined
  if (record === undefined) return undefined
  return {
    resource: containerResource(
      { entity: record.entityName, collection: record.collectionName, container: record.name },
      record,
    ),
    record,
    byId: true,
  }
}

export async function getTagsV1({
  services,
  record,
}: RouteContext<unknown, ContainerRecord>): Promise<LibraryResponse> {
  const tags = await services.metadata.tags.list(record.id, { limit: maxShownTags })
  return dataResponse(imageTagsOf(tags, services.settings.defaultArch))
}

export async function getTagsV2({
  services,
  record,
}: RouteContext<unknown, ContainerRecord>): Promise<LibraryResponse> {
  return dataResponse(archTagsOf(await services.metadata.tags.list(record.id, { limit: maxShownTags })))
}

/**
 * Points a tag at an image of this container. `declared` is the arch that the client says; the
 * first API says none.
 */
async function pointTag(
  context: RouteContext<SetTagV1Body, ContainerRecord>,
  declared: string | undefined,
): Promise<void> {
  const { services, record: container, body, principal, request } = context
  const tag = checkTag('Tag', body.tag)
  const found = isId(body.imageID) ? await services.metadata.images.find(body.imageID) : undefined
  // an image of another container is as good as none: saying more would tell that it exists
  if (found === undefined || found.container.id !== container.id)
    throw new LibraryError('not-found', 'ImageID: no such image in this container')
  // client libraries 0.5.0-0.5.6 tag an image whose upload failed (protocol Q11)
  if (!isVisible(found.image))
    throw new LibraryError('conflict', 'the image has no verified bytes: the upload failed, push again')
  const { image } = found
  const activity = activityOf(context, 'push')
  await setTag(services, { principal, request, by: context }, { container, image, tag, declared, activity })
}

/** 200 exactly: 201 or 204 fail a push after its whole upload (protocol Q5). */
export async function setTagV1(context: RouteContext<SetTagV1Body, ContainerRecord>): Promise<LibraryResponse> {
  await pointTag(context, undefined)
  return getTagsV1(context)
}

export async function setTagV2(context: RouteContext<SetTagV2Body, ContainerRecord>): Promise<LibraryResponse> {
  const { arch } = context.body
  await pointTag(context, arch === '' ? undefined : checkArch('Arch', arch))
  return getTagsV2(context)
}
