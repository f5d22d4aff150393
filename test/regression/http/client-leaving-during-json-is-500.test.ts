/** A client that left while its JSON body came was logged as a fault of the server, with a stack: a way to fill the log and to ring alarms. */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, hashOf, makeImage } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

const broken = (): { kind: 'stream'; stream: AsyncIterable<Uint8Array>; length: number } => ({
  kind: 'stream',
  length: 15,
  stream: (async function* () {
    yield Buffer.from('{"na')
    throw new Error('aborted')
  })(),
})

test('a body that breaks off is the client, not the server', async () => {
  registry = await createTestRegistry()
  const json = await registry.call('POST', '/v1/entities', { token: 'alice', request: { body: broken() } })
  expect(json.status).toBe(499)
  const bytes = Buffer.from('the right bytes')
  const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(bytes) })
  const direct = await registry.call('POST', `/v1/imagefile/${imageId}`, {
    token: 'alice',
    request: { body: broken() },
  })
  expect(direct.status).toBe(499)
  // a PUT whose bytes are there already is read by another way
  const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
    token: 'alice',
    body: { filesize: bytes.length },
  })
  const url = expectStatus(start, 200).json.data.uploadURL
  expectStatus(await registry.call('PUT', url, { body: bytes }), 200)
  expect((await registry.call('PUT', url, { request: { body: broken() } })).status).toBe(499)
  expect(registry.logs.filter(({ level }) => level === 'error')).toEqual([])
})
