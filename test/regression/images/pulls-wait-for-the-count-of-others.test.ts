/** Each pull took a connection of its own to count itself, and waited for the row of the container: ten pulls of one that was locked left no connection to anybody else. */
import { afterEach, expect, it, vi } from 'vitest'
import { type CountedPulls, sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { faulty } from '../../support/faulty.js'
import { push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

it('counts are gathered and written one statement at a time; closing writes the last ones', async () => {
  const plain = sqliteMetadata({ file: ':memory:' })
  const written: number[] = []
  let atOnce = 0
  let most = 0
  let release = (): void => {}
  const locked = new Promise<void>((resolve) => (release = resolve))
  const metadata = faulty(plain, {
    pulls: {
      count: async (pulls: readonly CountedPulls[], now: number) => {
        most = Math.max(most, ++atOnce)
        await locked
        await plain.pulls.count(pulls, now)
        written.push(...pulls.map(({ count }) => count))
        atOnce -= 1
      },
    },
    close: async () => {},
  })
  registry = await createTestRegistry({ metadata })
  const names = ['alice/c/one', 'alice/c/two']
  for (const name of names) await push(registry, name, Buffer.from(name))
  const pullAll = async (times: number): Promise<void> => {
    for (let at = 0; at < times; at += 1)
      for (const name of names)
        expect((await registry.call('GET', `/v1/imagefile/${name}:latest?arch=amd64`)).status).toBe(303)
  }
  await pullAll(20)
  await vi.waitFor(() => expect(atOnce).toBe(1), { timeout: 5000 })
  await pullAll(10)
  release()
  await registry.library.close()
  expect(most).toBe(1)
  expect(written.reduce((sum, count) => sum + count, 0)).toBe(60)
  expect(written.length).toBeLessThan(20)
  expect(
    (await plain.containers.findByPath({ entity: 'alice', collection: 'c', container: 'two' }))?.downloadCount,
  ).toBe(30)
})

it('what could not be written is written with the next one', async () => {
  const plain = sqliteMetadata({ file: ':memory:' })
  let failures = 1
  const metadata = faulty(plain, {
    pulls: {
      count: async (pulls: readonly CountedPulls[], now: number) => {
        if (failures-- > 0) throw new Error('no answer')
        await plain.pulls.count(pulls, now)
      },
    },
    close: async () => {},
  })
  registry = await createTestRegistry({ metadata })
  await push(registry, 'alice/c/one', Buffer.from('one'))
  await registry.call('GET', '/v1/imagefile/alice/c/one:latest?arch=amd64')
  await vi.waitFor(() => expect(failures).toBe(0), { timeout: 5000 })
  await registry.call('GET', '/v1/imagefile/alice/c/one:latest?arch=amd64')
  await registry.library.close()
  expect(
    (await plain.containers.findByPath({ entity: 'alice', collection: 'c', container: 'one' }))?.downloadCount,
  ).toBe(2)
})
