import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readSifFacts, type SifFacts } from '../../../src/core/images/sif-header.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { makeSif, SIF_ARCHES, SIF_LAYOUT } from '../../fixtures/sif.js'
import { sha256 } from '../../support/push.js'
import { streamOf } from '../../support/registry.js'

/** Counts the bytes that are read, so that a hostile header cannot make us read the file. */
async function read(bytes: Uint8Array): Promise<{ facts: SifFacts | undefined; bytesRead: number }> {
  const memory = memoryStorage()
  await memory.put('blob', streamOf(bytes), { size: bytes.length, sha256: sha256(bytes) })
  let bytesRead = 0
  const storage: StorageBackend = {
    ...memory,
    get: async (key, options) => {
      const content = await memory.get(key, options)
      bytesRead += content.length
      return content
    },
  }
  return { facts: await readSifFacts(storage, { key: 'blob', size: bytes.length }), bytesRead }
}

const nothing = { signed: false, encrypted: false, fingerprints: [] }
const fingerprint = '0123456789ABCDEF0123456789ABCDEF01234567'
const { header, descriptor, descriptorSize } = SIF_LAYOUT
const tableAt = 4096
const maxTableBytes = 1024 * descriptorSize

describe('what a SIF says of itself', () => {
  it.each(Object.keys(SIF_ARCHES))('arch %s', async (arch) => {
    expect((await read(makeSif({ arch }))).facts).toEqual({ arch: arch === 'unknown' ? null : arch, ...nothing })
  })

  it('no partition: no arch', async () => {
    expect((await read(makeSif({ partition: false }))).facts).toEqual({ arch: null, ...nothing })
  })

  it('an encrypted file system', async () => {
    expect((await read(makeSif({ encrypted: true }))).facts).toEqual({ arch: 'amd64', ...nothing, encrypted: true })
    const raw = makeSif()
    raw.writeInt32LE(4, tableAt + descriptor.extra)
    expect((await read(raw)).facts?.encrypted, 'file system 4 is a raw one').toBe(false)
  })

  it('signatures, each key once', async () => {
    const other = 'ff'.repeat(20)
    const facts = (await read(makeSif({ fingerprints: [fingerprint, other, fingerprint] }))).facts
    expect(facts).toEqual({
      arch: 'amd64',
      signed: true,
      encrypted: false,
      fingerprints: [fingerprint, other.toUpperCase()],
    })
  })

  it('a signature without a fingerprint (X.509, DSSE) still counts', async () => {
    expect((await read(makeSif({ fingerprints: ['0'.repeat(40)] }))).facts).toMatchObject({
      signed: true,
      fingerprints: [],
    })
  })

  it('a deleted descriptor says nothing', async () => {
    const bytes = makeSif({ fingerprints: [fingerprint] })
    bytes[tableAt + descriptorSize + descriptor.used] = 0
    expect((await read(bytes)).facts).toMatchObject({ signed: false, fingerprints: [] })
  })

  it('descriptors that lie somewhere else are found', async () => {
    const bytes = makeSif({ fingerprints: [fingerprint], size: 200_000 })
    const table = Buffer.from(bytes.subarray(tableAt, tableAt + 48 * descriptorSize))
    bytes.fill(0, tableAt, tableAt + table.length)
    bytes.set(table, 150_000)
    bytes.writeBigInt64LE(150_000n, header.descriptorsOffset)
    expect((await read(bytes)).facts).toMatchObject({ signed: true, fingerprints: [fingerprint] })
  })
})

describe('bytes that are no SIF', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['127 bytes', makeSif().subarray(0, 127)],
    ['text', Buffer.from('x'.repeat(1000))],
    ['a magic in the wrong place', Buffer.concat([Buffer.from('SIF_MAGIC\0'), Buffer.alloc(1000)])],
    ['a magic without its end', Buffer.from(makeSif()).fill('X', 41, 42)],
  ])('%s', async (_, bytes) => {
    expect((await read(bytes)).facts).toBeUndefined()
  })
})

describe('hostile headers', () => {
  const numbers = [-1n, 0n, 1n, 127n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)]

  it.each(numbers)('%s descriptors', async (count) => {
    const bytes = makeSif({ fingerprints: [fingerprint] })
    bytes.writeBigInt64LE(count, header.total)
    const { facts, bytesRead } = await read(bytes)
    expect(facts?.arch).toBe('amd64')
    expect(bytesRead).toBeLessThanOrEqual(128 + maxTableBytes)
  })

  it.each([...numbers, 100_000n, 99_999n, 99_500n])('a table at %s', async (offset) => {
    const bytes = makeSif({ fingerprints: [fingerprint] })
    bytes.writeBigInt64LE(offset, header.descriptorsOffset)
    const { facts, bytesRead } = await read(bytes)
    expect(facts?.arch).toBe('amd64')
    expect(bytesRead).toBeLessThanOrEqual(128 + maxTableBytes)
  })

  it('a file of nothing but a header', async () => {
    expect((await read(makeSif().subarray(0, 128))).facts).toEqual({ arch: 'amd64', ...nothing })
  })

  it('a table that is cut off in the middle of a descriptor', async () => {
    const bytes = makeSif({ fingerprints: [fingerprint] }).subarray(0, tableAt + descriptorSize + 300)
    expect((await read(bytes)).facts).toEqual({ arch: 'amd64', ...nothing })
  })

  it('an arch of two digits that nobody knows', async () => {
    for (const code of ['99', '__', '\0\0', '-1']) {
      const bytes = makeSif()
      bytes.write(code, header.arch, 'latin1')
      expect((await read(bytes)).facts?.arch).toBeNull()
    }
  })

  it('random bytes behind the magic never throw', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 100, maxLength: 3000 }), async (noise) => {
        const bytes = Buffer.concat([makeSif().subarray(0, 88), noise])
        expect((await read(bytes)).facts?.arch).toBe('amd64')
      }),
      { numRuns: 300 },
    )
  })
})
