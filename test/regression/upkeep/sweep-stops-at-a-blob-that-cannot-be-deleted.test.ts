import { expect, test } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { push, sha256 } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'

test('one blob that the storage cannot delete does not keep the others', async () => {
  const memory = memoryStorage()
  let stubborn = ''
  const storage = {
    ...memory,
    put: memory.put.bind(memory),
    get: memory.get.bind(memory),
    stat: memory.stat.bind(memory),
    list: memory.list.bind(memory),
    delete: async (key: string) => {
      if (stubborn !== '' && key.includes(stubborn)) throw new Error('permission denied')
      return memory.delete(key)
    },
  }
  const registry = await createTestRegistry({ storage })
  try {
    const images = ['one', 'two', 'three'].map((word) => Buffer.from(`${word} image`))
    for (const [index, bytes] of images.entries()) {
      await push(registry, `alice/tools/image-${index}`, bytes)
      expect(
        (
          await registry.call('DELETE', `/v1/images/alice/tools/image-${index}:sha256.${sha256(bytes)}`, {
            token: 'alice',
          })
        ).status,
      ).toBe(200)
    }
    stubborn = sha256(images[0] as Buffer)
    registry.advance(2 * 86_400_000)
    expect((await registry.library.sweep()).blobs).toBe(2)
    stubborn = ''
    // its record is gone: it is found again as bytes that no record knows
    const { orphans } = await registry.library.sweep({ graceSeconds: 0 })
    const left: string[] = []
    for await (const { key } of memory.list('blobs/')) left.push(key)
    expect([orphans, left]).toEqual([1, []])
  } finally {
    await registry.close()
  }
})
