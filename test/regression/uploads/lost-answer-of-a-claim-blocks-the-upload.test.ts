/**
 * The metadata store did not answer at the moment when a completion claimed its upload, or published it. The upload stayed "being completed" until a sweep an hour later, and kept its bytes
 * reserved; or it was thrown away although the answer said "try again".
 */
import { afterEach, expect, it, vi } from 'vitest'
import { MetadataError } from '../../../src/storage/metadata/errors.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { faulty } from '../../support/faulty.js'
import { hashOf, makeImage, pull, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
const away = (): MetadataError => new MetadataError('unavailable', 'PostgreSQL: Connection terminated unexpectedly')
let registry: TestRegistry
afterEach(() => registry.close())

type Faults = {
  /** Of a move to this state: whether it was done before its answer got lost. */
  claim?: 'done' | 'not done' | undefined
  publish?: 'done' | 'not done' | undefined
  /** How often giving back fails. */
  reopen: number
  /** It was done all the same. */
  givenBack?: boolean
}

async function start(faults: Faults) {
  const plain = sqliteMetadata({ file: ':memory:' })
  const metadata = faulty(plain, {
    uploads: {
      move: async (...change: Parameters<typeof plain.uploads.move>) => {
        if (change[1] === 'completing' && change[2] === 'open' && faults.reopen > 0) {
          faults.reopen -= 1
          if (faults.givenBack) await plain.uploads.move(...change)
          throw away()
        }
        if (change[2] !== 'completing' || faults.claim === undefined) return plain.uploads.move(...change)
        if (faults.claim === 'done') await plain.uploads.move(...change)
        faults.claim = undefined
        throw away()
      },
    },
    images: {
      publish: async (...change: Parameters<typeof plain.images.publish>) => {
        if (faults.publish === undefined) return plain.images.publish(...change)
        if (faults.publish === 'done') await plain.images.publish(...change)
        faults.publish = undefined
        throw away()
      },
    },
  })
  registry = await createTestRegistry({ metadata, library: { limits: { maxEntityBytes: 800 } } })
  const { imageId } = await makeImage(registry, { path: 'alice/tools/x', hash: hashOf(bytes) })
  const { uploadID, completedParts } = await sendParts(registry, imageId, { bytes, token: 'alice' })
  const complete = async () =>
    (
      await registry.call('PUT', `/v2/imagefile/${imageId}/_multipart_complete`, {
        token: 'alice',
        body: { uploadID, completedParts },
      })
    ).status
  const stateNow = async () => (await plain.uploads.find(uploadID))?.state
  return { imageId, complete, stateNow }
}

it.each([
  { claim: 'done', reopen: 0 },
  { claim: 'done', reopen: 1 },
  { claim: 'not done', reopen: 0 },
  { publish: 'not done', reopen: 0 },
  { publish: 'not done', reopen: 1 },
] satisfies Faults[])('%j: the same completion succeeds a moment later', async (faults: Faults) => {
  const { complete, stateNow } = await start({ ...faults })
  expect(await complete()).toBe(503)
  await vi.waitFor(async () => expect(await stateNow()).toBe('open'), { timeout: 5000 })
  expect(await complete()).toBe(200)
  expect(await pull(registry, `alice/tools/x:${hashOf(bytes)}`)).toEqual(bytes)
  expect(await registry.metadata.entities.findByName('alice')).toMatchObject({
    usedBytes: bytes.length,
    reservedBytes: 0,
  })
})

it('what was published although its answer got lost stays published', async () => {
  const { complete, stateNow } = await start({ publish: 'done', reopen: 0 })
  expect(await complete()).toBe(503)
  expect(await stateNow()).toBe('completed')
  expect(await complete()).toBe(200)
  expect(await pull(registry, `alice/tools/x:${hashOf(bytes)}`)).toEqual(bytes)
})

it('a push that is tried again finds room: the quota is not kept by the attempt before', async () => {
  const { imageId, complete, stateNow } = await start({ claim: 'done', reopen: 0 })
  expect(await complete()).toBe(503)
  await vi.waitFor(async () => expect(await stateNow()).toBe('open'), { timeout: 5000 })
  const again = await registry.call('POST', `/v2/imagefile/${imageId}/_multipart`, {
    token: 'alice',
    body: { filesize: bytes.length },
  })
  expect(again.status).toBe(200)
})

it('a claim that another one made meanwhile is not taken back', async () => {
  const { complete, stateNow } = await start({ claim: 'not done', reopen: 0 })
  expect(await complete()).toBe(503)
  registry.advance(1)
  // the other one is slow: it has the upload when the first one tries to take its claim back
  const { uploads } = registry.metadata
  const [upload] = await uploads.findOpen(
    (await registry.metadata.images.list({ limit: 1 }))[0]?.image.id ?? '',
    await principal(),
  )
  expect(await uploads.move(upload?.id ?? '', 'open', 'completing', registry.now())).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await stateNow()).toBe('completing')
})

it('an upload that was given back, although the answer to that got lost too, is not taken from the next completion', async () => {
  const { complete, stateNow } = await start({ publish: 'not done', reopen: 1, givenBack: true })
  expect(await complete()).toBe(503)
  expect(await stateNow()).toBe('open')
  registry.advance(1)
  const { uploads, images } = registry.metadata
  const [upload] = await uploads.findOpen((await images.list({ limit: 1 }))[0]?.image.id ?? '', await principal())
  expect(await uploads.move(upload?.id ?? '', 'open', 'completing', registry.now())).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await stateNow()).toBe('completing')
})

async function principal(): Promise<string | null> {
  return (await registry.metadata.accounts.findUser('alice'))?.id ?? null
}
