/** Whatever is sent to a row of the API: a refusal or an answer, never a fault of the server, and never without an envelope. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { libraryApi } from '../../src/extensions/api/index.js'
import { bytesOf, type ControlWorld, createControlWorld } from '../core/control/support.js'
import { sha256 } from '../support/push.js'
import { settings, timeout } from './settings.js'

let world: ControlWorld
beforeAll(async () => {
  world = await createControlWorld()
  await world.push('alice/tools/bwa', 'fuzz', ['1.0', 'latest'])
})
afterAll(() => world.close())

const { routes = [] } = libraryApi().setup({} as never)
const digest = sha256(bytesOf('fuzz'))

/** Text near what rows take, and far from it. */
const text = fc.oneof(
  fc.constantFrom(
    'alice',
    'tools',
    'bwa',
    'latest',
    '1.0',
    digest,
    `sha256:${digest}`,
    'amd64',
    'pull',
    'alice/tools/bwa',
  ),
  fc.constantFrom('', '.', '..', '__proto__', 'constructor', '*', '-1', '0', '1e9', 'true', 'null', '2026-02-30', '\0'),
  fc.constantFrom('x'.repeat(300), '\ud800', '\u202e', 'f'.repeat(24), '2026-01-31T12:00:00Z', 'name', '-updatedAt'),
  fc.string({ unit: 'binary', maxLength: 12 }),
)
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 2 ** 53, [], {}, [null]),
  fc.array(text, { maxLength: 3 }),
  fc.record({ number: fc.nat(3), sha256: fc.constant(digest) }).map((part) => [part]),
)
const names = [
  ...['path', 'name', 'description', 'private', 'defaultPrivate', 'quotaBytes', 'digest', 'size', 'tags', 'arch'],
  ...['parts', 'transfer', 'user', 'label', 'scopes', 'expiresAt', 'reason', 'token', 'code', '__proto__', 'other'],
]
const query = [
  ...['limit', 'cursor', 'q', 'sort', 'with', 'entity', 'collection', 'arch', 'signed', 'mine', 'private', 'untagged'],
  ...['tag', 'under', 'top', 'from', 'to', 'step', 'actor', 'action', 'system', 'container', 'preview', 'recursive'],
  ...['redirect', 'user', 'other'],
]

const well = (each: string): string => encodeURIComponent(each.toWellFormed())

const call = fc.record({
  row: fc.constantFrom(...routes),
  segments: fc.array(text, { minLength: 5, maxLength: 5 }),
  near: fc.boolean(),
  query: fc.dictionary(fc.constantFrom(...query), text, { maxKeys: 3 }),
  body: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 }),
  token: fc.constantFrom(undefined, 'alice', 'bob', 'admin'),
  condition: fc.option(fc.tuple(fc.constantFrom('if-match', 'if-none-match'), text), { nil: undefined }),
})

test('no request makes the server fail', { timeout: timeout(60_000) }, async () => {
  const statuses = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(call, async ({ row, segments, near, query: parameters, body, token, condition }) => {
      const known: Readonly<Record<string, string>> = {
        ...{ entity: 'alice', collection: 'tools', container: 'bwa', tag: 'latest', digest, id: 'f'.repeat(24) },
      }
      let at = 0
      const path = row.path.replace(/\{(\w+)\}/g, (_, name: string) => {
        const segment = near ? (known[name] ?? '') : (segments[at] ?? '')
        at += 1
        return well(segment) || 'x'
      })
      const text = Object.entries(parameters).map(([key, each]) => `${key}=${well(each)}`)
      const answer = await world
        .call(row.method, `${path}${text.length === 0 ? '' : `?${text.join('&')}`}`, {
          ...(token !== undefined && { token }),
          ...(row.body !== 'none' && { body }),
          ...(condition !== undefined && { headers: { [condition[0]]: condition[1] } }),
        })
        // a segment such as `..` makes it another path, which is the host's
        .catch((error: Error) => {
          if (!/not its own/.test(error.message)) throw error
          return undefined
        })
      if (answer === undefined) return
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      expect([row.name, path, answer.status < 500, answer.text.slice(0, 300)]).toEqual([
        row.name,
        path,
        true,
        answer.text.slice(0, 300),
      ])
      if (answer.status >= 400 && row.method !== 'DELETE' && answer.text !== '')
        expect(answer.json.error).toMatchObject({ code: answer.status, message: expect.any(String) })
    }),
    settings(1500),
  )
  // not all of it was refused at the door
  expect(statuses.get(200) ?? 0).toBeGreaterThan(50)
  expect(statuses.get(400) ?? 0).toBeGreaterThan(50)
})
