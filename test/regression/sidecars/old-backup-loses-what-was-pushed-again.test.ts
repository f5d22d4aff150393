/**
 * An image was deleted or damaged after a backup, pushed again, and its first bytes were swept. On the restored backup it counted as there, on bytes that
 * are gone: reindex passed over the sidecar that names the good ones, and the sweep took these.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { type BackedUp, startBackedUp } from '../../support/old-backup.js'
import { expectStatus, hashOf, pull, push, sha256 } from '../../support/push.js'
import { readAnswer } from '../../support/registry.js'
import { drained, keysBelow } from '../../support/sidecars.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
const day = 86_400_000
const place = { entity: 'alice', collection: 'tools', container: 'a' }
let scene: BackedUp
afterEach(() => scene.close())

/** Restored, with one blob in the storage, which the backup does not know. */
async function restoreAfter(what: 'deleted' | 'damaged') {
  scene = await startBackedUp()
  const { registry, storage } = scene
  const { imageId } = await push(registry, 'alice/tools/a', bytes)
  await drained(registry)
  scene.backUp()
  registry.advance(1000)
  if (what === 'deleted')
    expectStatus(
      await registry.call('DELETE', `/v1/images/alice/tools/a:${hashOf(bytes)}?arch=amd64`, { token: 'alice' }),
      200,
    )
  else {
    await storage.delete((await registry.metadata.images.find(imageId))?.image.blobKey ?? '')
    expect((await registry.library.verify({ all: true })).damaged).toBe(1)
  }
  registry.advance(1000)
  await push(registry, 'alice/tools/a', bytes)
  await drained(registry)
  registry.advance(2 * day)
  await registry.library.sweep()
  expect(await pull(registry, `alice/tools/a:${hashOf(bytes)}`)).toEqual(bytes)
  const keys = await keysBelow(storage, 'blobs/')
  expect(keys).toHaveLength(1)
  await registry.close()
  return { ...scene.restore(), key: keys[0] }
}

describe.each(['deleted', 'damaged'] as const)('%s and pushed again since the backup', (what) => {
  it('reindex gives the image the bytes that its sidecar names', async () => {
    const { library, metadata, key } = await restoreAfter(what)
    expect(await library.reindex({ dryRun: true })).toMatchObject({ images: 1, problems: 0 })
    expect((await metadata.images.findByPath(place, { digest: sha256(bytes) }))?.image).toMatchObject({
      state: 'published',
    })
    expect(await library.reindex()).toMatchObject({ images: 1, problems: 0 })
    expect((await metadata.images.findByPath(place, { digest: sha256(bytes) }))?.image).toMatchObject({
      state: 'published',
      blobKey: key,
    })
    expect(await metadata.entities.findByName('alice')).toMatchObject({ usedBytes: bytes.length, reservedBytes: 0 })
    const path = `/v1/imagefile/alice/tools/a:${hashOf(bytes)}`
    const redirect = await library.handle({
      method: 'GET',
      path,
      query: 'arch=amd64',
      headers: {},
      body: { kind: 'none' },
    })
    const url = new URL(redirect?.headers.location ?? '')
    const answer = await library.handle({
      ...{ method: 'GET', path: url.pathname.replace('/library/', '/'), query: url.search.slice(1) },
      ...{ headers: {}, body: { kind: 'none' } as const },
    })
    if (answer === undefined) throw new Error('no answer')
    expect((await readAnswer(answer)).bytes).toEqual(bytes)
  })

  it('neither a sweep before reindex nor one after it takes the only good bytes', async () => {
    const { library, storage, metadata, key } = await restoreAfter(what)
    await library.sweep()
    expect(await keysBelow(storage, 'blobs/')).toEqual([key])
    await library.reindex()
    await library.sweep()
    expect((await library.verify({ all: true })).damaged).toBe(0)
    await library.reindex()
    expect(await keysBelow(storage, 'blobs/')).toEqual([key])
    expect((await metadata.images.findByPath(place, { digest: sha256(bytes) }))?.image).toMatchObject({
      state: 'published',
      blobKey: key,
    })
  })
})
