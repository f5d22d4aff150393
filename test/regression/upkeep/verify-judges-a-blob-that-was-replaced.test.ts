/**
 * A verification that stood still between what it read and what it wrote judged the next blob of the image by the one before: it hid what had been pushed again meanwhile, or showed
 * what another verification had hidden. An image that was deleted meanwhile counted as damaged.
 */
import { afterEach, expect, it } from 'vitest'
import { createLibrary } from '../../../src/core/index.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import type { ImageRecord } from '../../../src/storage/metadata/contract.js'
import { hashOf, push, sha256 } from '../../support/push.js'
import { createTestRegistry, streamOf, TEST_SECRET, type TestRegistry } from '../../support/registry.js'

const bytes = Buffer.from('an image of some bytes '.repeat(20))
const path = 'alice/tools/x'
let registry: TestRegistry
afterEach(() => registry.close())

async function imageNow(): Promise<ImageRecord & { readonly blobKey: string }> {
  const found = await registry.metadata.images.findByPath(
    { entity: 'alice', collection: 'tools', container: 'x' },
    { digest: hashOf(bytes).slice(7) },
  )
  const image = found?.image
  if (image?.blobKey == null) throw new Error('the image has no bytes')
  return { ...image, blobKey: image.blobKey }
}

/** Another instance whose verification stops before it writes a state, until `resume`. */
function stoppedVerification(options: { readonly all?: boolean }) {
  let resume = (): void => {}
  const paused = new Promise<void>((resolve) => (resume = resolve))
  let reach = (): void => {}
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const { images } = registry.metadata
  const metadata = {
    ...registry.metadata,
    images: {
      ...images,
      setState: async (...change: Parameters<typeof images.setState>) => {
        reach()
        await paused
        return images.setState(...change)
      },
    },
  }
  const done = createLibrary({
    publicUrl: 'https://reg.example',
    secret: TEST_SECRET,
    storage: registry.storage,
    metadata,
  }).verify(options)
  const end = () => {
    resume()
    return done
  }
  return { reached, resume: end }
}

/** The blob goes bad, and another instance finds it so and hides its image. */
async function spoil(blobKey: string): Promise<void> {
  const rotten = Buffer.alloc(bytes.length, 'rotten')
  await registry.storage.delete(blobKey)
  await registry.storage.put(blobKey, streamOf(rotten), { size: rotten.length, sha256: sha256(rotten) })
  expect((await registry.library.verify({ all: true })).damaged).toBe(1)
}

it('what was pushed again stays visible', async () => {
  registry = await createTestRegistry()
  await push(registry, path, bytes)
  const first = await imageNow()
  await registry.storage.delete(first.blobKey)
  const other = stoppedVerification({ all: true })
  await other.reached
  await registry.library.verify({ all: true })
  await push(registry, path, bytes)
  await other.resume()
  const now = await imageNow()
  expect(now.blobKey).not.toBe(first.blobKey)
  expect(now.state).toBe('published')
})

it('what was hidden stays hidden', async () => {
  registry = await createTestRegistry()
  await push(registry, path, bytes)
  const { id } = await imageNow()
  await registry.metadata.images.setState(id, ['published'], 'damaged', registry.now())
  const other = stoppedVerification({})
  await other.reached
  await push(registry, path, bytes)
  const { blobKey } = await imageNow()
  await spoil(blobKey)
  await other.resume()
  expect((await imageNow()).state).toBe('damaged')
})

it('what another instance hid since it was read stays hidden, and is reported so', async () => {
  registry = await createTestRegistry()
  await push(registry, path, bytes)
  const { id, blobKey } = await imageNow()
  await registry.metadata.images.setState(id, ['published'], 'unproven', registry.now())
  const other = stoppedVerification({})
  await other.reached
  await spoil(blobKey)
  expect(await other.resume()).toMatchObject({ proven: 0, damaged: 1 })
  expect((await imageNow()).state).toBe('damaged')
})

it('what another instance proved meanwhile is proven, and read once', async () => {
  registry = await createTestRegistry()
  await push(registry, path, bytes)
  const { id } = await imageNow()
  await registry.metadata.images.setState(id, ['published'], 'unproven', registry.now())
  const other = stoppedVerification({})
  await other.reached
  await registry.library.verify({})
  expect(await other.resume()).toMatchObject({ proven: 1, damaged: 0 })
})

it('an image that is deleted meanwhile is not damaged', async () => {
  const memory = memoryStorage()
  let meanwhile = async (): Promise<void> => {}
  const storage: StorageBackend = {
    ...memory,
    get: async (key, options) => {
      if (key.startsWith('blobs/')) await meanwhile()
      return memory.get(key, options)
    },
  }
  registry = await createTestRegistry({ storage })
  await push(registry, path, bytes)
  const { id, blobKey } = await imageNow()
  meanwhile = async () => {
    await registry.metadata.images.delete(id, registry.now())
    await memory.delete(blobKey)
  }
  expect(await registry.library.verify({ all: true })).toMatchObject({ damaged: 0, unreadable: 0 })
})

it('closing does not wait until a bounded rate allows the next image', async () => {
  registry = await createTestRegistry()
  await push(registry, path, bytes)
  let read = (): void => {}
  const first = new Promise<void>((resolve) => (read = resolve))
  // a pause of 46 seconds
  const verifying = registry.library.verify({ all: true, bytesPerSecond: 10, onItem: () => read() })
  await first
  await registry.library.close()
  expect((await verifying).proven).toBe(1)
}, 10_000)
