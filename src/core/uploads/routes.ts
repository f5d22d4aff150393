/** Rows of uploads. */
import { z } from 'zod'
import { bodySchemas } from '../model/bodies.js'
import { objectSchemas } from '../model/objects.js'
import { anyCase, defineRoute, ok, type RouteRow } from '../route.js'
import * as uploads from './handlers.js'

export const uploadRoutes: readonly RouteRow[] = [
  defineRoute({
    name: 'uploads.direct',
    method: 'POST',
    path: '/v1/imagefile/{imageId}',
    summary: 'The bytes of an image in one request (protocol 5.8)',
    access: { action: 'push', locate: uploads.locateImageById },
    body: 'bytes',
    success: ok('empty'),
    handler: uploads.pushDirect,
  }),
  defineRoute({
    name: 'uploads.startSingle',
    method: 'POST',
    path: '/v2/imagefile/{imageId}',
    summary: 'A URL for one PUT (protocol 5.9)',
    access: { action: 'push', locate: uploads.locateImageById },
    body: anyCase(bodySchemas.startSingle),
    success: ok(z.object({ uploadURL: z.string() })),
    handler: uploads.startSingle,
  }),
  defineRoute({
    name: 'uploads.completeSingle',
    method: 'PUT',
    path: '/v2/imagefile/{imageId}/_complete',
    summary: 'Publishes what was PUT (protocol 5.10)',
    access: { action: 'push', locate: uploads.locateImageById },
    body: anyCase(bodySchemas.anything),
    success: ok(objectSchemas.uploadComplete),
    handler: uploads.finishSingleUpload,
  }),
  defineRoute({
    name: 'uploads.startMultipart',
    method: 'POST',
    path: '/v2/imagefile/{imageId}/_multipart',
    summary: 'Starts a multipart upload; 404 = not offered (protocol 5.11)',
    access: { action: 'push', locate: uploads.locateImageById },
    body: anyCase(bodySchemas.startMultipart),
    success: ok(
      z.object({
        uploadID: z.string(),
        totalParts: z.int(),
        partSize: z.int(),
        options: z.record(z.string(), z.string()),
      }),
    ),
    handler: uploads.startMultipart,
  }),
  defineRoute({
    name: 'uploads.presignPart',
    method: 'PUT',
    path: '/v2/imagefile/{imageId}/_multipart',
    summary: 'A URL for one part (protocol 5.12)',
    access: { action: 'push', locate: uploads.locateImageById },
    body: anyCase(bodySchemas.presignPart),
    success: ok(z.object({ presignedURL: z.string() })),
    handler: uploads.presignPart,
  }),
  defineRoute({
    name: 'uploads.completeMultipart',
    method: 'PUT',
    path: '/v2/imagefile/{imageId}/_multipart_complete',
    summary: 'Joins the parts and publishes them (protocol 5.13)',
    access: { action: 'push', locate: uploads.locateImageById },
    body: { ...anyCase(bodySchemas.completeMultipart), long: true },
    success: ok(objectSchemas.uploadComplete),
    handler: uploads.finishMultipart,
  }),
  defineRoute({
    name: 'uploads.abort',
    method: 'PUT',
    path: '/v2/imagefile/{imageId}/_multipart_abort',
    summary: 'Ends a multipart upload (protocol 5.14)',
    access: { action: 'push', locate: uploads.locateImageById },
    body: anyCase(bodySchemas.abort),
    success: ok(z.object({})),
    handler: uploads.abortMultipart,
  }),
]
