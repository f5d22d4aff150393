/** Rows of tags, their history, images and uploads. */

import { z } from 'zod'
import { controlBodies, controlQueries, controlRecords } from '../../core/control/schemas.js'
import { type ExtensionHost, type ExtensionRoute, emptyResponse, LibraryError } from '../../core/extension.js'
import { mustBeNew, versionSeen } from './conditions.js'
import { examples } from './examples.js'
import { previewQuery, wantsPreview } from './preview.js'
import { answered, dataOf, gone, list, one, pageOf, rowOf } from './row.js'
import { containerOf, deleted } from './rows-places.js'

const container = '/containers/{entity}/{collection}/{container}'
const image = '/images/{entity}/{collection}/{container}/{digest}'

export function imageRows(host: ExtensionHost): readonly ExtensionRoute[] {
  return [
    rowOf(host, {
      name: 'tags.list',
      method: 'GET',
      path: `${container}/tags`,
      summary: 'Tags of a container',
      asks: 'pull',
      query: controlQueries.tags,
      answer: pageOf(controlRecords.tag),
      example: examples.tags,
      run: (call) => call.control.tags.list(containerOf(call), call.query as never),
      respond: list,
    }),
    rowOf(host, {
      name: 'tags.get',
      method: 'GET',
      path: `${container}/tags/{tag}`,
      summary: 'One tag; its ETag is the digest that it points at',
      asks: 'pull',
      query: controlQueries.arch,
      answer: dataOf(controlRecords.tag),
      example: examples.tag,
      run: (call) => call.control.tags.get(containerOf(call), call.params.tag ?? '', call.query as never),
      respond: one,
    }),
    rowOf(host, {
      name: 'tags.set',
      method: 'PUT',
      path: `${container}/tags/{tag}`,
      summary: 'Adds or moves a tag, also back; If-Match: the digest that was seen, If-None-Match: * for a new one',
      asks: 'push',
      query: controlQueries.arch,
      body: controlBodies.tagTarget,
      answer: dataOf(controlRecords.tag),
      example: examples.tag,
      run: (call) =>
        call.control.tags.set(containerOf(call), call.params.tag ?? '', {
          ...(call.query as object),
          ...call.body,
          ...versionSeen(call.request),
          ...mustBeNew(call.request),
        }),
      respond: (value) => answered(value, 200, { etag: `"${value.version}"` }),
    }),
    rowOf(host, {
      name: 'tags.delete',
      method: 'DELETE',
      path: `${container}/tags/{tag}`,
      summary: 'Removes a tag; its image stays',
      asks: 'delete',
      query: controlQueries.arch,
      status: 204,
      answer: 'empty',
      run: (call) =>
        call.control.tags.delete(containerOf(call), call.params.tag ?? '', {
          ...(call.query as object),
          ...versionSeen(call.request),
        }),
      respond: gone,
    }),
    rowOf(host, {
      name: 'history.list',
      method: 'GET',
      path: `${container}/history`,
      summary: 'Changes of tags, newest first',
      asks: 'pull',
      query: controlQueries.history,
      answer: pageOf(controlRecords.tagChange),
      example: examples.history,
      run: (call) => call.control.history.list(containerOf(call), call.query as never),
      respond: list,
    }),
    rowOf(host, {
      name: 'images.list',
      method: 'GET',
      path: `${container}/images`,
      summary: 'Images of a container, also those without a tag',
      asks: 'pull',
      query: controlQueries.images,
      answer: pageOf(controlRecords.image),
      example: examples.images,
      run: (call) => call.control.images.list(containerOf(call), call.query as never),
      respond: list,
    }),
    rowOf(host, {
      name: 'images.get',
      method: 'GET',
      path: image,
      summary: 'One image, by its digest',
      asks: 'pull',
      query: controlQueries.can,
      answer: dataOf(controlRecords.image),
      example: examples.image,
      run: (call) => call.control.images.get(containerOf(call), call.params.digest ?? '', call.query as never),
      respond: one,
    }),
    rowOf(host, {
      name: 'images.update',
      method: 'PATCH',
      path: image,
      summary: 'Changes the description of an image',
      asks: 'push',
      body: controlBodies.imageChange,
      answer: dataOf(controlRecords.image),
      example: examples.image,
      run: (call) => call.control.images.update(containerOf(call), call.params.digest ?? '', call.body),
      respond: (value) => answered(value),
    }),
    rowOf(host, {
      name: 'images.delete',
      method: 'DELETE',
      path: image,
      summary: 'Deletes an image with its tags; with preview says what goes',
      asks: 'delete',
      query: previewQuery,
      status: 204,
      also: [200],
      answer: dataOf(controlRecords.preview),
      example: examples.preview,
      run: async (call) => {
        const { isPreview } = wantsPreview(call)
        const named = [containerOf(call), call.params.digest ?? ''] as const
        if (isPreview) return call.control.images.preview(...named)
        await call.control.images.delete(...named)
        return undefined
      },
      respond: deleted,
    }),
    rowOf(host, {
      name: 'images.details',
      method: 'GET',
      path: `${image}/details`,
      summary: 'What the file of an image says of itself: objects, definition file, labels, claimed signatures',
      asks: 'pull',
      answer: dataOf(controlRecords.inspection),
      run: (call) => call.control.images.details(containerOf(call), call.params.digest ?? ''),
      respond: (value) => answered(value),
    }),
    rowOf(host, {
      name: 'images.download',
      method: 'GET',
      path: `${image}/download`,
      summary: 'Leads to the bytes of an image, which a browser saves as NAME_TAG_ARCH.sif; counts as a pull',
      asks: 'pull',
      query: { redirect: z.enum(['true', 'false']).optional().describe('false: answers the URL as JSON') },
      status: 303,
      also: [200],
      answer: dataOf(z.object({ url: z.string() })),
      run: async (call) => {
        const { redirect, ...others } = call.query
        const [unknown] = Object.keys(others)
        if (unknown !== undefined || ![undefined, 'true', 'false'].includes(redirect))
          throw new LibraryError('invalid-request', 'the one parameter is redirect: true or false')
        const url = await call.control.images.pullUrl(containerOf(call), call.params.digest ?? '')
        return { url, isShown: redirect === 'false' }
      },
      respond: ({ url, isShown }) =>
        isShown ? answered({ url }) : emptyResponse(303, { location: url, 'cache-control': 'no-store' }),
    }),
    rowOf(host, {
      name: 'uploads.start',
      method: 'POST',
      path: '/uploads',
      summary: 'Starts an upload; 200 with state present where the bytes are there already',
      asks: 'push',
      body: controlBodies.newUpload,
      status: 201,
      also: [200],
      answer: dataOf(controlRecords.startedUpload),
      example: examples.upload,
      run: ({ control, body }) => control.uploads.start(body),
      respond: (value, { url }) =>
        value.state === 'present' ? answered(value) : answered(value, 201, { location: `${url}/uploads/${value.id}` }),
    }),
    rowOf(host, {
      name: 'uploads.get',
      method: 'GET',
      path: '/uploads/{id}',
      summary: 'An upload, and the parts of it that have arrived',
      asks: 'push',
      answer: dataOf(controlRecords.upload),
      example: examples.upload,
      run: ({ control, params }) => control.uploads.get(params.id ?? ''),
      respond: (value) => answered(value),
    }),
    rowOf(host, {
      name: 'uploads.parts',
      method: 'POST',
      path: '/uploads/{id}/parts',
      summary: 'URLs for up to 32 parts, each bound to the hash of its part',
      asks: 'push',
      body: controlBodies.parts,
      answer: dataOf(z.array(controlRecords.partTarget)),
      example: examples.parts,
      run: ({ control, params, body }) => control.uploads.parts(params.id ?? '', body),
      respond: (value) => answered(value),
    }),
    rowOf(host, {
      name: 'uploads.complete',
      method: 'POST',
      path: '/uploads/{id}/complete',
      summary: 'Publishes what has arrived and sets the tags; 202 while another call is at it',
      asks: 'push',
      status: 200,
      also: [202],
      answer: dataOf(controlRecords.completedUpload),
      example: examples.completed,
      run: ({ control, params }) => control.uploads.complete(params.id ?? ''),
      respond: (value) => answered(value, value.state === 'completing' ? 202 : 200),
    }),
    rowOf(host, {
      name: 'uploads.abort',
      method: 'DELETE',
      path: '/uploads/{id}',
      summary: 'Ends an upload and drops what has arrived',
      asks: 'push',
      status: 204,
      answer: 'empty',
      run: ({ control, params }) => control.uploads.abort(params.id ?? ''),
      respond: gone,
    }),
  ]
}
