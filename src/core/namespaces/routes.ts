/** Rows of entities, collections and containers. */
import { bodySchemas } from '../model/bodies.js'
import { objectSchemas } from '../model/objects.js'
import { anyCase, created, defineRoute, ok, type RouteRow } from '../route.js'
import * as entities from './handlers.js'

export const namespaceRoutes: readonly RouteRow[] = [
  defineRoute({
    name: 'entities.get',
    method: 'GET',
    path: '/v1/entities/{entity}',
    summary: 'An entity (protocol 5.2)',
    access: { action: 'pull', locate: entities.locateEntity },
    body: 'none',
    success: ok(objectSchemas.entity),
    handler: entities.getEntity,
  }),
  defineRoute({
    name: 'entities.create',
    method: 'POST',
    path: '/v1/entities',
    summary: 'Makes an entity, or returns the one that is there (protocol 5.3)',
    access: { action: 'push', locate: entities.locateNewEntity, byBody: true },
    body: anyCase(bodySchemas.createEntity),
    success: created(objectSchemas.entity),
    handler: entities.createEntity,
  }),
  defineRoute({
    name: 'collections.get',
    method: 'GET',
    path: '/v1/collections/{entity}/{collection}',
    summary: 'A collection (protocol 5.2)',
    access: { action: 'pull', locate: entities.locateCollection },
    body: 'none',
    success: ok(objectSchemas.collection),
    handler: entities.getCollection,
  }),
  defineRoute({
    name: 'collections.create',
    method: 'POST',
    path: '/v1/collections',
    summary: 'Makes a collection, or returns the one that is there (protocol 5.3)',
    access: { action: 'push', locate: entities.locateNewCollection, byBody: true },
    body: anyCase(bodySchemas.createCollection),
    success: created(objectSchemas.collection),
    handler: entities.createCollection,
  }),
  defineRoute({
    name: 'containers.get',
    method: 'GET',
    path: '/v1/containers/{entity}/{collection}/{container}',
    summary: 'A container with its tags (protocol 5.2)',
    access: { action: 'pull', locate: entities.locateContainer },
    body: 'none',
    success: ok(objectSchemas.container),
    handler: entities.getContainer,
  }),
  defineRoute({
    name: 'containers.create',
    method: 'POST',
    path: '/v1/containers',
    summary: 'Makes a container, or returns the one that is there (protocol 5.3)',
    access: { action: 'push', locate: entities.locateNewContainer, byBody: true },
    body: anyCase(bodySchemas.createContainer),
    success: created(objectSchemas.container),
    handler: entities.createContainer,
  }),
]
