/** `limits.partBytes` under 1 MiB was silently rounded up: the size that 10,000 parts need is a multiple of 1 MiB, and it counted for small files too. */
import { expect, test } from 'vitest'
import { planParts } from '../../../src/core/uploads/part-plan.js'

const limits = { minPartSize: 1, maxPartSize: 2 ** 40, maxParts: 10_000, maxPutSize: 2 ** 40 }

test('the part size that was asked for is used where it is enough', () => {
  expect(planParts(2500, { partBytes: 1000, limits })).toEqual({ partSize: 1000, totalParts: 3 })
  expect(planParts(10_000_000, { partBytes: 1000, limits })).toEqual({ partSize: 1000, totalParts: 10_000 })
  expect(planParts(10_000_001, { partBytes: 1000, limits })).toEqual({ partSize: 2 ** 20, totalParts: 10 })
})
