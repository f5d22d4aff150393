/** When the answer of the publishing transaction was lost after its commit, the bytes of the image that had just become visible were thrown away. */
import { afterEach, expect, test } from 'vitest'
import { MetadataError } from '../../../src/storage/metadata/errors.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { hashOf, makeImage, pull } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

const answers = {
  throws: new MetadataError('unavailable', 'the connection was lost after the commit'),
  'throws what nobody foresaw': new Error('the driver stumbled after the commit'),
  'runs twice': undefined,
}

test.each(Object.entries(answers))('bytes stay when publish went through, but %s', async (how, error) => {
  const plain = sqliteMetadata({ file: ':memory:' })
  const publish: typeof plain.images.publish = async (change) => {
    const outcome = await plain.images.publish(change)
    if (error !== undefined) throw error
    return outcome === 'published' ? plain.images.publish(change) : outcome
  }
  registry = await createTestRegistry({ metadata: { ...plain, images: { ...plain.images, publish } } })
  const bytes = Buffer.from(how)
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const answer = await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: bytes })
  expect(answer.status).toBeGreaterThanOrEqual(400)
  // what the client does next finds the image there
  expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
})
