/** What was pushed into a private container is not put back into one that the database shows to everybody. */
import { afterEach, expect, it } from 'vitest'
import type { ReindexItem } from '../../src/core/index.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite.js'
import { pull, push } from '../support/push.js'
import { createTestRegistry, type TestRegistry } from '../support/registry.js'
import { drained } from '../support/sidecars.js'

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

it.each(['alice/tools/bwa', 'alice/tools'])('%s was private in the lost database, and was made again, public, before reindex ran', async (path) => {
  const storage = memoryStorage()
  const first = await start({ storage })
  await push(first, 'alice/tools/bwa', secret, { tags: ['secret'] })
  await first.library.visibility(path, 'private')
  await drained(first)
  const second = await start({ storage })
  await push(second, 'alice/tools/bwa', Buffer.from('something for everybody'), { tags: ['latest'] })

  for (const dryRun of [true, false]) {
    const items: ReindexItem[] = []
    expect(await second.library.reindex({ dryRun, onItem: (item) => items.push(item) })).toMatchObject({ images: 0, tags: 0, problems: 1 })
    expect(items).toMatchObject([{ outcome: 'not-restored', kind: 'image', why: expect.stringContaining(`${path} was private`) }])
  }
  expect(await isShown(second)).toBe(false)
  // the way out that the message names
  await second.library.visibility(path, 'private')
  expect(await second.library.reindex()).toMatchObject({ images: 1, tags: 1, problems: 0 })
  expect(await isShown(second)).toBe(false)
  expect((await pull(second, 'alice/tools/bwa:secret', { token: 'alice' })).equals(secret)).toBe(true)
})

it('the container became private after the backup, and the image came after that', async () => {
  const storage = memoryStorage()
  const backup = sqliteMetadata({ file: ':memory:' })
  const first = await start({ storage, metadata: backup })
  await push(first, 'alice/tools/bwa', Buffer.from('something for everybody'), { tags: ['latest'] })
  await drained(first)
  const before = await backup.containers.findByPath({ entity: 'alice', collection: 'tools', container: 'bwa' })
  first.advance(1000)
  await first.library.visibility('alice/tools/bwa', 'private')
  const { imageId } = await push(first, 'alice/tools/bwa', secret, { tags: ['secret'] })
  await drained(first)
  // as if the backup were put back: the image is not there, the container has the flag and the time of then, and no change is noted
  await backup.images.delete(imageId, first.now())
  await backup.containers.setPrivate(before?.id ?? '', false, before?.updatedAt ?? 0)
  await backup.changes.settle((await backup.changes.list({ limit: 100 })).map(({ seq }) => seq))

  expect(await first.library.reindex()).toMatchObject({ images: 0, problems: 1 })
  expect(await isShown(first)).toBe(false)
})

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
