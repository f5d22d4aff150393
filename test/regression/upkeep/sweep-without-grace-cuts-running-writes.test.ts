/** With a grace of zero the sweep removed the temporary file that a slow upload was writing, and the folder of parts that were being joined. */
import { afterEach, expect, test } from 'vitest'
import { hashOf, makeImage, pull } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

test('an upload that is being received survives sweeps without grace', async () => {
  registry = await createTestRegistry({ storage: 'filesystem' })
  const bytes = Buffer.from('sent in two halves')
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const stream = (async function* () {
    yield bytes.subarray(0, 5)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await registry.library.sweep({ graceSeconds: 0 })
    yield bytes.subarray(5)
  })()
  const answer = await registry.call('POST', `/v1/imagefile/${imageId}`, {
    token: 'alice',
    request: { body: { kind: 'stream', stream, length: bytes.length } },
  })
  expect([answer.status, answer.text]).toEqual([200, ''])
  expect(await pull(registry, `alice/c/n:${hashOf(bytes)}`)).toEqual(bytes)
})
