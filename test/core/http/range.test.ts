import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRange } from '../../../src/core/http/range.js'

describe('parseRange', () => {
  it.each([
    [undefined, undefined],
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=0-99', { start: 0, end: 99 }],
    ['bytes=0-100', { start: 0, end: 99 }],
    ['bytes=10-', { start: 10, end: 99 }],
    ['bytes=99-99', { start: 99, end: 99 }],
    ['bytes=-1', { start: 99, end: 99 }],
    ['bytes=-1000', { start: 0, end: 99 }],
    [`bytes=-${'9'.repeat(400)}`, { start: 0, end: 99 }],
    ['BYTES=1-2', { start: 1, end: 2 }],
    [' bytes= 1-2 ', { start: 1, end: 2 }],
    ['bytes=100-', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-4', undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=a-b', undefined],
    ['bytes=--1', undefined],
    ['bytes=+1-2', undefined],
    ['bytes=1.5-2', undefined],
    ['items=0-1', undefined],
    ['', undefined],
  ])('%s of 100 bytes', (header, expected) => {
    expect(parseRange(header, 100)).toEqual(expected)
  })

  it('has nothing to give of an empty blob', () => {
    for (const header of ['bytes=0-0', 'bytes=0-', 'bytes=-5']) expect(parseRange(header, 0)).toBe('unsatisfiable')
  })

  it('stays inside the blob', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'bytes=0123456789-, ') }),
        fc.nat({ max: 1000 }),
        (header, size) => {
          const range = parseRange(header, size)
          if (typeof range !== 'object') return
          expect(range.start).toBeGreaterThanOrEqual(0)
          expect(range.end).toBeGreaterThanOrEqual(range.start)
          expect(range.end).toBeLessThan(size)
        },
      ),
    )
  })
})
