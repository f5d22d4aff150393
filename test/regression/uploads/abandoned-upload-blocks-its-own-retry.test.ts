/** An upload that its client left kept its reservation for a day, and the same push tried again was refused for want of quota. */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, hashOf, makeImage, pull, push, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

const path = 'lab/tools/bwa'
const bytes = Buffer.alloc(2500, 'x')

async function start(maxEntityBytes: number) {
  registry = await createTestRegistry({
    storage: 'filesystem',
    library: { limits: { maxEntityBytes, partBytes: 1000 } },
  })
  const { imageId } = await makeImage(registry, { path, hash: hashOf(bytes), token: 'admin' })
  const ask = (kind: 'single' | 'multipart', token: string) =>
    registry.call('POST', `/v2/imagefile/${imageId}${kind === 'single' ? '' : '/_multipart'}`, {
      token,
      body: { filesize: bytes.length },
    })
  const usage = async () => {
    const { usedBytes, reservedBytes } = (await registry.metadata.entities.findByName('lab')) ?? {}
    return { usedBytes, reservedBytes }
  }
  const replaced = () =>
    registry.events.filter(
      ({ name, event }) => name === 'upload.aborted' && 'reason' in event && event.reason === 'replaced',
    ).length
  return { imageId, ask, usage, replaced }
}

test.each(['single', 'multipart'] as const)('a %s upload takes the place of the one that was left', async (kind) => {
  const { imageId, ask, usage, replaced } = await start(3000)
  const first = expectStatus(await ask('single', 'bob'), 200).json.data.uploadURL
  for (let again = 0; again < 3; again += 1) {
    expectStatus(await ask(kind, 'bob'), 200)
    expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 2500 })
  }
  expect(replaced()).toBe(3)
  // the one that gave way takes no bytes any more
  expectStatus(await registry.call('PUT', first, { body: bytes }), 410)
  if (kind === 'single') await push(registry, path, bytes, { token: 'bob', tags: [] })
  else {
    const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'bob' })
    expectStatus(
      await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
        token: 'bob',
        body: { uploadID, completedParts },
      }),
      200,
    )
  }
  expect(await usage()).toEqual({ usedBytes: 2500, reservedBytes: 0 })
  expect(await pull(registry, `${path}:${hashOf(bytes)}`)).toEqual(bytes)
})

test('the bytes of the one that gave way go with it', async () => {
  const { imageId, ask, usage } = await start(3000)
  await sendParts(registry, imageId, { bytes, token: 'bob' })
  const left = async () => {
    const found: string[] = []
    for await (const { key } of registry.storage.multipart?.listUploads() ?? []) found.push(key)
    return found
  }
  const [before] = await left()
  expect(before).toBeDefined()
  expectStatus(await ask('multipart', 'bob'), 200)
  expect(await left()).toHaveLength(1)
  expect(await left()).not.toContain(before)
  expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 2500 })
})

test('where there is room for both, both live: two clients may push one image', async () => {
  const { ask, usage, replaced } = await start(5000)
  const urls = [expectStatus(await ask('single', 'bob'), 200), expectStatus(await ask('single', 'bob'), 200)].map(
    ({ json }) => json.data.uploadURL,
  )
  expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 5000 })
  for (const url of urls) expectStatus(await registry.call('PUT', url, { body: bytes }), 200)
  expect(replaced()).toBe(0)
})

test('uploads of another principal, and of another image, do not give way', async () => {
  const { ask, usage, replaced } = await start(3000)
  expectStatus(await ask('single', 'admin'), 200)
  expectStatus(await ask('single', 'bob'), 403)
  const other = Buffer.alloc(600, 'y')
  const { imageId } = await makeImage(registry, { path, hash: hashOf(other), token: 'admin' })
  expectStatus(
    await registry.call('POST', `/v2/imagefile/${imageId}`, { token: 'admin', body: { filesize: other.length } }),
    403,
  )
  expect(await usage()).toEqual({ usedBytes: 0, reservedBytes: 2500 })
  expect(replaced()).toBe(0)
})
