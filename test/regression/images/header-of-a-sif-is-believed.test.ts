/**
 * Facts of an image once came from a reader that believed too much and looked at too little: the arch of the header, which
 * no signature covers; objects whose `used` byte is not 1 but true for every other reader; tables that were too long to read,
 * taken for empty ones; and one of the two encrypted file systems.
 */
import { afterEach, expect, test } from 'vitest'
import { partition, sifFile, signature } from '../../fixtures/sif-file.js'
import { hashOf, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
afterEach(() => registry.close())

const path = 'alice/tools/bwa'

async function shownAfterPush(bytes: Uint8Array): Promise<object> {
  registry = await createTestRegistry()
  await push(registry, path, bytes, { tags: [] })
  return (await registry.call('GET', `/v1/images/${path}:${hashOf(bytes)}`, { token: 'alice' })).json.data
}

test('the arch is that of the primary partition, which signatures cover', async () => {
  expect(await shownAfterPush(sifFile([partition({ arch: 'amd64' })], { headerArch: 'arm64' }))).toMatchObject({
    arch: 'amd64',
  })
})

test('an object whose used byte is 2 counts, as for every reader in Go', async () => {
  const bytes = sifFile([partition({ fileSystem: 5, used: 2 }), signature(Buffer.from('any'))])
  expect(await shownAfterPush(bytes)).toMatchObject({ encrypted: true, signed: true })
})

test('of a table that is too long to be read nothing is said', async () => {
  const shown = await shownAfterPush(sifFile([partition({ fileSystem: 5 })], { slots: 5000 }))
  expect(shown).not.toHaveProperty('encrypted')
  expect(shown).not.toHaveProperty('signed')
})

test('a long table that can be read is read', async () => {
  const bytes = sifFile([partition({ fileSystem: 5 })], { slots: 2000 })
  expect(await shownAfterPush(bytes)).toMatchObject({ encrypted: true, signed: false })
})

test('gocryptfs of Apptainer is an encrypted file system', async () => {
  expect(await shownAfterPush(sifFile([partition({ fileSystem: 6 })]))).toMatchObject({ encrypted: true })
})
