import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isLibraryError } from '../../../src/core/http/errors.js'
import { createRouter } from '../../../src/core/http/router.js'
import { routes } from '../../../src/core/routes.js'
import { createTestRegistry } from '../../support/registry.js'

const router = createRouter(routes)
const id = '65f0c0de0000000000000001'

/** A path of a row: each parameter becomes an id, `{ref...}` a reference of three parts. */
const pathOf = (template: string): string =>
  template.replace(/\{\w+\.\.\.\}/, 'alice/tools/bwa:1.0').replace(/\{\w+\}/g, id)

describe('every row', () => {
  it.each(routes.map((row) => [row.name, row] as const))('%s is reached', (_, row) => {
    expect(router(row.method, pathOf(row.path))?.row.name).toBe(row.name)
  })

  it('has a name and a place of its own', () => {
    expect(new Set(routes.map(({ name }) => name)).size).toBe(routes.length)
    expect(new Set(routes.map(({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, '{}')}`)).size).toBe(
      routes.length,
    )
  })

  it('is asked for with HEAD where it is a GET', () => {
    for (const row of routes.filter(({ method }) => method === 'GET'))
      expect(router('HEAD', pathOf(row.path))?.row.name).toBe(row.name)
  })
})

describe('matching', () => {
  it.each([
    ['/v1/images///alpine:latest', ['alpine:latest']],
    ['/v1/images//coll/name:tag', ['coll', 'name:tag']],
    ['//v1//images/a/b/c:1/', ['a', 'b', 'c:1']],
    ['/v1/images/a/b/c:Tag+1,x', ['a', 'b', 'c:Tag+1,x']],
    ['/v1/images/Foo/b_c/d:x%20y', ['Foo', 'b_c', 'd:x y']],
    ['/v1/images/a%2Fb/c', ['a/b', 'c']],
    ['/v1/images/../../etc', ['..', '..', 'etc']],
  ])('%s', (path, rest) => {
    expect(router('GET', path)).toMatchObject({ row: { name: 'images.get' }, rest })
  })

  it('decodes parameters once', () => {
    expect(router('GET', '/v1/entities/a%2525')).toMatchObject({ params: { entity: 'a%25' } })
  })

  it('tells the two meanings of v1/imagefile/X apart by the method', () => {
    expect(router('POST', `/v1//imagefile/${id}`)).toMatchObject({
      row: { name: 'uploads.direct' },
      params: { imageId: id },
    })
    expect(router('GET', '/v1/imagefile//alpine:latest')).toMatchObject({
      row: { name: 'images.pull' },
      rest: ['alpine:latest'],
    })
    expect(() => router('POST', '/v1/imagefile/a/b')).toThrow(
      expect.objectContaining({ status: 405, headers: { allow: 'GET, HEAD' } }),
    )
  })

  it.each([
    '',
    '/',
    '//',
    '/v1',
    '/v2',
    '/v3/images/a',
    '/index.html',
    '/v1/nothing',
    '/v2/imagefile',
    `/v2/imagefile/${id}/nothing`,
    '/versions',
    '/VERSION',
    '/v1/images',
    '/v1/entities/a/b',
    '/pks/lookup',
    '/v2',
    '/v2/',
    '/assets/config',
  ])('%s is not ours', (path) => {
    // POST v1/images is a row, GET v1/images is none: another method of a known path is 405
    if (path === '/v1/images')
      expect(() => router('GET', path)).toThrow(expect.objectContaining({ status: 405, headers: { allow: 'POST' } }))
    else expect(router('GET', path)).toBeUndefined()
  })

  it('says 405 with the methods that there are', () => {
    for (const [method, path, allow] of [
      ['POST', '/version', 'GET, HEAD'],
      ['GET', `/v2/imagefile/${id}/_multipart`, 'POST, PUT'],
      ['HEAD', `/v2/imagefile/${id}/_multipart`, 'POST, PUT'],
      ['PATCH', '/v1/images/a/b/c:1', 'GET, DELETE, HEAD'],
      ['DELETE', `/v1/imagefile/${id}`, 'POST, GET, HEAD'],
      ['OPTIONS', `/v2/tags/${id}`, 'GET, POST, HEAD'],
    ] as const) {
      expect(() => router(method, path)).toThrow(expect.objectContaining({ status: 405, headers: { allow } }))
    }
  })

  it('takes no method from Object.prototype', () => {
    for (const method of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'])
      expect(() => router(method, '/version')).toThrow(expect.objectContaining({ status: 405 }))
  })

  it('refuses broken escapes with 400, where the path is ours', () => {
    for (const path of ['/v1/entities/%', '/v1/entities/%zz', '/v1/images/a/%ff/c', '/transfers/%c0%80'])
      expect(() => router('GET', path)).toThrow(expect.objectContaining({ status: 400 }))
    expect(router('GET', '/nowhere/%zz')).toBeUndefined()
  })

  it('answers any text with a row, with undefined or with an error of ours', () => {
    const segment = fc.oneof(
      fc.constantFrom(
        'v1',
        'v2',
        'images',
        'imagefile',
        'tags',
        '_multipart',
        '',
        '..',
        '%2e',
        '__proto__',
        'constructor',
      ),
      fc.string(),
    )
    fc.assert(
      fc.property(
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'x'),
        fc.array(segment),
        (method, segments) => {
          try {
            const match = router(method, `/${segments.join('/')}`)
            if (match !== undefined) expect(routes).toContain(match.row)
          } catch (error) {
            expect(isLibraryError(error)).toBe(true)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('through the whole library', () => {
  it('passes on what is not ours, answers 405 with Allow, and HEAD without a body', async () => {
    const registry = await createTestRegistry()
    await expect(registry.call('GET', '/index.html')).rejects.toThrow('not its own')
    const answer = await registry.call('DELETE', '/version')
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD', 'content-type': 'application/json' } })
    expect(answer.json.error.code).toBe(405)
    const get = await registry.call('GET', '/version')
    const head = await registry.call('HEAD', '/version')
    expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': get.headers['content-length'] } })
    const missing = await registry.call('HEAD', '/v1/entities/nobody')
    expect(missing).toMatchObject({ status: 404, text: '' })
    await registry.close()
  })
})

describe('a rest in the middle', () => {
  const table = [
    { name: 'oci.getManifest', method: 'GET', path: '/v2/{name...}/manifests/{reference}' },
    { name: 'oci.putManifest', method: 'PUT', path: '/v2/{name...}/manifests/{reference}' },
    { name: 'oci.tags', method: 'GET', path: '/v2/{name...}/tags/list' },
    { name: 'oci.startUpload', method: 'POST', path: '/v2/{name...}/blobs/uploads' },
    { name: 'oci.patchUpload', method: 'PATCH', path: '/v2/{name...}/blobs/uploads/{upload}' },
    { name: 'oci.base', method: 'GET', path: '/v2' },
    { name: 'own.image', method: 'PUT', path: '/v2/imagefile/{imageId}/_complete' },
    { name: 'own.tags', method: 'GET', path: '/v2/tags/{containerId}' },
    { name: 'own.pull', method: 'GET', path: '/v1/imagefile/{ref...}' },
  ] as const
  const match = createRouter(table)

  it.each([
    ['GET', '/v2/alice/tools/bwa/manifests/1.0', 'oci.getManifest', ['alice', 'tools', 'bwa'], { reference: '1.0' }],
    ['GET', '/v2/a/manifests/manifests/x', 'oci.getManifest', ['a', 'manifests'], { reference: 'x' }],
    ['GET', '/v2/a/tags/list', 'oci.tags', ['a'], {}],
    // names that begin like our own rows, told apart by the whole path
    ['GET', '/v2/tags/tags/list', 'oci.tags', ['tags'], {}],
    ['GET', '/v2/imagefile/x/manifests/1', 'oci.getManifest', ['imagefile', 'x'], { reference: '1' }],
    ['GET', '/v2/tags/abc', 'own.tags', [], { containerId: 'abc' }],
    ['PATCH', '/v2/a/b/blobs/uploads/u%201', 'oci.patchUpload', ['a', 'b'], { upload: 'u 1' }],
    ['POST', '/v2//a//blobs/uploads/', 'oci.startUpload', ['a'], {}],
    ['GET', '/v2/', 'oci.base', [], {}],
  ] as const)('%s %s is %s', (method, path, name, rest, params) => {
    expect(match(method, path)).toMatchObject({ row: { name }, rest, params })
  })

  it('needs one segment at least, and the words behind it', () => {
    expect(match('GET', '/v2/manifests/1.0')).toBeUndefined()
    expect(match('GET', '/v2/a/b/c')).toBeUndefined()
    expect(() => match('DELETE', '/v2/a/manifests/1')).toThrow(
      expect.objectContaining({ status: 405, headers: { allow: 'GET, PUT, HEAD' } }),
    )
  })
})

describe('an ambiguous table is refused with the names of both rows', () => {
  const row = (name: string, path: string, method: 'GET' | 'PUT' = 'GET') => ({ name, method, path })
  it.each([
    [[row('one', '/a/b'), row('two', '/a/b')], 'the routes one and two are both GET /a/b'],
    [[row('one', '/a/{x}'), row('two', '/a/{x}')], 'the routes one and two are both GET /a/{x}'],
    [[row('one', '/a/{x}'), row('two', '/a/{y}', 'PUT')], 'one (/a/{x}) and two (/a/{y}) call one segment {x} and {y}'],
    [[row('one', '/a/{x...}'), row('two', '/a/{y...}')], 'the routes one and two are both GET /a/{y...}'],
    [[row('one', '/{x...}/t/{y}'), row('two', '/{x...}/t/{z}', 'PUT')], 'call one segment {y} and {z}'],
    [[row('one', '/{x...}/t/{y...}')], 'the route one has two {name...}'],
  ])('%j', (table, message) => {
    expect(() => createRouter(table)).toThrow(TypeError)
    expect(() => createRouter(table)).toThrow(message)
  })

  it('not where the rows differ in method, or in a literal', () => {
    expect(() => createRouter([row('one', '/a/{x}'), row('two', '/a/{x}', 'PUT'), row('three', '/a/b')])).not.toThrow()
  })
})
