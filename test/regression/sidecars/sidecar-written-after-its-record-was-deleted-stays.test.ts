/**
 * A writer stood still with an old document while another one settled the deletion of its image, then wrote it, and failed to look again by one error of
 * the store: nobody knew of that sidecar any more, and a reindex brought the deleted image back.
 */
import { expect, it } from 'vitest'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { hashOf, push } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'
import { drained, sidecarKeys } from '../../support/sidecars.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))

it('the change is noted again, and the sidecar goes', async () => {
  const storage = memoryStorage()
  const registry = await createTestRegistry({ storage })
  await push(registry, 'alice/tools/a', bytes)
  let reach = (): void => {}
  const reached = new Promise<void>((resolve) => (reach = resolve))
  let release = (): void => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  let isLate = false
  const slow: StorageBackend = {
    ...storage,
    put: async (...write) => {
      if (write[0].startsWith('records/images/')) {
        reach()
        await released
        isLate = true
      }
      return storage.put(...write)
    },
    list: async function* (prefix) {
      if (isLate) {
        isLate = false
        throw new StorageError('unavailable', 'SlowDown', { backend: 'slow' })
      }
      yield* storage.list(prefix)
    },
  }
  // says that a sidecar was not written
  const running = drained({ ...registry, storage: slow }, false)
  await reached
  await registry.call('DELETE', `/v1/images/alice/tools/a:${hashOf(bytes)}?arch=amd64`, { token: 'alice' })
  await drained(registry)
  expect(await registry.metadata.changes.list({ limit: 9 })).toEqual([])
  release()
  await running
  await drained(registry)
  expect(await sidecarKeys(storage, 'images/')).toEqual([])
  registry.advance(2 * 86_400_000)
  expect(await registry.library.sweep()).toMatchObject({ kept: 0 })
  expect(await registry.library.reindex()).toMatchObject({ images: 0 })
  await registry.close()
})
