import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseQuery } from '../../../src/core/http/query.js'

describe('parseQuery', () => {
  it.each([
    ['', {}],
    ['arch=amd64', { arch: 'amd64' }],
    ['arch=amd64%2Carm64&signed=true&value=a%2Fb', { arch: 'amd64,arm64', signed: 'true', value: 'a/b' }],
    ['value=a+b%20c', { value: 'a b c' }],
    ['arch=', { arch: '' }],
    ['arch', { arch: '' }],
    ['&&arch=x&', { arch: 'x' }],
    ['arch=first&arch=second', { arch: 'first' }],
    ['value=a=b', { value: 'a=b' }],
  ])('%s', (raw, expected) => {
    expect({ ...parseQuery(raw) }).toEqual(expected)
  })

  it('takes the whole pair as a key, as CLI 3.6.0-3.7.1 delete with (Q of protocol 5.6)', () => {
    expect(parseQuery('arch%3Damd64').arch).toBe('amd64')
    expect(parseQuery('value%3D=x')['value=']).toBe('x')
  })

  it('refuses broken escapes with 400', () => {
    for (const raw of ['arch=%', 'arch=%zz', '%ff=1', 'x=%c0%80'])
      expect(() => parseQuery(raw)).toThrow(expect.objectContaining({ status: 400 }))
  })

  it('holds nothing but what was sent', () => {
    const query = parseQuery('__proto__=x&constructor=y')
    expect(query.toString).toBeUndefined()
    expect(({} as Record<string, unknown>).x).toBeUndefined()
    expect(query.constructor).toBe('y')
  })

  it('reads back what URLSearchParams writes', () => {
    const keys = fc.string({ minLength: 1 }).filter((key) => !key.includes('='))
    fc.assert(
      fc.property(fc.dictionary(keys, fc.string()), (values) => {
        expect({ ...parseQuery(new URLSearchParams(Object.entries(values)).toString()) }).toEqual({ ...values })
      }),
    )
  })
})
