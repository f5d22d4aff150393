/** What was pushed into a private container is not put back into one that the database shows to everybody. */
import { afterEach, expect, it } from 'vitest'
import type { ReindexItem } from '../../../src/core/index.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { pull, push, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, type TestRegistry } from '../../support/registry.js'
import { drained, sidecarKeys } from '../../support/sidecars.js'

const open: TestRegistry[] = []
afterEach(async () => {
  for (const registry of open.splice(0)) await registry.close()
})

async function start(options: Parameters<typeof createTestRegistry>[0]): Promise<TestRegistry> {
  const registry = await createTestRegistry(options)
  open.push(registry)
  return registry
}

const secret = Buffer.from('what nobody else may see, '.repeat(9))
const isShown = async (registry: TestRegistry): Promise<boolean> =>
  (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:secret?arch=amd64')).status !== 404

it.each(['alice/tools/bwa', 'alice/tools'])(
  '%s was private in the lost database, and was made again, public, before reindex ran',
  async (path) => {
    const storage = memoryStorage()
    const first = await start({ storage })
    await push(first, 'alice/tools/bwa', secret, { tags: ['secret'] })
    await first.library.visibility(path, 'private')
    await drained(first)
    const second = await start({ storage })
    await push(second, 'alice/tools/bwa', Buffer.from('something for everybody'), { tags: ['latest'] })

    for (const dryRun of [true, false]) {
      const items: ReindexItem[] = []
      expect(await second.library.reindex({ dryRun, onItem: (item) => items.push(item) })).toMatchObject({
        images: 0,
        tags: 0,
        problems: 1,
      })
      expect(items).toMatchObject([
        { outcome: 'not-restored', kind: 'image', why: expect.stringContaining(`${path} was private`) },
      ])
    }
    expect(await isShown(second)).toBe(false)
    // the way out that the message names
    await second.library.visibility(path, 'private')
    expect(await second.library.reindex()).toMatchObject({ images: 1, tags: 1, problems: 0 })
    expect(await isShown(second)).toBe(false)
    expect((await pull(second, 'alice/tools/bwa:secret', { token: 'alice' })).equals(secret)).toBe(true)
  },
)

/** A metadata store with the places of another one as they are now, and nothing that lies in them: a backup. */
async function backupOf(metadata: MetadataStore): Promise<MetadataStore> {
  const backup = sqliteMetadata({ file: ':memory:' })
  const [entity, collection, container] = [
    await metadata.entities.findByName('alice'),
    await metadata.collections.findByPath('alice', 'tools'),
    await metadata.containers.findByPath({ entity: 'alice', collection: 'tools', container: 'bwa' }),
  ]
  if (entity === undefined || collection === undefined || container === undefined)
    throw new Error('there is nothing to back up')
  await backup.entities.createIfAbsent({ ...entity, now: entity.createdAt })
  await backup.collections.createIfAbsent({ ...collection, now: collection.createdAt })
  await backup.containers.createIfAbsent({ ...container, now: container.createdAt })
  return backup
}

it.each([
  ['by the same clock', 1000],
  // or it changed by an instance whose clock is behind that of the one that made it
  ['by a clock that is behind', -600_000],
])('the container became private after the backup, %s, and the image came after that', async (_, later) => {
  const storage = memoryStorage()
  const first = await start({ storage })
  await push(first, 'alice/tools/bwa', Buffer.from('something for everybody'), { tags: ['latest'] })
  const backup = await backupOf(first.metadata)
  first.advance(later)
  await first.library.visibility('alice/tools/bwa', 'private')
  await push(first, 'alice/tools/bwa', secret, { tags: ['secret'] })
  await drained(first)

  const second = await start({ storage, metadata: backup })
  expect(await second.library.reindex()).toMatchObject({ images: 0, problems: 2 })
  expect(await isShown(second)).toBe(false)
})

/** Puts a sidecar of a newer version, or a spoilt one, in the place of the one below this folder. */
async function spoil(storage: StorageBackend, kind: 'collections' | 'containers'): Promise<void> {
  const [key = ''] = await sidecarKeys(storage, kind)
  const newer = Buffer.from('{"version":2}')
  const next = key.replace(/\d{8}$/, (number) => String(Number(number) + 1).padStart(8, '0'))
  await storage.put(next, streamOf(newer), { size: newer.length, sha256: sha256(newer) })
}

it.each([
  ['container', 'alice/tools/bwa', 'restored'],
  ['collection', 'alice/tools', 'restored'],
  // under another id, which no sidecar names
  ['collection', 'alice/tools', 'made again'],
] as const)(
  'nobody can tell whether the %s was private, because its sidecar cannot be read (%s, %s)',
  async (kind, path, how) => {
    const storage = memoryStorage()
    const first = await start({ storage })
    await push(first, 'alice/tools/bwa', Buffer.from('something for everybody'), { tags: ['latest'] })
    const backup = await backupOf(first.metadata)
    first.advance(1000)
    await first.library.visibility(path, 'private')
    await push(first, 'alice/tools/bwa', secret, { tags: ['secret'] })
    await drained(first)
    await spoil(storage, `${kind}s`)

    const second = await start({ storage, ...(how === 'restored' && { metadata: backup }) })
    if (how === 'made again')
      await push(second, 'alice/tools/other', Buffer.from('something else'), { tags: ['latest'] })
    const problems: string[] = []
    await second.library.reindex({
      onItem: ({ outcome, what, why }) => outcome === 'not-restored' && problems.push(`${what}: ${why}`),
    })
    expect(problems).toContainEqual(expect.stringMatching(/:sha256.*may have been private/))
    expect(await isShown(second)).toBe(false)
  },
)

it('what became public before the loss comes back public', async () => {
  const storage = memoryStorage()
  const first = await start({ storage })
  await push(first, 'alice/tools/bwa', secret, { tags: ['secret'] })
  await first.library.visibility('alice/tools/bwa', 'private')
  await drained(first)
  first.advance(1000)
  await first.library.visibility('alice/tools/bwa', 'public')
  await drained(first)
  const second = await start({ storage })
  expect(await second.library.reindex()).toMatchObject({ images: 1, problems: 0 })
  expect(await isShown(second)).toBe(true)
})
