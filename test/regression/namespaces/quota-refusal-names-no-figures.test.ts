/** A push over the quota was refused with a raw number of bytes: whose quota, how large it is and how full, nobody could read. */
import { afterEach, expect, it } from 'vitest'
import { makeContainer, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

it('says entity, limit, used, held and wanted in units', async () => {
  registry = await createTestRegistry({ library: { limits: { maxEntityBytes: 5000 } } })
  await push(registry, 'alice/tools/first', Buffer.alloc(3000, 1))
  const { containerId } = await makeContainer(registry, 'alice/tools/second', 'alice')
  const start = async (digit: string, filesize: number) => {
    const body = { hash: `sha256.${digit.repeat(64)}`, container: containerId }
    const { id } = (await registry.call('POST', '/v1/images', { token: 'alice', body })).json.data
    return registry.call('POST', `/v2/imagefile/${id}`, { token: 'alice', body: { filesize } })
  }
  expect((await start('a', 1500)).status).toBe(200)
  const refused = await start('b', 2_000_000)
  expect([refused.status, refused.json.error.message]).toEqual([
    403,
    'alice has no room for 1.9 MiB: its quota is 4.9 KiB, with 2.9 KiB used and 1.5 KiB held by uploads under way',
  ])
})

it('also where bytes are shared, and with the entity’s own quota', async () => {
  registry = await createTestRegistry()
  const bytes = Buffer.alloc(3000, 1)
  await push(registry, 'alice/tools/first', bytes)
  await push(registry, 'bob/tools/other', Buffer.from('x'))
  const bob = await registry.metadata.entities.findByName('bob')
  await registry.metadata.entities.update(bob?.id ?? '', { quotaBytes: 2048, now: 1 })
  await expect(push(registry, 'bob/tools/copy', bytes)).rejects.toThrow(
    /403.*bob has no room for 2\.9 KiB: its quota is 2\.0 KiB, with 1 B used"/,
  )
})
