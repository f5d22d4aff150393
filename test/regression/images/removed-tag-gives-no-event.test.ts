/** Taking a tag off an image that has another one changed what people pull, and no event told of it. */
import { afterEach, expect, test } from 'vitest'
import { createLibrary } from '../../../src/core/index.js'
import { push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('a deletion that names a tag gives tag.removed, and image.deleted only with the last one', async () => {
  registry = await createTestRegistry()
  const { imageId, hash } = await push(registry, 'alice/a/b', Buffer.from('tagged twice'), {
    tags: ['stable', 'other'],
  })
  const { storage, metadata, publicUrl, tokens } = registry
  const events: (readonly [name: string, event: object])[] = []
  const library = createLibrary({
    publicUrl,
    storage,
    metadata,
    on: {
      'tag.removed': (event) => void events.push(['tag.removed', event]),
      'image.deleted': (event) => void events.push(['image.deleted', event]),
    },
  })
  const remove = async (selector: string): Promise<unknown> => {
    events.length = 0
    const headers = { authorization: `Bearer ${tokens.alice}` }
    const path = `/v1/images/alice/a/b:${selector}`
    return (await library.handle({ method: 'DELETE', path, query: '', headers, body: { kind: 'none' } }))?.status
  }
  const alice = (await metadata.images.find(imageId))?.image.owner
  const by = { principal: alice, principalName: 'alice', remote: null, at: expect.any(Number) }
  const image = { path: 'alice/a/b', imageId, digest: hash.replace('sha256.', ''), ...by }
  expect(alice).toEqual(expect.any(String))

  expect(await remove('absent')).toBe(404)
  expect(events).toEqual([])
  expect(await remove('stable')).toBe(200)
  expect(events).toEqual([['tag.removed', { ...image, tag: 'stable', arch: 'amd64' }]])
  expect(await remove('other')).toBe(200)
  expect(events).toEqual([
    ['tag.removed', { ...image, tag: 'other', arch: 'amd64' }],
    ['image.deleted', image],
  ])
})
