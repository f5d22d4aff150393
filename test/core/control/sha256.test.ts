/** Our own SHA-256 is the one of Node, however the input is cut. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSha256 } from '../../../src/client/sha256.js'

test('is that of Node, however the input is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (pieces) => {
      const own = createSha256()
      const node = createHash('sha256')
      for (const piece of pieces) {
        own.update(piece)
        node.update(piece)
      }
      expect(own.digest()).toBe(node.digest('hex'))
    }),
    { numRuns: 500 },
  )
})

test('counts the bits of the last block right at its edges', () => {
  for (const length of [0, 55, 56, 63, 64, 65, 119, 120, 128]) {
    const bytes = new Uint8Array(length).fill(7)
    const own = createSha256()
    own.update(bytes)
    expect(own.digest()).toBe(createHash('sha256').update(bytes).digest('hex'))
  }
})
