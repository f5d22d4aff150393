/** The backend wraps whatever a body throws as `aborted`; the idle time-out inside it went to the client as 499, the word for a client that left. */
import { afterEach, expect, test } from 'vitest'
import { hashOf, makeImage } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test.each(['memory', 'filesystem'] as const)('an upload that stands still is 408 (%s)', async (storage) => {
  registry = await createTestRegistry({ storage, library: { limits: { idleSeconds: 1 } } })
  const bytes = Buffer.from('never sent whole')
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const stalled: AsyncIterable<Uint8Array> = {
    async *[Symbol.asyncIterator]() {
      yield bytes.subarray(0, 3)
      await new Promise(() => {})
    },
  }
  const answer = await registry.call('POST', `/v1/imagefile/${imageId}`, {
    token: 'alice',
    request: { body: { kind: 'stream', stream: stalled, length: bytes.length } },
  })
  expect(answer.status).toBe(408)
  expect(answer.json.error.message).toMatch(/no byte came for 1 seconds/)
})
