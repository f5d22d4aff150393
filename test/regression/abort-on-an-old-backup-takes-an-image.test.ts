/** A database that was put back from a backup knows an upload as open which became an image afterwards; ending it deleted the bytes of that image before reindex could bring it back. */
import { afterEach, expect, it } from 'vitest'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { hashOf, makeImage, pull, push } from '../support/push.js'
import { createTestRegistry, type TestRegistry } from '../support/registry.js'
import { drained } from '../support/sidecars.js'

const bytes = Buffer.from('published after the backup')
const open: TestRegistry[] = []
afterEach(async () => {
  for (const registry of open.splice(0)) await registry.close()
})

it('its bytes stay when the client pushes again and the old upload makes room', async () => {
  const storage = memoryStorage()
  const first = await createTestRegistry({ storage })
  open.push(first)
  await push(first, 'alice/c/n', bytes)
  await drained(first)
  const image = (await first.metadata.images.list({ limit: 1 }))[0]?.image
  // as of the backup: the image is pending, and its upload is open
  const second = await createTestRegistry({ storage, library: { limits: { maxEntityBytes: bytes.length + 1 } } })
  open.push(second)
  const { imageId } = await makeImage(second, { path: 'alice/c/n', hash: hashOf(bytes) })
  const found = await second.metadata.images.find(imageId)
  await second.metadata.uploads.create({
    ...{
      id: image?.blobKey?.split('/').at(-1) ?? '',
      kind: 'single',
      imageId,
      containerId: found?.container.id ?? '',
      entityId: found?.container.entityId ?? '',
    },
    ...{
      principal: (await second.metadata.accounts.findUser('alice'))?.id ?? null,
      key: image?.blobKey ?? '',
      size: bytes.length,
      digest: image?.digest ?? '',
    },
    ...{ partSize: bytes.length, totalParts: 1, backendUploadId: null, createdAt: second.now(), expiresAt: second.now() + 86_400_000, defaultQuotaBytes: 0 },
  })
  const again = await second.call('POST', `/v2/imagefile/${imageId}`, { token: 'alice', body: { filesize: bytes.length } })
  expect(again.status).toBe(200)
  expect(await storage.stat(image?.blobKey ?? '')).toBeDefined()
  expect((await second.library.reindex()).images).toBe(1)
  expect(await pull(second, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
})
