/**
 * What came back with an old backup after it was deleted, and everything where the bucket was copied without `records/`, had no sidecar, and nothing ever
 * wrote one: when the database was lost later, these images were lost with it and a sweep took their bytes.
 */
import { afterEach, expect, it } from 'vitest'
import { type BackedUp, startBackedUp } from '../../support/old-backup.js'
import { expectStatus, hashOf, push } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'
import { drained, keysBelow, sidecarKeys } from '../../support/sidecars.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
const day = 86_400_000
let scene: BackedUp
afterEach(() => scene.close())

/** The database is lost for good, months later. */
async function afterLoss() {
  const fresh = await createTestRegistry({ storage: scene.storage })
  fresh.advance(90 * day)
  const { images, problems } = await fresh.library.reindex()
  const { orphans } = await fresh.library.sweep()
  await fresh.close()
  return { images, problems, orphans, blobs: (await keysBelow(scene.storage, 'blobs/')).length }
}

it('an image that a restored backup brings back after it was deleted', async () => {
  scene = await startBackedUp()
  const { registry, storage } = scene
  await push(registry, 'alice/tools/a', bytes)
  await drained(registry)
  scene.backUp()
  expectStatus(
    await registry.call('DELETE', `/v1/images/alice/tools/a:${hashOf(bytes)}?arch=amd64`, { token: 'alice' }),
    200,
  )
  await drained(registry)
  await registry.close()
  expect(await sidecarKeys(storage, 'images/')).toEqual([])

  const restored = scene.restore()
  await restored.library.ready()
  await restored.library.reindex({ dryRun: true })
  expect(await restored.metadata.changes.list({ limit: 9 })).toEqual([])
  await restored.library.reindex()
  await drained(restored)
  expect(await sidecarKeys(storage, 'images/')).toHaveLength(1)
  await restored.library.close()
  expect(await afterLoss()).toEqual({ images: 1, problems: 0, orphans: 0, blobs: 1 })
})

it('all of them, where the bucket was copied without its records; those that are there are not written again', async () => {
  scene = await startBackedUp()
  const { registry, storage } = scene
  await push(registry, 'alice/tools/a', bytes)
  await push(registry, 'alice/tools/b', Buffer.from('another image'))
  await drained(registry)
  scene.backUp()
  await registry.close()
  const before = await sidecarKeys(storage)
  const kinds = before.map((key) => key.split('/')[1])
  expect(kinds).toEqual(['collections', 'containers', 'containers', 'entities', 'images', 'images'])
  const [one = ''] = await sidecarKeys(storage, 'images/')
  for (const lost of [before, [one]]) {
    for (const key of lost) await storage.delete(key)
    const restored = scene.restore()
    await restored.library.reindex()
    expect(await restored.metadata.changes.list({ limit: 99 })).toHaveLength(lost.length)
    await drained(restored)
    await restored.library.close()
    expect(await sidecarKeys(storage)).toEqual(before)
  }
  expect(await afterLoss()).toEqual({ images: 2, problems: 0, orphans: 0, blobs: 2 })
})
