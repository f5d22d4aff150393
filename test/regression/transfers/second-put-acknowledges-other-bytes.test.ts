/** A PUT to an upload URL whose bytes had arrived was read to its end and answered 200, whatever it carried. */
import { afterEach, test } from 'vitest'
import { expectStatus, hashOf, makeImage } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test.each(['memory', 'filesystem'] as const)('the same bytes again are 200, others 422 (%s)', async (storage) => {
  registry = await createTestRegistry({ storage })
  const bytes = Buffer.from('the right bytes')
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
    token: 'alice',
    body: { filesize: bytes.length },
  })
  const url = expectStatus(start, 200).json.data.uploadURL
  const put = (body: Uint8Array) =>
    registry.call('PUT', url, { body, request: { body: { kind: 'bytes', bytes: body } } })
  expectStatus(await put(bytes), 200)
  expectStatus(await put(bytes), 200)
  expectStatus(await put(Buffer.from('the wrong bytes')), 422)
  // without a length, too
  const open = {
    kind: 'stream' as const,
    stream: (async function* () {
      yield Buffer.from('short')
    })(),
  }
  expectStatus(await registry.call('PUT', url, { request: { body: open } }), 422)
  expectStatus(await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} }), 200)
})
