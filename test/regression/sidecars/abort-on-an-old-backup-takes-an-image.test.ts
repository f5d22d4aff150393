/** A database that was put back from a backup knows an upload as open which became an image afterwards; ending it deleted the bytes of that image before reindex could bring it back. */
import { afterEach, expect, it } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { faulty } from '../../support/faulty.js'
import { hashOf, makeImage, pull, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

const bytes = Buffer.from('published after the backup')
const open: TestRegistry[] = []
afterEach(async () => {
  for (const registry of open.splice(0)) await registry.close()
})

/** As of the backup: the image is pending, and its upload is open. */
async function restored(options: {
  readonly limits: { readonly maxEntityBytes?: number }
  readonly metadata?: MetadataStore
}) {
  const storage = memoryStorage()
  const first = await createTestRegistry({ storage })
  open.push(first)
  await push(first, 'alice/c/n', bytes)
  await drained(first)
  const image = (await first.metadata.images.list({ limit: 1 }))[0]?.image
  const { limits, metadata } = options
  const registry = await createTestRegistry({ storage, library: { limits }, ...(metadata && { metadata }) })
  open.push(registry)
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const found = await registry.metadata.images.find(imageId)
  await registry.metadata.uploads.create({
    ...{
      id: image?.blobKey?.split('/').at(-1) ?? '',
      kind: 'single',
      imageId,
      containerId: found?.container.id ?? '',
      entityId: found?.container.entityId ?? '',
    },
    ...{
      principal: (await registry.metadata.accounts.findUser('alice'))?.id ?? null,
      key: image?.blobKey ?? '',
      size: bytes.length,
      digest: image?.digest ?? '',
    },
    ...{
      partSize: bytes.length,
      totalParts: 1,
      backendUploadId: null,
      createdAt: registry.now(),
      expiresAt: registry.now() + 86_400_000,
      defaultQuotaBytes: 0,
    },
  })
  return { registry, imageId, hasBytes: async () => (await storage.stat(image?.blobKey ?? '')) !== undefined }
}

it('its bytes stay when the client pushes again and the old upload makes room', async () => {
  const { registry, imageId, hasBytes } = await restored({ limits: { maxEntityBytes: bytes.length + 1 } })
  const again = await registry.call('POST', `/v2/imagefile/${imageId}`, {
    token: 'alice',
    body: { filesize: bytes.length },
  })
  expect(again.status).toBe(200)
  expect(await hasBytes()).toBe(true)
  expect((await registry.library.reindex()).images).toBe(1)
  expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
})

it('its bytes stay when a sweep ends the old upload just before reindex puts the image back', async () => {
  const plain = sqliteMetadata({ file: ':memory:' })
  let reindex: (() => Promise<unknown>) | undefined
  const metadata = faulty(plain, {
    uploads: {
      move: async (...change: Parameters<typeof plain.uploads.move>) => {
        const moved = await plain.uploads.move(...change)
        if (change[2] === 'expired') await reindex?.()
        return moved
      },
    },
  })
  const { registry, hasBytes } = await restored({ limits: {}, metadata })
  registry.advance(2 * 86_400_000)
  let images = 0
  reindex = async () => {
    images += (await registry.library.reindex()).images
  }
  await registry.library.sweep({ graceSeconds: 0 })
  expect([images, await hasBytes()]).toEqual([1, true])
  expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
})
