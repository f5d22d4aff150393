/** After a crash in the middle of a completion the same push was refused for an hour: the quota was kept by the upload that nobody completed any more. */
import { afterEach, describe, expect, it } from 'vitest'
import { hashOf, makeImage, sendParts, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'
import { keysBelow } from '../../support/sidecars.js'

const bytes = Buffer.alloc(2500, 'x')
const path = 'alice/tools/x'
let registry: TestRegistry
afterEach(() => registry.close())

/** What kill -9 leaves, with the parts joined. */
async function crash() {
  registry = await createTestRegistry({ library: { limits: { maxEntityBytes: 3000 } } })
  const { imageId } = await makeImage(registry, { path, hash: hashOf(bytes) })
  const { uploadID } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  const { uploads } = registry.metadata
  expect(await uploads.move(uploadID, 'open', 'completing', registry.now())).toBe(true)
  const key = (await uploads.find(uploadID))?.key ?? ''
  await registry.storage.put(key, streamOf(bytes), { size: bytes.length, sha256: sha256(bytes) })
  const again = async () =>
    (
      await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, {
        token: 'alice',
        body: { filesize: bytes.length },
      })
    ).status
  const direct = async () =>
    (await registry.call('POST', `/v1/imagefile/${imageId}`, { token: 'alice', body: bytes })).status
  const stateNow = async () => (await uploads.find(uploadID))?.state
  return { uploadID, imageId, key, again, direct, stateNow }
}

describe.each(['again', 'direct'] as const)('the same push, %s', (how) => {
  it.each([121, 600, 3500])('finds room %d seconds after the crash', async (seconds) => {
    const { [how]: push, stateNow, key, uploadID } = await crash()
    registry.advance(seconds * 1000)
    await registry.library.sweep()
    expect(await stateNow()).toBe('completing')
    expect(await push()).toBe(200)
    expect(await stateNow()).toBe('aborted')
    expect(registry.events.filter(({ name }) => name === 'upload.aborted').map(({ event }) => event)).toMatchObject([
      { uploadId: uploadID, reason: 'replaced' },
    ])
    // its bytes are gone at once
    expect(await keysBelow(registry.storage, 'blobs/')).not.toContain(key)
    const { usedBytes = 0, reservedBytes = 0 } = (await registry.metadata.entities.findByName('alice')) ?? {}
    expect(usedBytes + reservedBytes).toBe(bytes.length)
  })
})

it('a completion that may be alive keeps its room: two minutes, and for as long as it gives signs of life', async () => {
  const { uploadID, again, stateNow } = await crash()
  registry.advance(119_000)
  expect(await again()).toBe(403)
  for (let minute = 0; minute < 120; minute += 1) {
    await registry.metadata.uploads.touch(uploadID, {
      state: 'completing',
      now: registry.now(),
      expiresAt: registry.now() + 86_400_000,
    })
    registry.advance(60_000)
  }
  expect(await again()).toBe(403)
  expect(await stateNow()).toBe('completing')
  registry.advance(61_000)
  expect(await again()).toBe(200)
})

it('a late part of the upload is no sign of life', async () => {
  const { uploadID, again } = await crash()
  registry.advance(121_000)
  await registry.metadata.uploads.touch(uploadID, {
    state: 'open',
    now: registry.now(),
    expiresAt: registry.now() + 86_400_000,
  })
  expect(await again()).toBe(200)
})

it('what somebody else completes, and where there is room, stays', async () => {
  const { imageId, again, stateNow } = await crash()
  registry.advance(3_000_000)
  const asAdmin = await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, {
    token: 'admin',
    body: { filesize: bytes.length },
  })
  expect([asAdmin.status, await stateNow()]).toEqual([403, 'completing'])
  const { id = '' } = (await registry.metadata.entities.findByName('alice')) ?? {}
  await registry.metadata.entities.update(id, { quotaBytes: 6000, now: registry.now() })
  expect([await again(), await stateNow()]).toEqual([200, 'completing'])
})
