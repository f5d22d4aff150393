/** The bytes of one PUT through the server may take longer than an upload may stay without a sign of life: as long as they come, no sweep may end it. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { expectStatus, hashOf, makeImage, sha256 } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'

const minute = 60_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

it('a PUT that lasts longer than uploadSeconds is not swept, and completes', async () => {
  const registry = await createTestRegistry({
    storage: 'filesystem',
    library: { limits: { uploadSeconds: 600, idleSeconds: 100_000 } },
  })
  const bytes = Buffer.alloc(200_000, 'slow')
  const { imageId } = await makeImage(registry, { path: 'alice/tools/slow', hash: hashOf(bytes) })
  const start = expectStatus(
    await registry.call('POST', `/v2/imagefile/${imageId}`, {
      token: 'alice',
      body: { filesize: bytes.length, sha256sum: sha256(bytes) },
    }),
    200,
  )
  let goOn = (): void => {}
  const waits = new Promise<void>((resolve) => (goOn = resolve))
  const stream = (async function* () {
    yield bytes.subarray(0, 100_000)
    await waits
    yield bytes.subarray(100_000)
  })()
  const sent = registry.call('PUT', start.json.data.uploadURL, {
    request: { body: { kind: 'stream', stream, length: bytes.length } },
  })
  for (let passed = 0; passed < 30; passed += 1) {
    registry.advance(minute)
    await vi.advanceTimersByTimeAsync(minute)
    // what the timer started is done when the metadata store answers the next question
    await registry.metadata.uploads.findOpen(imageId, null)
  }
  expect((await registry.library.sweep()).uploads).toBe(0)
  goOn()
  expectStatus(await sent, 200)
  expectStatus(await registry.call('PUT', `/v2/imagefile/${imageId}/_complete`, { token: 'alice', body: {} }), 200)
  await registry.close()
})
