/** A PUT that was under way when its upload ended was answered with 200, and its bytes stayed, outside of any quota: repeated, it filled the disk. */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, hashOf, makeImage, push, sha256 } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'
import { keysBelow } from '../../support/sidecars.js'

let registry: TestRegistry
afterEach(() => registry.close())

const size = 1000

/** The first half, and the second when it is let go; `begun` when the first was taken. */
function inHalves(bytes: Uint8Array) {
  let go: () => void = () => {}
  let begin: () => void = () => {}
  const held = new Promise<void>((resolve) => (go = resolve))
  const begun = new Promise<void>((resolve) => (begin = resolve))
  async function* halves(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, size / 2)
    begin()
    await held
    yield bytes.subarray(size / 2)
  }
  return { stream: halves(), begun, go }
}

/** How the upload ends while its bytes come. */
const ends: Record<string, (image: { readonly imageId: string; readonly hash: string }) => Promise<void>> = {
  'its image is deleted': async ({ hash }) => {
    expectStatus(await registry.call('DELETE', `/v1/images/mallory/a/b:${hash}`, { token: 'mallory' }), 200)
  },
  'it expires': async () => {
    // as a sweep does it; a whole one would also take the file that is being written, whose date no clock moves here
    registry.advance(3 * 86_400_000)
    const now = registry.now()
    const { uploads } = registry.metadata
    for (const { id } of await uploads.findStale({ now, stuckSince: 0, limit: 10 }))
      expect(await uploads.move(id, 'open', 'expired', now)).toBe(true)
  },
}

for (const storage of ['memory', 'filesystem'] as const) {
  test.each(Object.keys(ends))(`a PUT under way while %s is 410, and its bytes are gone (${storage})`, async (end) => {
    registry = await createTestRegistry({ storage, library: { limits: { maxEntityBytes: size } } })
    for (let round = 0; round < 3; round += 1) {
      const bytes = Buffer.alloc(size, round + 1)
      const image = await makeImage(registry, { path: 'mallory/a/b', hash: hashOf(bytes) })
      const start = await registry.call('POST', `/v2/imagefile/${image.imageId}`, {
        token: 'mallory',
        body: { filesize: size, sha256sum: sha256(bytes) },
      })
      const { stream, begun, go } = inHalves(bytes)
      const put = registry.call('PUT', expectStatus(start, 200).json.data.uploadURL, {
        request: { body: { kind: 'stream', stream, length: size } },
      })
      await begun
      await ends[end]?.(image).finally(go)
      const answer = await put
      expect([answer.status, await keysBelow(registry.storage, 'blobs/')]).toEqual([410, []])
    }
  })
}

test('bytes that another image came to have meanwhile stay', async () => {
  registry = await createTestRegistry({ storage: 'filesystem' })
  const bytes = Buffer.alloc(size, 1)
  const image = await makeImage(registry, { path: 'mallory/a/b', hash: hashOf(bytes) })
  const start = expectStatus(
    await registry.call('POST', `/v2/imagefile/${image.imageId}`, { token: 'mallory', body: { filesize: size } }),
    200,
  )
  const { stream, begun, go } = inHalves(bytes)
  const put = registry.call('PUT', start.json.data.uploadURL, {
    request: { body: { kind: 'stream', stream, length: size } },
  })
  await begun
  await push(registry, 'alice/a/b', bytes)
  await ends['its image is deleted']?.(image).finally(go)
  expect((await put).status).toBe(410)
  const redirect = expectStatus(await registry.call('GET', '/v1/imagefile/alice/a/b:latest'), 303)
  expect(expectStatus(await registry.call('GET', redirect.headers.location ?? ''), 200).bytes.equals(bytes)).toBe(true)
})
