/**
 * A name that was not resolved, an expired certificate or a connection closed for standing still were no connection failures: the completion answered 500
 * and threw away bytes that were sent and proven. Only what is said about the bytes, as by a hook, discards them.
 */
import { afterEach, expect, it } from 'vitest'
import { LibraryError } from '../../../src/core/index.js'
import { StorageError } from '../../../src/storage/blob/errors.js'
import { translated } from '../../../src/storage/metadata/postgres/errors.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { hashOf, makeImage, pull, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'
import { keysBelow } from '../../support/sidecars.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
let registry: TestRegistry
afterEach(() => registry.close())

/** A completion that fails once, while it is published. */
async function start(failure: unknown, from: 'store' | 'hook' = 'store') {
  const plain = sqliteMetadata({ file: ':memory:' })
  let isFailing = true
  const fail = (at: typeof from): void => {
    if (at !== from || !isFailing) return
    isFailing = false
    throw failure
  }
  const publish: typeof plain.images.publish = async (...change) => {
    fail('store')
    return plain.images.publish(...change)
  }
  const metadata = { ...plain, images: { ...plain.images, publish } }
  registry = await createTestRegistry({ metadata, library: { hooks: { beforePublish: () => fail('hook') } } })
  const { imageId } = await makeImage(registry, { path: 'alice/tools/x', hash: hashOf(bytes) })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  const complete = async () =>
    (
      await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
        token: 'alice',
        body: { uploadID, completedParts },
      })
    ).status
  return { complete, uploadID }
}

it.each([
  ['ECONNREFUSED', 503],
  ['EAI_AGAIN', 503],
  ['ENOTFOUND', 503],
  ['CERT_HAS_EXPIRED', 503],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 503],
  ['25P03', 503],
  ['57P05', 503],
  ['58030', 503],
  // what nobody has heard of says nothing of the bytes either
  ['XX000', 500],
])('%s while publishing is %i, and the same completion succeeds afterwards', async (code, status) => {
  const { complete, uploadID } = await start(translated(Object.assign(new Error(`getaddrinfo ${code}`), { code })))
  expect(await complete()).toBe(status)
  expect((await registry.metadata.uploads.find(uploadID))?.state).toBe('open')
  expect(await complete()).toBe(200)
  expect(await pull(registry, `alice/tools/x:${hashOf(bytes)}`)).toEqual(bytes)
})

it('neither does a storage that fails in a way of its own', async () => {
  const { complete } = await start(new StorageError('internal', 'the disk says no', { backend: 'test' }))
  expect(await complete()).toBe(500)
  expect(await complete()).toBe(200)
})

it.each([
  ['refuses', new LibraryError('refused', 'the scan found something'), 403],
  ['is broken', new Error('the scanner is not there'), 500],
])('a hook that %s still discards the upload', async (_, failure, status) => {
  const { complete, uploadID } = await start(failure, 'hook')
  expect(await complete()).toBe(status)
  expect((await registry.metadata.uploads.find(uploadID))?.state).toBe('aborted')
  expect(await keysBelow(registry.storage, 'blobs/')).toEqual([])
  expect(await complete()).not.toBe(200)
  expect(await registry.metadata.entities.findByName('alice')).toMatchObject({ usedBytes: 0, reservedBytes: 0 })
})
