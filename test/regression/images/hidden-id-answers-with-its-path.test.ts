/** Routes that name an image or a container by id once told a stranger the path of the private container behind it: in the 404, and in the 401 of the anonymous. */
import { afterEach, expect, test } from 'vitest'
import { hashOf, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('a hidden id and an unknown one get the same answer', async () => {
  registry = await createTestRegistry()
  const bytes = Buffer.from('secret')
  const ids = await push(registry, 'alice/hidden/thing', bytes)
  await registry.library.visibility('alice', 'private')
  await registry.library.visibility('alice/hidden', 'private')
  const none = 'f'.repeat(24)
  const requests = (id: {
    imageId: string
    containerId: string
    collectionId: string
    entityId: string
  }): readonly [string, string, object?][] => [
    ['PUT', `/v2/imagefile/${id.imageId}/_complete`, {}],
    ['POST', `/v2/imagefile/${id.imageId}`, { filesize: 1 }],
    ['POST', `/v2/imagefile/${id.imageId}/_multipart`, { filesize: 1 }],
    ['POST', `/v1/imagefile/${id.imageId}`, bytes],
    ['GET', `/v2/tags/${id.containerId}`],
    ['POST', `/v1/tags/${id.containerId}`, { Tag: 'x', ImageID: id.imageId }],
    ['POST', '/v1/images', { hash: hashOf(bytes), container: id.containerId }],
    ['POST', '/v1/containers', { name: 'x', collection: id.collectionId }],
    ['POST', '/v1/collections', { name: 'x', entity: id.entityId }],
  ]
  const unknown = requests({ imageId: none, containerId: none, collectionId: none, entityId: none })
  for (const [index, [method, path, body]] of requests(ids).entries()) {
    for (const token of [undefined, 'mallory']) {
      const ask = (target: string, sent?: object) =>
        registry.call(method, target, { ...(token && { token }), ...(sent && { body: sent }) })
      const hidden = await ask(path, body)
      expect(hidden.text).not.toContain('hidden')
      expect(hidden.text).not.toContain('alice')
      expect([hidden.status, hidden.text]).toEqual(
        await ask(unknown[index]?.[1] ?? '', unknown[index]?.[2]).then(({ status, text }) => [status, text]),
      )
    }
  }
})
