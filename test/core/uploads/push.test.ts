/** The whole way of a push and a pull, over both storage backends and all three upload APIs. */
import { afterEach, describe, expect, it } from 'vitest'
import { makeSif } from '../../fixtures/sif.js'
import { pull, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

describe.each(['memory', 'filesystem'] as const)('push and pull over %s', (storage) => {
  let registry: TestRegistry
  afterEach(() => registry.close())

  it.each(['single', 'multipart', 'v1'] as const)('by the %s upload', async (via) => {
    registry = await createTestRegistry({ storage, library: { limits: { partBytes: 65_536 } } })
    const bytes = makeSif({ arch: 'arm64' })
    const pushed = await push(registry, 'alice/tools/bwa', bytes, { via, arch: 'arm64', tags: ['1.0', 'latest'] })
    expect((await pull(registry, 'alice/tools/bwa:1.0', { arch: 'arm64' })).equals(bytes)).toBe(true)
    expect((await pull(registry, `alice/tools/bwa:${pushed.hash}`)).equals(bytes)).toBe(true)
    const image = (await registry.call('GET', '/v1/images/alice/tools/bwa:latest?arch=arm64')).json.data
    expect(image).toMatchObject({
      id: pushed.imageId,
      hash: pushed.hash,
      size: bytes.length,
      uploaded: true,
      arch: 'arm64',
      signed: false,
    })
  })
})
