/** Rows of images, search and tags. */
import { z } from 'zod'
import { bodySchemas } from '../model/bodies.js'
import { objectSchemas } from '../model/objects.js'
import { anyCase, created, defineRoute, ok, type RouteRow } from '../route.js'
import * as images from './handlers.js'
import { search } from './search.js'
import * as tags from './tags.js'

export const imageRoutes: readonly RouteRow[] = [
  defineRoute({
    name: 'images.get',
    method: 'GET',
    path: '/v1/images/{ref...}',
    summary: 'An image by tag or hash (protocol 5.4)',
    query: ['arch'],
    access: { action: 'pull', locate: images.locateImage },
    body: 'none',
    success: ok(objectSchemas.image),
    handler: images.getImage,
  }),
  defineRoute({
    name: 'images.create',
    method: 'POST',
    path: '/v1/images',
    summary: 'Makes an image without bytes, or returns the one that is there (protocol 5.5)',
    access: { action: 'push', locate: images.locateNewImage, byBody: true },
    body: anyCase(bodySchemas.createImage),
    success: created(objectSchemas.image),
    handler: images.createImage,
  }),
  defineRoute({
    name: 'images.delete',
    method: 'DELETE',
    path: '/v1/images/{ref...}',
    summary:
      'Deletes a tag, with the image when it was the last one; or an image by hash, with its tags (protocol 5.6)',
    query: ['arch'],
    access: { action: 'delete', locate: images.locateForDelete },
    body: 'none',
    success: ok(objectSchemas.image),
    handler: images.deleteImage,
  }),
  defineRoute({
    name: 'images.pull',
    method: 'GET',
    path: '/v1/imagefile/{ref...}',
    summary: 'Redirects to the bytes (protocol 5.7)',
    query: ['arch'],
    access: { action: 'pull', locate: images.locateImage },
    body: 'none',
    success: { status: 303, schema: 'empty' },
    handler: images.pullImage,
  }),
  defineRoute({
    name: 'search',
    method: 'GET',
    path: '/v1/search',
    summary:
      'Searches names, tags and descriptions (protocol 5.16); shows 1,024 characters of a description, 100 tags and 16 signers of an image; a page has 1 MiB at the most, and may end early',
    query: ['value', 'arch', 'signed', 'page', 'pageSize'],
    access: 'filtered',
    body: 'none',
    success: ok(
      z.object({
        entity: z.array(objectSchemas.entity),
        collection: z.array(objectSchemas.collection),
        container: z.array(objectSchemas.container),
        image: z.array(objectSchemas.image),
      }),
    ),
    handler: search,
  }),
]

export const tagRoutes: readonly RouteRow[] = [
  defineRoute({
    name: 'tags.getV1',
    method: 'GET',
    path: '/v1/tags/{containerId}',
    summary: 'Tags of a container (protocol 5.15)',
    access: { action: 'pull', locate: tags.locateContainerById },
    body: 'none',
    success: ok(objectSchemas.imageTags),
    handler: tags.getTagsV1,
  }),
  defineRoute({
    name: 'tags.setV1',
    method: 'POST',
    path: '/v1/tags/{containerId}',
    summary: 'Points a tag at an image; the arch comes from the image (protocol 5.15)',
    access: { action: 'push', locate: tags.locateContainerById },
    body: anyCase(bodySchemas.setTagV1),
    success: ok(objectSchemas.imageTags),
    handler: tags.setTagV1,
  }),
  defineRoute({
    name: 'tags.getV2',
    method: 'GET',
    path: '/v2/tags/{containerId}',
    summary: 'Tags of a container by arch (protocol 5.15)',
    access: { action: 'pull', locate: tags.locateContainerById },
    body: 'none',
    success: ok(objectSchemas.archTags),
    handler: tags.getTagsV2,
  }),
  defineRoute({
    name: 'tags.setV2',
    method: 'POST',
    path: '/v2/tags/{containerId}',
    summary: 'Points a tag of an arch at an image (protocol 5.15)',
    access: { action: 'push', locate: tags.locateContainerById },
    body: anyCase(bodySchemas.setTagV2),
    success: ok(objectSchemas.archTags),
    handler: tags.setTagV2,
  }),
]
