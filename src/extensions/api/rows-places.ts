/** Rows of entities, collections and containers. */
import { controlBodies, controlQueries, controlRecords } from '../../core/control/schemas.js'
import type { DeletionPreview, ExtensionHost, ExtensionRoute, LibraryResponse } from '../../core/extension.js'
import { versionSeen } from './conditions.js'
import { examples } from './examples.js'
import { previewQuery, wantsPreview } from './preview.js'
import { answered, type Call, dataOf, gone, list, one, pageOf, personalList, rowOf } from './row.js'

const collectionOf = ({ params }: Call): string => `${params.entity}/${params.collection}`
export const containerOf = ({ params }: Call): string => `${params.entity}/${params.collection}/${params.container}`

/** 201 with `Location` for what was made, 200 for what was there. */
const made = (path: string, value: { readonly created: boolean }, { url }: Call) =>
  answered(value, value.created ? 201 : 200, { location: `${url}${path}` })

/** What goes, or nothing once it is gone. */
export const deleted = (result: DeletionPreview | undefined): LibraryResponse =>
  result === undefined ? gone() : answered(result)

export function placeRows(host: ExtensionHost): readonly ExtensionRoute[] {
  const { entity, collection, container, preview } = controlRecords
  const { can } = controlQueries
  return [
    rowOf(host, {
      name: 'entities.list',
      method: 'GET',
      path: '/entities',
      summary: 'Entities that you may see',
      asks: 'filtered',
      query: controlQueries.entities,
      answer: pageOf(entity),
      run: ({ control, query }) => control.entities.list(query as never),
      respond: list,
    }),
    rowOf(host, {
      name: 'entities.create',
      method: 'POST',
      path: '/entities',
      summary: 'Makes an entity, or answers the one that is there',
      asks: 'push',
      body: controlBodies.newEntity,
      status: 201,
      also: [200],
      answer: dataOf(entity),
      run: ({ control, body }) => control.entities.create(body),
      respond: (value, call) => made(`/entities/${value.name}`, value, call),
    }),
    rowOf(host, {
      name: 'entities.get',
      method: 'GET',
      path: '/entities/{entity}',
      summary: 'One entity',
      asks: 'pull',
      query: can,
      answer: dataOf(entity),
      run: ({ control, params, query }) => control.entities.get(params.entity ?? '', query as never),
      respond: one,
    }),
    rowOf(host, {
      name: 'entities.update',
      method: 'PATCH',
      path: '/entities/{entity}',
      summary: 'Changes the members that are given; quotaBytes needs admin',
      asks: 'manage',
      body: controlBodies.entityChange,
      answer: dataOf(entity),
      run: ({ control, params, body, request }) =>
        control.entities.update(params.entity ?? '', { ...body, ...versionSeen(request) }),
      respond: (value) => answered(value),
    }),
    rowOf(host, {
      name: 'entities.delete',
      method: 'DELETE',
      path: '/entities/{entity}',
      summary: 'Deletes an empty entity, or with recursive everything in it; with preview says what goes',
      asks: 'manage',
      query: { ...controlQueries.delete, ...previewQuery },
      status: 204,
      also: [200],
      answer: dataOf(preview),
      run: async (call) => {
        const { control, params, request } = call
        const name = params.entity ?? ''
        const { isPreview, query } = wantsPreview(call)
        if (isPreview) return control.entities.preview(name)
        await control.entities.delete(name, { ...query, ...versionSeen(request) })
        return undefined
      },
      respond: deleted,
    }),
    rowOf(host, {
      name: 'collections.list',
      method: 'GET',
      path: '/collections',
      summary: 'Collections that you may see',
      asks: 'filtered',
      query: controlQueries.collections,
      answer: pageOf(collection),
      run: ({ control, query }) => control.collections.list(query as never),
      respond: list,
    }),
    rowOf(host, {
      name: 'collections.create',
      method: 'POST',
      path: '/collections',
      summary: 'Makes a collection and its entity, or answers the one that is there',
      asks: 'push',
      body: controlBodies.newPlace,
      status: 201,
      also: [200],
      answer: dataOf(collection),
      run: ({ control, body }) => control.collections.create(body),
      respond: (value, call) => made(`/collections/${value.path}`, value, call),
    }),
    rowOf(host, {
      name: 'collections.get',
      method: 'GET',
      path: '/collections/{entity}/{collection}',
      summary: 'One collection',
      asks: 'pull',
      query: can,
      answer: dataOf(collection),
      run: (call) => call.control.collections.get(collectionOf(call), call.query as never),
      respond: one,
    }),
    rowOf(host, {
      name: 'collections.update',
      method: 'PATCH',
      path: '/collections/{entity}/{collection}',
      summary: 'Changes the members that are given',
      asks: 'manage',
      body: controlBodies.placeChange,
      answer: dataOf(collection),
      run: (call) =>
        call.control.collections.update(collectionOf(call), { ...call.body, ...versionSeen(call.request) }),
      respond: (value) => answered(value),
    }),
    rowOf(host, {
      name: 'collections.delete',
      method: 'DELETE',
      path: '/collections/{entity}/{collection}',
      summary: 'Deletes an empty collection, or with recursive everything in it; with preview says what goes',
      asks: 'manage',
      query: { ...controlQueries.delete, ...previewQuery },
      status: 204,
      also: [200],
      answer: dataOf(preview),
      run: async (call) => {
        const { isPreview, query } = wantsPreview(call)
        if (isPreview) return call.control.collections.preview(collectionOf(call))
        await call.control.collections.delete(collectionOf(call), { ...query, ...versionSeen(call.request) })
        return undefined
      },
      respond: deleted,
    }),
    rowOf(host, {
      name: 'containers.list',
      method: 'GET',
      path: '/containers',
      summary: 'Containers that you may see, with their latest tag, size and pulls',
      asks: 'filtered',
      query: controlQueries.containers,
      answer: pageOf(container),
      example: examples.containers,
      run: ({ control, query }) => control.containers.list(query as never),
      respond: list,
    }),
    rowOf(host, {
      name: 'containers.create',
      method: 'POST',
      path: '/containers',
      summary: 'Makes a container with what it lies in, or answers the one that is there',
      asks: 'push',
      body: controlBodies.newPlace,
      status: 201,
      also: [200],
      answer: dataOf(container),
      example: examples.container,
      run: ({ control, body }) => control.containers.create(body),
      respond: (value, call) => made(`/containers/${value.path}`, value, call),
    }),
    rowOf(host, {
      name: 'containers.get',
      method: 'GET',
      path: '/containers/{entity}/{collection}/{container}',
      summary: 'One container',
      asks: 'pull',
      query: can,
      answer: dataOf(container),
      example: examples.container,
      run: (call) => call.control.containers.get(containerOf(call), call.query as never),
      respond: one,
    }),
    rowOf(host, {
      name: 'containers.update',
      method: 'PATCH',
      path: '/containers/{entity}/{collection}/{container}',
      summary: 'Changes the members that are given',
      asks: 'manage',
      body: controlBodies.placeChange,
      answer: dataOf(container),
      example: examples.container,
      run: (call) => call.control.containers.update(containerOf(call), { ...call.body, ...versionSeen(call.request) }),
      respond: (value) => answered(value),
    }),
    rowOf(host, {
      name: 'containers.delete',
      method: 'DELETE',
      path: '/containers/{entity}/{collection}/{container}',
      summary: 'Deletes a container with its images and tags; with preview says what goes',
      asks: 'delete',
      query: previewQuery,
      status: 204,
      also: [200],
      answer: dataOf(preview),
      example: examples.preview,
      run: async (call) => {
        const { isPreview, query } = wantsPreview(call)
        if (isPreview) return call.control.containers.preview(containerOf(call))
        await call.control.containers.delete(containerOf(call), { ...query, ...versionSeen(call.request) })
        return undefined
      },
      respond: deleted,
    }),
    rowOf(host, {
      name: 'uploads.list',
      method: 'GET',
      path: '/uploads',
      summary: 'Uploads under way: your own, or all of an entity that you manage',
      asks: 'push',
      query: controlQueries.uploads,
      answer: pageOf(controlRecords.upload),
      run: ({ control, query }) => control.uploads.list(query as never),
      respond: personalList,
    }),
  ]
}
