/** A delete by tag authorized one image, asked `beforeDelete` about it, and then removed whatever image the tag pointed at by then, with its bytes. */
import { afterEach, expect, test } from 'vitest'
import { expectStatus, hashOf, pull, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

const path = 'alice/tools/bwa'
const token = 'alice'
const [old, young] = [Buffer.from('the old image'), Buffer.from('the young image')]

test('a tag that moves between the look and the delete stays where it went', async () => {
  let during: (() => Promise<unknown>) | undefined
  const asked: string[] = []
  registry = await createTestRegistry({
    library: {
      hooks: {
        beforeDelete: async ({ image }) => {
          asked.push(image.digest)
          const run = during
          during = undefined
          await run?.()
        },
      },
    },
  })
  await push(registry, path, old)
  const remove = () => registry.call('DELETE', `/v1/images/${path}:latest?arch=amd64`, { token })
  during = () => push(registry, path, young)
  const refused = expectStatus(await remove(), 409)
  expect(refused.json.error).toEqual({
    code: 409,
    message: expect.stringContaining('latest was moved to another image'),
  })
  expect(await pull(registry, `${path}:latest`)).toEqual(young)
  expect(await pull(registry, `${path}:${hashOf(old)}`)).toEqual(old)
  expect(registry.events.filter(({ name }) => name === 'image.deleted')).toEqual([])

  // the same delete by somebody else: there is nothing left to delete
  during = async () => expectStatus(await remove(), 200)
  expectStatus(await remove(), 404)
  expect(asked).toEqual([old, young, young].map((bytes) => hashOf(bytes).slice('sha256.'.length)))
  expectStatus(await registry.call('GET', `/v1/images/${path}:${hashOf(young)}`, { token }), 404)
  expect(await pull(registry, `${path}:${hashOf(old)}`)).toEqual(old)
})
