/** Beside a running server, what is deleted after reindex has read its sidecar stays deleted. */
import { expect, it } from 'vitest'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { push } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

it.each(['image', 'tag'] as const)('%s', async (kind) => {
  const inner = memoryStorage()
  let meanwhile: (() => Promise<void>) | undefined
  const storage: StorageBackend = {
    ...inner,
    get: async (key, options) => {
      const content = await inner.get(key, options)
      const work = meanwhile
      if (work !== undefined && key.startsWith('records/images/')) {
        meanwhile = undefined
        await work()
      }
      return content
    },
  }
  const registry = await createTestRegistry({ storage })
  const { metadata } = registry
  const { imageId, containerId } = await push(registry, 'alice/tools/bwa', Buffer.from('an image'), {
    tags: ['kept', 'removed'],
  })
  await drained(registry)
  meanwhile = async () => {
    if (kind === 'image') await metadata.images.delete(imageId, registry.now())
    else await metadata.tags.remove({ containerId, arch: 'amd64', tag: 'removed', imageId, now: registry.now() })
    await drained(registry)
  }
  expect(await registry.library.reindex()).toMatchObject({ images: 0, tags: 0, problems: 0 })
  expect(meanwhile).toBeUndefined()
  expect((await metadata.images.tagsOf(imageId)).map(({ tag }) => tag)).toEqual(kind === 'image' ? [] : ['kept'])
  await registry.close()
})
