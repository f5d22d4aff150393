/**
 * A backup that was made within a second of a change has that change noted. Restored, the first thing that ran on it, even a dry run, wrote the old state
 * over sidecars that were hours later, and a tag or a "private" that only they knew was lost.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { type BackedUp, type Restored, startBackedUp } from '../../support/old-backup.js'
import { hashOf, push, sha256 } from '../../support/push.js'
import { drained, sidecarKeys, sidecarOf } from '../../support/sidecars.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
const secret = Buffer.from('a secret image '.repeat(20))
const place = { entity: 'alice', collection: 'tools', container: 'a' }
const hour = 3_600_000
let scene: BackedUp
afterEach(() => scene.close())

/** `since` is what happens an hour after the backup. */
async function start(since: (registry: BackedUp['registry']) => Promise<unknown>) {
  scene = await startBackedUp()
  const { registry } = scene
  await push(registry, 'alice/tools/a', bytes, { tags: ['v1'] })
  scene.backUp()
  await drained(registry)
  registry.advance(hour)
  await since(registry)
  await drained(registry)
  await registry.close()
}

const warnings = (logs: readonly object[]) =>
  logs.filter((line) => 'message' in line && /later than the database/.test(String(line.message)))

/** A new version of a sidecar has a key of its own. */
async function records() {
  return { keys: await sidecarKeys(scene.storage), collection: await sidecarOf(scene.storage, 'collections') }
}

describe('a collection that is private since, with a new image and a new tag', () => {
  const since = async (registry: BackedUp['registry']) => {
    await registry.library.visibility('alice/tools', 'private')
    await push(registry, 'alice/tools/a', bytes, { tags: ['v2'] })
    await push(registry, 'alice/tools/a', secret, { tags: ['secret'] })
  }

  it.each(['nothing', 'writer', 'reindex --dry-run', 'sweep --dry-run', 'sweep --explain', 'verify'] as const)(
    '%s before reindex shows nothing',
    async (first) => {
      await start(since)
      const before = await records()
      expect(before.collection).toMatchObject({ private: true })
      const { library, ...rest } = scene.restore()
      if (first === 'writer') {
        await drained(rest)
        expect(warnings(rest.logs)).toHaveLength(1)
      } else if (first === 'reindex --dry-run') await library.reindex({ dryRun: true })
      else if (first === 'sweep --dry-run') await library.sweep({ dryRun: true })
      else if (first === 'sweep --explain') await library.explain(hashOf(bytes))
      else if (first === 'verify') await library.verify({})
      await library.close()
      expect(await records()).toEqual(before)

      const { library: next, metadata } = scene.restore()
      // the new image and the new tag would be shown
      expect(await next.reindex()).toMatchObject({ problems: 2 })
      expect(await metadata.images.findByPath(place, { digest: sha256(secret) })).toBeUndefined()
      const path = `/v1/imagefile/alice/tools/a:${hashOf(secret)}`
      const answer = await next.handle({
        method: 'GET',
        path,
        query: 'arch=amd64',
        headers: {},
        body: { kind: 'none' },
      })
      expect(answer?.status).toBe(404)
      expect(await records()).toEqual(before)
    },
  )
})

describe('a tag of an hour after the backup comes back', () => {
  const since = (registry: BackedUp['registry']) => push(registry, 'alice/tools/a', bytes, { tags: ['v2'] })
  const tagged = async ({ metadata }: Pick<Restored, 'metadata'>) =>
    (await metadata.images.findByPath(place, { arch: 'amd64', tag: 'v2' })) !== undefined

  it('while its image has a change noted', async () => {
    await start(since)
    const { library, metadata } = scene.restore()
    await metadata.ready()
    const { image } = (await metadata.images.findByPath(place, { digest: sha256(bytes) })) ?? {}
    expect(await metadata.changes.isPending('image', image?.id ?? '')).toBe(true)
    expect(await library.reindex()).toMatchObject({ tags: 1, problems: 0 })
    expect(await tagged({ metadata })).toBe(true)
  })

  it('when the writer ran while reindex was at the names', async () => {
    await start(since)
    const inner = scene.storage
    let ran = 0
    const { library, ...rest } = scene.restore({
      ...inner,
      list: async function* (prefix) {
        if (prefix === 'records/entities/' && ran++ === 0) await drained({ ...rest, storage: inner })
        yield* inner.list(prefix)
      },
    })
    expect(await library.reindex()).toMatchObject({ tags: 1, problems: 0 })
    expect(ran).toBeGreaterThan(0)
    expect(await tagged(rest)).toBe(true)
  })
})

describe('a record that stays as the backup has it', () => {
  const makePrivate = (registry: BackedUp['registry']) => registry.library.visibility('alice/tools', 'private')
  const isPrivate = async (): Promise<boolean> => (await sidecarOf(scene.storage, 'collections')).private

  /** As a change does that is noted and undone again. */
  async function write(restored: Restored) {
    const collection = await restored.metadata.collections.findByPath('alice', 'tools')
    await restored.metadata.changes.note({ kind: 'collection', id: collection?.id ?? '', digest: null })
    await drained(restored)
  }

  it('is written over its later sidecar once reindex went through without problems', async () => {
    await start(makePrivate)
    const restored = scene.restore()
    await restored.library.ready()
    await write(restored)
    expect([await isPrivate(), warnings(restored.logs).length]).toEqual([true, 1])
    expect(await restored.metadata.settings.get('reindexed-at')).toBeUndefined()
    expect(await restored.library.reindex()).toMatchObject({ problems: 0 })
    expect(Number(await restored.metadata.settings.get('reindexed-at'))).toBeGreaterThan(scene.registry.now() - hour)
    await write(restored)
    expect([await isPrivate(), warnings(restored.logs).length]).toEqual([false, 1])
  })

  it.each(['a dry run', 'problems', 'a part of reindex'] as const)('and is not after %s', async (what) => {
    await start(async (registry) => {
      await makePrivate(registry)
      if (what === 'problems') await push(registry, 'alice/tools/a', secret, { tags: [] })
    })
    const restored = scene.restore()
    await restored.library.reindex({
      dryRun: what === 'a dry run',
      ...(what === 'a part of reindex' ? { signal: AbortSignal.abort() } : {}),
    })
    expect(await restored.metadata.settings.get('reindexed-at')).toBeUndefined()
    await write(restored)
    expect(await isPrivate()).toBe(true)
    expect(warnings(restored.logs)).not.toHaveLength(0)
  })
})
