import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkArch,
  checkName,
  checkTag,
  digestFromHash,
  hashFromDigest,
  isId,
  parseReference,
  parseSelector,
} from '../../../src/core/model/references.js'

const defaults = { defaultEntity: 'library', defaultCollection: 'default' }
const digest = 'ab'.repeat(32)
const invalidName = expect.objectContaining({ name: 'LibraryError', code: 'invalid-name', status: 400 })

/** Names of the grammar of protocol 2.1, built from it and not from our pattern. */
const word = fc.string({
  unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789'),
  minLength: 1,
  maxLength: 12,
})
const names = fc
  .tuple(word, fc.array(fc.tuple(fc.constantFrom('.', '_', '-'), word), { maxLength: 4 }))
  .map(([first, rest]) => first + rest.map(([separator, part]) => separator + part).join(''))
const tags = fc
  .tuple(fc.constantFrom(...'azAZ09_'), fc.string({ unit: fc.constantFrom(...'abzABZ019._+-'), maxLength: 127 }))
  .map(([first, rest]) => first + rest)
  .filter((tag) => !/^(sha256|sif)\./.test(tag))

describe('names', () => {
  it('takes every name of the grammar', () => {
    fc.assert(fc.property(names, (name) => checkName('name', name) === name))
  })

  it.each([
    '',
    '.',
    '..',
    '-a',
    'a-',
    'a--b',
    'a._b',
    'A',
    'aB',
    'a b',
    'a/b',
    'a:b',
    'ä',
    'a\n',
    '\0',
    'a\u2028',
    'a%2f',
    '__proto__',
    'a'.repeat(256),
  ])('refuses %j', (name) => {
    expect(() => checkName('name', name)).toThrow(invalidName)
  })

  it('agrees with the grammar on any text', () => {
    const grammar = (text: string): boolean => {
      const parts = text.split(/[._-]/)
      return (
        text.length <= 255 &&
        parts.every(
          (part) =>
            part !== '' && [...part].every((char) => (char >= 'a' && char <= 'z') || (char >= '0' && char <= '9')),
        )
      )
    }
    const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'ab0._-A/: \n') }))
    fc.assert(
      fc.property(texts, (text) => {
        let taken = true
        try {
          checkName('name', text)
        } catch {
          taken = false
        }
        return taken === grammar(text)
      }),
      { numRuns: 2000 },
    )
  })

  it('takes 255 characters, answers in linear time to hostile ones, and does not repeat them whole', () => {
    expect(checkName('name', 'a'.repeat(255))).toHaveLength(255)
    const hostile = `${'a-'.repeat(500_000)}!`
    const startedAt = performance.now()
    expect(() => checkName('name', hostile)).toThrow(invalidName)
    expect(performance.now() - startedAt).toBeLessThan(200)
    try {
      checkName('name', hostile)
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(400)
    }
  })
})

describe('tags', () => {
  it('takes letters, digits and . _ + -', () => {
    fc.assert(fc.property(tags, (tag) => checkTag('tag', tag) === tag))
  })

  it.each([
    '',
    '.x',
    '-x',
    '+x',
    'a,b',
    'a/b',
    'a:b',
    'a b',
    'a\n',
    'ä',
    'x'.repeat(129),
    `sha256.${digest}`,
    'sif.01234567-89ab-cdef-0123-456789abcdef',
  ])('refuses %j', (tag) => {
    expect(() => checkTag('tag', tag)).toThrow(invalidName)
  })

  it('takes what only begins like a hash', () => {
    expect(checkTag('tag', 'sha256.abc')).toBe('sha256.abc')
    expect(checkTag('tag', `sha256.${digest.toUpperCase()}`)).toHaveLength(71)
  })
})

describe('hashes, ids and archs', () => {
  it('converts there and back', () => {
    const digests = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })
    fc.assert(fc.property(digests, (hex) => digestFromHash('hash', hashFromDigest(hex)) === hex))
  })

  it.each([
    '',
    digest,
    `sha256:${digest}`,
    `sha256.${digest.toUpperCase()}`,
    `sha256.${digest}0`,
    `sha256.${digest}\n`,
    `SHA256.${digest}`,
    'sif.01234567-89ab-cdef-0123-456789abcdef',
  ])('refuses the hash %j', (hash) => {
    expect(() => digestFromHash('hash', hash)).toThrow(invalidName)
  })

  it('knows ids of 24 lower-case hex digits only', () => {
    expect(isId('65f0c0de0000000000000001')).toBe(true)
    for (const id of [
      '',
      '65f0c0de000000000000000',
      '65F0C0DE0000000000000001',
      '65f0c0de00000000000000011',
      '65f0c0de0000000000000001\n',
      '__proto__',
    ])
      expect(isId(id)).toBe(false)
  })

  it('takes Go names of archs, and nothing that is no word', () => {
    for (const arch of ['amd64', '386', 'arm64', 'ppc64le', 's390x', 'riscv64', 'loong64'])
      expect(checkArch('arch', arch)).toBe(arch)
    for (const arch of ['', 'AMD64', 'amd64,arm64', 'a b', '../x', 'x'.repeat(33), 'amd64\n'])
      expect(() => checkArch('arch', arch)).toThrow(invalidName)
  })
})

describe('references', () => {
  it('splits entity/collection/container:tag', () => {
    fc.assert(
      fc.property(names, names, names, tags, (entity, collection, container, tag) => {
        expect(parseReference([entity, collection, `${container}:${tag}`], defaults)).toEqual({
          entity,
          collection,
          container,
          selector: { kind: 'tag', tag },
        })
      }),
    )
  })

  it.each([
    [['alpine'], 'library/default/alpine', undefined],
    [['alpine:latest'], 'library/default/alpine', { kind: 'tag', tag: 'latest' }],
    [['coll', 'name:1'], 'library/coll/name', { kind: 'tag', tag: '1' }],
    [['e', 'c', 'n'], 'e/c/n', undefined],
    [['e', 'c', `n:sha256.${digest}`], 'e/c/n', { kind: 'hash', digest }],
    [['e', 'c', 'n:sif.01234567-89ab-cdef-0123-456789abcdef'], 'e/c/n', { kind: 'uuid' }],
  ])('fills in %j', (segments, path, selector) => {
    const { entity, collection, container, selector: found } = parseReference(segments, defaults)
    expect([`${entity}/${collection}/${container}`, found]).toEqual([path, selector])
  })

  it.each([
    [[]],
    [['a', 'b', 'c', 'd']],
    [['..', '..', 'etc']],
    [['a/b', 'c', 'd']],
    [['a', 'b', 'c:']],
    [['a', 'b', 'c:x:y']],
    [['a:x', 'b', 'c']],
    [['a', 'b', ':latest']],
    [['', 'b', 'c']],
  ])('refuses %j', (segments) => {
    expect(() => parseReference(segments, defaults)).toThrow(invalidName)
  })

  it('never throws anything else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'.aA_-:/\0é\ud800\n') })), {
          maxLength: 4,
        }),
        (segments) => {
          try {
            parseReference(segments, defaults)
          } catch (error) {
            expect(error).toEqual(invalidName)
          }
        },
      ),
    )
  })

  it('sees a selector that is no tag as an error, not as a name', () => {
    expect(() => parseSelector('..')).toThrow(invalidName)
  })
})
