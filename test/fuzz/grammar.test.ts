/** Whatever text comes as a reference, a range, a query or a JSON body: a value that keeps its promises, or a refusal; never anything else. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isLibraryError, type LibraryErrorCode } from '../../src/core/http/errors.js'
import { parseQuery } from '../../src/core/http/query.js'
import { parseRange } from '../../src/core/http/range.js'
import { checkTag, parseReference } from '../../src/core/model/references.js'
import { routes } from '../../src/core/routes.js'
import { hashOf, makeImage } from '../support/push.js'
import { createTestRegistry, type TestRegistry } from '../support/registry.js'
import { settings, timeout } from './settings.js'

/** Text near the grammar, and far from it. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abz019._-+:,/%A \0'), maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '',
    '.',
    '..',
    '__proto__',
    'constructor',
    `sha256.${'a'.repeat(64)}`,
    'sif.01234567-0123-0123-0123-0123456789ab',
    'x'.repeat(300),
    '\ud800',
    '\u202e',
  ),
)

/** The value, or the code of the refusal. Anything else that is thrown fails the test. */
function attempt<T>(work: () => T): T | { readonly refused: LibraryErrorCode } {
  try {
    return work()
  } catch (error) {
    if (!isLibraryError(error)) throw error
    expect(error.status).toBeGreaterThanOrEqual(400)
    expect(error.status).toBeLessThan(500)
    return { refused: error.code }
  }
}

test('a reference is refused, or says again what it was made of', { timeout: timeout(20_000) }, () => {
  const name = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/
  let accepted = 0
  const near = fc.string({ unit: fc.constantFrom(...'abz019'), minLength: 1, maxLength: 6 })
  const reference = fc
    .array(fc.oneof(near, text), { maxLength: 4 })
    .chain((parts) => fc.option(fc.oneof(near, text), { nil: undefined }).map((tag) => ({ parts, tag })))
  fc.assert(
    fc.property(reference, ({ parts, tag }) => {
      const segments =
        tag === undefined || parts.length === 0 ? parts : [...parts.slice(0, -1), `${parts.at(-1)}:${tag}`]
      const parsed = attempt(() => parseReference(segments, { defaultEntity: 'library', defaultCollection: 'default' }))
      if ('refused' in parsed) return
      accepted += 1
      for (const part of [parsed.entity, parsed.collection, parsed.container]) expect(part).toMatch(name)
      const { selector } = parsed
      const said =
        selector === undefined
          ? ''
          : `:${selector.kind === 'tag' ? selector.tag : selector.kind === 'hash' ? `sha256.${selector.digest}` : segments.at(-1)?.split(':')[1]}`
      const defaults = ['library', 'default'].slice(0, 3 - segments.length)
      expect(`${parsed.entity}/${parsed.collection}/${parsed.container}${said}`).toBe(
        [...defaults, ...segments].join('/'),
      )
      if (selector?.kind === 'tag') expect(checkTag('tag', selector.tag)).toBe(selector.tag)
    }),
    settings(2000),
  )
  expect(accepted).toBeGreaterThan(100)
})

test('a range lies within the blob, and is the one that was asked for', { timeout: timeout(20_000) }, () => {
  const number = fc.oneof(
    fc.nat(20).map(String),
    fc.constantFrom('', '00', '99999999999999999999', '9007199254740993', '-1', '1e1', ' 1', 'x'),
  )
  const header = fc.oneof(
    fc.tuple(number, number).map(([first, last]) => `bytes=${first}-${last}`),
    text,
    fc.string({ unit: fc.constantFrom(...'bytes=-0123456789, \t'), maxLength: 20 }),
  )
  fc.assert(
    fc.property(header, fc.nat(12), (value, size) => {
      const range = attempt(() => parseRange(value, size))
      const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(value) ?? []
      if (range === undefined || range === 'unsatisfiable' || 'refused' in range) {
        // what starts inside is never turned away
        if (first !== '' && BigInt(first) < size && (last === '' || BigInt(last) >= BigInt(first)))
          throw new Error(`${value} of ${size}: ${JSON.stringify(range)}`)
        return
      }
      expect(Number.isSafeInteger(range.start) && Number.isSafeInteger(range.end)).toBe(true)
      expect(range.start).toBeGreaterThanOrEqual(0)
      expect(range.end).toBeGreaterThanOrEqual(range.start)
      expect(range.end).toBeLessThan(size)
      if (first !== '') expect(BigInt(range.start)).toBe(BigInt(first))
    }),
    settings(3000),
  )
})

