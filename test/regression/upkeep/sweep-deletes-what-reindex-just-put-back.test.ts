/** The sweep asked the store for a blob, reindex put its image back, and then no sidecar spoke of a lost image any more: the sweep took the bytes of an image that was there again. */
import { expect, it } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { faulty } from '../../support/faulty.js'
import { pull, push } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

it('an image that is put back in the middle of a sweep keeps its bytes', async () => {
  const storage = memoryStorage()
  const bytes = Buffer.from('lost and found')
  const before = await createTestRegistry({ storage })
  const { hash } = await push(before, 'alice/tools/bwa', bytes)
  await drained(before)
  await before.close()

  const plain = sqliteMetadata({ file: ':memory:' })
  let reindex: (() => Promise<unknown>) | undefined
  const metadata = faulty(plain, {
    blobs: {
      findUnknown: async (keys: readonly string[]) => {
        const answer = await plain.blobs.findUnknown(keys)
        const run = reindex
        reindex = undefined
        await run?.()
        return answer
      },
    },
  })
  const registry = await createTestRegistry({ storage, metadata })
  registry.advance(1000)
  reindex = () => registry.library.reindex()
  await registry.library.sweep({ graceSeconds: 0 })
  expect(reindex).toBeUndefined()
  expect(await pull(registry, `alice/tools/bwa:${hash}`)).toEqual(bytes)
  await registry.close()
})
