import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planParts } from '../../../src/core/uploads/part-plan.js'

const MiB = 1024 ** 2
const GiB = 1024 ** 3
const TiB = 1024 ** 4
const s3 = { minPartSize: 5 * MiB, maxPartSize: 5 * GiB, maxParts: 10_000, maxPutSize: 5 * GiB }
const plan = (size: number, partBytes = 64 * MiB) => planParts(size, { partBytes, limits: s3 })

describe('planParts', () => {
  it.each([
    [1, 64 * MiB, 1],
    [64 * MiB, 64 * MiB, 1],
    [64 * MiB + 1, 64 * MiB, 2],
    [70_000_000, 64 * MiB, 2],
    [128 * MiB, 64 * MiB, 2],
    [128 * MiB + 1, 64 * MiB, 3],
    [10_000 * 64 * MiB, 64 * MiB, 10_000],
    [10_000 * 64 * MiB + 1, 65 * MiB, 9847],
    [5 * TiB, 525 * MiB, 9987],
  ])('%i bytes', (size, partSize, totalParts) => {
    expect(plan(size)).toEqual({ partSize, totalParts })
  })

  it('is the exact ceiling up to 5 TiB, within what the storage takes', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, BigInt(5 * TiB)), fc.integer({ min: 1, max: 6 * GiB }), (wide, partBytes) => {
        const size = Number(wide)
        const { partSize, totalParts } = plan(size, partBytes)
        expect(partSize).toBeGreaterThanOrEqual(s3.minPartSize)
        expect(partSize).toBeLessThanOrEqual(s3.maxPartSize)
        expect(totalParts).toBeLessThanOrEqual(s3.maxParts)
        // exact, in integers: no part is empty and no byte is left over
        expect(BigInt(totalParts)).toBe((wide + BigInt(partSize) - 1n) / BigInt(partSize))
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses what does not fit in the parts of the storage', () => {
    const small = { ...s3, maxPartSize: 5 * MiB, maxParts: 2 }
    expect(planParts(10 * MiB, { partBytes: 64 * MiB, limits: small })).toEqual({ partSize: 5 * MiB, totalParts: 2 })
    expect(() => planParts(10 * MiB + 1, { partBytes: 64 * MiB, limits: small })).toThrow(
      expect.objectContaining({ status: 413 }),
    )
  })
})
