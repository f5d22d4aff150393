import { describe, expect, it } from 'vitest'
import {
  type Action,
  actions,
  allowAll,
  ownerPolicy,
  type Principal,
  type Resource,
  scopesAllow,
} from '../../../src/core/auth/policy.js'
import { registryResource } from '../../../src/core/auth/resources.js'
import type { LibraryRequest } from '../../../src/core/http/messages.js'

const request: LibraryRequest = { method: 'GET', path: '/', query: '', headers: {}, body: { kind: 'none' } }

describe('scopes', () => {
  it('none, or an empty list, allow everything', () => {
    for (const action of actions) {
      expect(scopesAllow(undefined, action, 'alice/tools/bwa')).toBe(true)
      expect(scopesAllow([], action, 'alice/tools/bwa')).toBe(true)
    }
  })

  // scope → the actions that it allows on the path
  it.each([
    ['pull', 'alice', ['pull']],
    ['push', 'alice/tools/bwa', ['pull', 'push']],
    ['delete', 'alice/tools/bwa', ['pull', 'delete']],
    ['manage', 'alice/tools/bwa', ['pull', 'manage']],
    ['admin', 'alice/tools/bwa', ['pull', 'push', 'delete', 'manage', 'admin']],
    ['pull:alice', 'alice', ['pull']],
    ['pull:alice', 'alice/tools/bwa', ['pull']],
    ['pull:alice', 'bob', []],
    ['pull:alice', 'alice2', []],
    ['pull:alice', 'alice2/tools', []],
    ['push:alice/tools', 'alice/tools', ['pull', 'push']],
    ['push:alice/tools', 'alice/tools/bwa', ['pull', 'push']],
    ['push:alice/tools', 'alice', ['pull']],
    ['push:alice/tools', 'alice/tool', []],
    ['push:alice/tools', 'alice/toolset/x', []],
    ['push:alice/tools/bwa', 'alice/tools', ['pull']],
    ['push:alice/tools/bwa', 'alice/tools/other', []],
    ['delete:alice', 'alice/tools/bwa', ['pull', 'delete']],
    ['manage:alice', 'alice/tools', ['pull', 'manage']],
    ['manage:alice/tools', 'alice', ['pull']],
    ['manage:alice', 'bob', []],
    ['admin:alice', 'alice/tools', ['pull', 'push', 'delete', 'manage', 'admin']],
    ['admin:alice', 'bob', []],
    // the path of the registry itself
    ['pull', '', ['pull']],
    ['admin', '', ['pull', 'push', 'delete', 'manage', 'admin']],
    ['pull:alice', '', []],
    ['admin:alice', '', []],
    ['write', 'alice', []],
    ['', 'alice', []],
    // a path that came out empty is none, not all of them
    ['push:', 'alice/tools/bwa', []],
    ['pull:', 'alice', []],
    ['admin:', 'alice', []],
  ] as const)('%s on %s', (scope, path, allowed) => {
    expect(actions.filter((action) => scopesAllow([scope], action, path))).toEqual(allowed)
  })

  it('add up', () => {
    const scopes = ['pull:alice', 'push:bob']
    expect(scopesAllow(scopes, 'push', 'alice/x/y')).toBe(false)
    expect(scopesAllow(scopes, 'push', 'bob/x/y')).toBe(true)
  })
})

const resourceOf = (entity: string, isPrivate: boolean): Resource => ({
  kind: 'container',
  path: `${entity}/c/n`,
  entity,
  private: isPrivate,
  owner: null,
})
const alice: Principal = { id: '1', name: 'alice' }
const bob: Principal = { id: '2', name: 'bob', groups: ['lab'] }
const admin: Principal = { id: '3', name: 'root', admin: true }

describe('ownerPolicy', () => {
  const policy = ownerPolicy({})
  const allowed = (principal: Principal | null, entity: string, isPrivate: boolean): Action[] =>
    actions.filter((action) =>
      policy.authorize({ principal, action, resource: resourceOf(entity, isPrivate), request }),
    )

  it.each([
    [null, 'alice', false, ['pull']],
    [null, 'alice', true, []],
    [alice, 'alice', false, ['pull', 'push', 'delete', 'manage']],
    [alice, 'alice', true, ['pull', 'push', 'delete', 'manage']],
    [alice, 'lab', false, ['pull']],
    [alice, 'lab', true, []],
    [bob, 'lab', true, ['pull', 'push', 'delete', 'manage']],
    [bob, 'alice', true, []],
    [admin, 'alice', true, ['pull', 'push', 'delete', 'manage', 'admin']],
    [{ ...alice, roles: { lab: 'reader' } }, 'lab', true, ['pull']],
    [{ ...alice, roles: { lab: 'writer' } }, 'lab', true, ['pull', 'push']],
    [{ ...alice, roles: { lab: 'maintainer' } }, 'lab', true, ['pull', 'push', 'delete', 'manage']],
    [{ ...alice, roles: { lab: 'maintainer' } }, 'lab2', true, []],
    [{ ...alice, roles: { alice: 'reader' } }, 'alice', true, ['pull', 'push', 'delete', 'manage']],
    // what an object has by itself is no role
    [{ ...alice, roles: {} }, 'constructor', true, []],
    [{ ...alice, roles: { lab: 'maintainer' } }, '__proto__', true, []],
  ] as const)('%j on %s, private %s', (principal, entity, isPrivate, expected) => {
    expect(allowed(principal, entity, isPrivate)).toEqual(expected)
  })

  it.each([
    [null, []],
    [bob, []],
    // a host whose names are not checked
    [{ id: '4', name: '', groups: [''] }, []],
    [admin, ['pull', 'push', 'delete', 'manage', 'admin']],
  ] as const)('%j on the registry itself', (principal, expected) => {
    expect(
      actions.filter((action) => policy.authorize({ principal, action, resource: registryResource, request })),
    ).toEqual(expected)
  })

  it('shows search what one may read', () => {
    expect(policy.visible({ principal: null, request })).toBe('public')
    expect(policy.visible({ principal: admin, request })).toBe('all')
    expect(policy.visible({ principal: bob, request })).toEqual({ entities: ['bob', 'lab'] })
    const member: Principal = { ...bob, roles: { genomics: 'reader', lab: 'reader' } }
    expect(policy.visible({ principal: member, request })).toEqual({ entities: ['bob', 'lab', 'genomics'] })
  })

  it('keeps the hook that it was given', () => {
    const authenticate = () => alice
    expect(ownerPolicy({ authenticate }).authenticate).toBe(authenticate)
  })
})

it('allowAll allows all', () => {
  const all = allowAll()
  for (const action of actions)
    expect(all.authorize({ principal: null, action, resource: resourceOf('x', true), request })).toBe(true)
  expect(all.visible({ principal: null, request })).toBe('all')
})