test('a query is refused, or a plain record of texts', { timeout: timeout(20_000) }, () => {
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        fc.array(fc.tuple(text, text), { maxLength: 5 }).map((pairs) => pairs.map((pair) => pair.join('=')).join('&')),
      ),
      (raw) => {
        const query = attempt(() => parseQuery(raw))
        if ('refused' in query && typeof query.refused === 'string' && !raw.includes('refused')) return
        const inherited = Object.getPrototypeOf(query)
        expect(inherited === null ? [] : [...Reflect.ownKeys(inherited), Object.getPrototypeOf(inherited)]).toEqual(
          inherited === null ? [] : [null],
        )
        for (const value of Object.values(query)) expect(typeof value).toBe('string')
      },
    ),
    settings(2000),
  )
})

let registry: TestRegistry
const ids: string[] = []
beforeAll(async () => {
  registry = await createTestRegistry({ library: { limits: { partBytes: 1000, maxImageBytes: 1e9 } } })
  const image = await makeImage(registry, { path: 'alice/c/n', hash: hashOf(Buffer.from('grammar')) })
  ids.push(image.imageId, image.containerId, image.collectionId, image.entityId, 'f'.repeat(24))
  const start = await registry.call('POST', `/v2/imagefile/${image.imageId}/_multipart`, {
    token: 'alice',
    body: { filesize: 2500 },
  })
  ids.push(start.json.data.uploadID)
})
afterAll(() => registry.close())

test('a JSON body of any shape, to every row that takes one, is an answer under 500 in its envelope', {
  timeout: timeout(60_000),
}, async () => {
  const rows = routes.filter(({ body }) => typeof body === 'object')
  const keys = [
    'name',
    'description',
    'entity',
    'collection',
    'container',
    'hash',
    'filesize',
    'sha256sum',
    'uploadID',
    'partSize',
    'partNumber',
    'completedParts',
    'token',
    'Tag',
    'ImageID',
    'Arch',
  ]
  const value = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...['alice', 'c', 'n', 'v1', 'amd64', 1, 1000, 2500, `sha256.${'a'.repeat(64)}`, 'a'.repeat(64), '', null],
      ),
    },
    { weight: 1, arbitrary: fc.nat(5).map((index) => ids[index]) },
    { weight: 1, arbitrary: fc.jsonValue() },
    { weight: 1, arbitrary: text },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.record({ partNumber: fc.oneof(fc.nat(4), fc.jsonValue()), token: fc.oneof(text, fc.jsonValue()) }),
        { maxLength: 4 },
      ),
    },
  )
  const object = fc.dictionary(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...keys) }, { weight: 1, arbitrary: text }),
    value,
    { maxKeys: 6 },
  )
  const body = fc.oneof(
    { weight: 8, arbitrary: object.map((sent) => JSON.stringify(sent)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: text },
  )
  const met = new Set<number>()
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...rows),
      fc.nat(5),
      body,
      fc.constantFrom('alice', 'mallory', undefined),
      async (row, id, sent, token) => {
        const path = row.path.replace(/\{\w+\}/, () => ids[id] ?? '')
        const answer = await registry.call(row.method, path, { body: sent, ...(token && { token }) })
        met.add(answer.status)
        expect(answer.status).toBeLessThan(500)
        if (answer.status < 400) expect(Object.keys(answer.json)).toEqual(['data'])
        else expect(answer.json).toEqual({ error: { code: answer.status, message: expect.any(String) } })
      },
    ),
    settings(1500),
  )
  expect(registry.logs.filter(({ level }) => level === 'error')).toEqual([])
  for (const status of [200, 400, 401, 403, 404]) expect([...met]).toContain(status)
})
