/** An arch is a key of a JSON object in the tag maps: `__proto__` and `constructor` are legal archs, and once wrote the tag into Object.prototype and Object. */
import { afterEach, expect, test } from 'vitest'
import { push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('an arch named like a member of every object is only a name', async () => {
  registry = await createTestRegistry()
  const { containerId, imageId } = await push(registry, 'alice/c/n', Buffer.from('proto'), { tags: [] })
  const keys = Object.keys
  try {
    for (const Arch of ['__proto__', 'constructor']) {
      const answer = await registry.call('POST', `/v2/tags/${containerId}`, {
        token: 'alice',
        body: { Arch, Tag: 'keys', ImageID: imageId },
      })
      expect(answer.status).toBe(200)
      expect(Object.hasOwn(Object.prototype, 'keys')).toBe(false)
      expect(Object.keys).toBe(keys)
      expect(answer.text).toContain(`"${Arch}":{"keys":"${imageId}"}`)
    }
  } finally {
    Reflect.deleteProperty(Object.prototype, 'keys')
    Object.keys = keys
  }
})
