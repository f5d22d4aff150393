/** A sidecar that names another image's id must not get around the question whether its bytes are there. */
import { expect, it } from 'vitest'
import { makeImage, push, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

it('a pending image stays pending', async () => {
  const registry = await createTestRegistry()
  const { metadata, storage } = registry
  const { imageId } = await push(registry, 'alice/tools/bwa', Buffer.from('an image'))
  await drained(registry)
  const other = (await metadata.images.find(imageId))?.image
  const digest = sha256(Buffer.from('never pushed'))
  const pending = await makeImage(registry, { path: 'bob/own/thing', hash: `sha256.${digest}` })
  const folder = `${digest.slice(0, 2)}/${digest}`
  const evil = Buffer.from(
    JSON.stringify({
      ...{
        version: 1,
        kind: 'image',
        ...other,
        digest,
        blobKey: `blobs/sha256/${folder}/${'0'.repeat(24)}`,
        state: 'published',
      },
      ...{ entity: 'bob', collection: 'own', container: 'thing', tags: [{ arch: 'amd64', tag: 'evil', updatedAt: 1 }] },
    }),
  )
  await storage.put(`records/images/${folder}/${imageId}/00000001`, streamOf(evil), {
    size: evil.length,
    sha256: sha256(evil),
  })
  expect(await registry.library.reindex()).toMatchObject({ images: 0, tags: 0, problems: 1 })
  expect((await metadata.images.find(pending.imageId))?.image.state).toBe('pending')
  expect((await metadata.images.find(imageId))?.image).toEqual(other)
  await registry.close()
})
