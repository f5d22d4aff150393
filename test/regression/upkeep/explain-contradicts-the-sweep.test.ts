/** `sweep --explain` did not know an image by its hash once its bytes were missing, took the mark of the storage for a sidecar, failed for a long grace time, and threatened files that no sweep touches. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { hashOf, push, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

const bytes = Buffer.from('an image of some bytes, '.repeat(20))
let registry: TestRegistry
beforeEach(async () => {
  registry = await createTestRegistry()
})
afterEach(() => registry.close())

it('says by hash what it says by id, also of bytes that are missing', async () => {
  const { imageId, hash } = await push(registry, 'alice/tools/x', bytes)
  await push(registry, 'alice/tools/y', bytes)
  const key = (await registry.metadata.images.find(imageId))?.image.blobKey ?? ''
  await registry.storage.delete(key)
  const byId = await registry.library.explain(imageId)
  expect(byId).toMatchObject([{ key, fate: 'kept', size: null, why: expect.stringContaining('its bytes are missing') }])
  expect(await registry.library.explain(hash)).toEqual(byId)

  // hidden, it is no published image any more
  await drained(registry)
  expect(await registry.library.verify({ all: true })).toMatchObject({ damaged: 2 })
  const damaged = await registry.library.explain(imageId)
  expect(damaged).toMatchObject([{ key, fate: 'kept', why: expect.stringContaining('which is damaged') }])
  expect(await registry.library.explain(hash)).toEqual(damaged)
  expect(await registry.library.explain(hashOf(Buffer.from('never pushed')))).toMatchObject([
    { fate: 'absent', why: 'no such key' },
  ])
})

it('knows the mark of the storage', async () => {
  const [mark] = await registry.library.explain('records/storage-mark')
  expect(mark).toMatchObject({ fate: 'kept', why: expect.stringContaining('it is the mark of the storage') })
})

it('takes a grace time that no date reaches', async () => {
  const { hash } = await push(registry, 'alice/tools/x', bytes)
  await registry.call('DELETE', `/v1/images/alice/tools/x:${hash}?arch=amd64`, { token: 'alice' })
  const graceSeconds = 999_999_999 * 604_800
  expect(await registry.library.explain(hash, { graceSeconds })).toMatchObject([
    { fate: 'goes', why: expect.stringMatching(/; goes after \+275760-/) },
  ])
  expect(await registry.library.sweep({ graceSeconds })).toMatchObject({ blobs: 0 })
})

it('says of a file of somebody else that it stays, and of what lies among the blobs that it goes', async () => {
  const foreign = Buffer.from('of somebody else')
  const [outside, inside] = ['backups/database.dump', 'blobs/sha256/README']
  for (const key of [outside, inside])
    await registry.storage.put(key, streamOf(foreign), { size: foreign.length, sha256: sha256(foreign) })
  registry.advance(3 * 86_400_000)
  expect(await registry.library.explain(outside)).toMatchObject([{ fate: 'kept', size: foreign.length }])
  expect(await registry.library.explain(inside)).toMatchObject([{ fate: 'goes' }])
  await registry.library.sweep()
  expect(await registry.storage.stat(outside)).toBeDefined()
  expect(await registry.storage.stat(inside)).toBeUndefined()
})
