/** Deleting an image ends its open uploads in the metadata store only; no sweep ever looked for their parts in the storage. */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, hashOf, makeImage, sendParts } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

const uploadsOf = async ({ storage }: TestRegistry): Promise<number> => {
  let count = 0
  for await (const _ of storage.multipart?.listUploads() ?? []) count += 1
  return count
}

test.each(['memory', 'filesystem'] as const)(
  'parts of an upload whose image was deleted are swept, those of an open upload stay (%s)',
  async (storage) => {
    registry = await createTestRegistry({ storage })
    const [gone, kept] = [Buffer.from('deleted while it was pushed'), Buffer.from('still pushed')]
    const { imageId } = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(gone) })
    await sendParts(registry, imageId, { bytes: gone, token: 'alice' })
    const other = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(kept) })
    const { uploadID, completedParts } = await sendParts(registry, other.imageId, { bytes: kept, token: 'alice' })
    expectStatus(await registry.call('DELETE', `/v1/images/alice/c/n:${hashOf(gone)}`, { token: 'alice' }), 200)
    // old enough for the list of the storage too, which must not count them again
    registry.advance(3_700_000)
    const planned: string[] = []
    await registry.library.sweep({
      graceSeconds: 0,
      dryRun: true,
      onItem: ({ kind, why }) => planned.push(`${kind}: ${why}`),
    })
    expect(planned).toEqual([expect.stringMatching(/^upload: it is aborted, and its parts/)])
    expect(await uploadsOf(registry)).toBe(2)
    await registry.library.sweep({ graceSeconds: 0 })
    expect(await uploadsOf(registry)).toBe(1)
    expectStatus(
      await registry.call('PUT', `/v2/imagefile/${other.imageId}/_multipart_complete`, {
        token: 'alice',
        body: { uploadID, completedParts },
      }),
      200,
    )
  },
)
