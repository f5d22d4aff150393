/**
 * A push in one request is claimed before its bytes come. Its signs of life were given for an open upload, which it is not: after two minutes it looked
 * dead, and after an hour a sweep took it.
 */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { expectStatus, hashOf, makeImage, pull } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.alloc(2500, 'x')
let registry: TestRegistry
let release = (): void => {}
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(async () => {
  release()
  vi.useRealTimers()
  await registry.close()
})

it.each(['the same push again', 'a sweep'] as const)('%s leaves a push alone whose bytes come slowly', async (what) => {
  registry = await createTestRegistry({ library: { limits: { maxEntityBytes: 3000 } } })
  const { imageId } = await makeImage(registry, { path: 'alice/tools/x', hash: hashOf(bytes) })
  let reach = (): void => {}
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const released = new Promise<void>((resolve) => (release = resolve))
  const stream = (async function* () {
    yield bytes.subarray(0, 1000)
    reach()
    await released
    yield bytes.subarray(1000)
  })()
  const slow = registry.call('POST', `/v1/imagefile/${imageId}`, {
    token: 'alice',
    request: { body: { kind: 'stream', stream, length: bytes.length } },
  })
  // an expectation below may fail before it is waited for
  slow.catch(() => undefined)
  await reached
  for (let minute = 0; minute < 90; minute += 1) {
    registry.advance(60_000)
    await vi.advanceTimersByTimeAsync(60_000)
  }
  if (what === 'a sweep') expect(await registry.library.sweep()).toMatchObject({ uploads: 0 })
  else {
    const again = await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, {
      token: 'alice',
      body: { filesize: bytes.length },
    })
    expect(again.status).toBe(403)
  }
  release()
  expectStatus(await slow, 200)
  expect(await pull(registry, `alice/tools/x:${hashOf(bytes)}`)).toEqual(bytes)
})
