/** What a web page of another site can have a browser write here: nothing, by any row of the table, whatever the browser sends along. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { dataResponse, defineRoute, type LibraryExtension } from '../../src/core/extension.js'
import { allowAll } from '../../src/core/index.js'
import type { RouteRow } from '../../src/core/route.js'
import { routes } from '../../src/core/routes.js'
import { createTestRegistry, type TestRegistry } from '../support/registry.js'

const ran: string[] = []
const note = (name: string) => () => {
  ran.push(name)
  return dataResponse(name)
}
const extensionRow = (method: RouteRow['method'], access: 'public' | 'filtered', root?: true) =>
  defineRoute({
    ...{ name: `notes.${method.toLowerCase()}${access}`, method, path: `/notes/${access}`, summary: 'A note' },
    ...{ access, body: { schema: z.object({}) }, success: { status: 200, schema: z.string() } },
    ...(root && { root }),
    handler: note(`notes ${method} ${access}`),
  })
const notes: LibraryExtension = {
  name: 'notes',
  setup: () => ({
    routes: (['POST', 'PUT', 'PATCH', 'DELETE'] as const).flatMap((method) => [
      extensionRow(method, 'public', true),
      extensionRow(method, 'filtered'),
    ]),
    // the cookie of a signed-in user
    authenticate: () => {
      ran.push('authenticate')
      return { id: 'alice', name: 'alice', admin: true }
    },
  }),
}

/** Rows that change something, with a path that their pattern matches. */
const unsafe = [...routes, ...(notes.setup({} as never).routes ?? [])]
  .filter(({ method }) => method !== 'GET')
  .map((row) => ({ ...row, at: row.path.replaceAll(/\{\w+(\.\.\.)?\}/g, 'f'.repeat(24)) }))

let registry: TestRegistry
beforeAll(async () => {
  const auth = allowAll()
  registry = await createTestRegistry({
    library: {
      extensions: [notes],
      auth: {
        ...auth,
        authenticate: (request) => {
          ran.push('authenticate')
          return auth.authenticate(request)
        },
      },
    },
  })
})
afterAll(() => registry.close())
beforeEach(() => {
  ran.splice(0)
})

const foreign: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'another site': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  'a neighbour below one domain': { 'sec-fetch-site': 'same-site', origin: 'https://wiki.example' },
  'another site, without an origin': { 'sec-fetch-site': 'cross-site' },
  'another site that claims to be this one by its origin': {
    'sec-fetch-site': 'cross-site',
    origin: 'https://reg.example',
  },
  'a browser that says something new': { 'sec-fetch-site': 'same-everything' },
  'an origin alone, as on plain http': { origin: 'https://evil.example' },
  'an origin that begins like this one': { origin: 'https://reg.example.evil.example' },
  'the same host on another port': { origin: 'https://reg.example:8443' },
  'the same host without TLS': { origin: 'http://reg.example' },
  'a page without an origin, such as a frame in a sandbox': { origin: 'null' },
  'Basic credentials, which a browser sends by itself': {
    origin: 'https://evil.example',
    authorization: 'Basic YWxpY2U6c2VjcmV0',
  },
  'a bearer scheme without a token': { 'sec-fetch-site': 'cross-site', authorization: 'Bearer' },
}

async function send(row: (typeof unsafe)[number], headers: Readonly<Record<string, string | readonly string[]>>) {
  let read = 0
  const stream = (async function* () {
    read += 1
    yield Buffer.from('{}')
  })()
  const answer = await registry.call(row.method, row.at, { headers, request: { body: { kind: 'stream', stream } } })
  return { answer, read }
}

describe.each(Object.entries(foreign))('a write of %s', (_, headers) => {
  test.each(unsafe)('is refused: $name', async (row) => {
    const { answer, read } = await send(row, headers)
    expect(answer.status).toBe(403)
    expect(answer.json.error.message).toContain('another site')
    // nobody was asked, nothing was read, nothing ran
    expect([ran, read]).toEqual([[], 0])
    expect(registry.events.at(-1)).toMatchObject({ name: 'request.failed', event: { code: 'cross-site' } })
  })
})

const own: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a command line, which says nothing': {},
  'the own page': { 'sec-fetch-site': 'same-origin', origin: 'https://reg.example' },
  'the own page behind a proxy that changes the name': {
    'sec-fetch-site': 'same-origin',
    origin: 'http://inside:8080',
  },
  'the user themselves': { 'sec-fetch-site': 'none' },
  'the own page on plain http, or in an old browser': { origin: 'https://reg.example' },
  'a script with a token': {
    'sec-fetch-site': 'cross-site',
    origin: 'https://portal.example',
    authorization: `Bearer ${'x'.repeat(204)}`,
  },
}

describe.each(Object.entries(own))('a write of %s', (_, headers) => {
  test.each(unsafe)('goes on to $name', async (row) => {
    const { answer } = await send(row, headers)
    expect(answer.text).not.toContain('another site')
  })
})

test('a header that came twice allows nothing', async () => {
  const row = unsafe[0] as (typeof unsafe)[number]
  expect((await send(row, { 'sec-fetch-site': ['same-origin', 'cross-site'] })).answer.status).toBe(403)
  expect((await send(row, { origin: ['https://reg.example', 'https://evil.example'] })).answer.status).toBe(403)
})

test('what only reads is answered to a page of any site as it is to everybody', async () => {
  const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
  for (const method of ['GET', 'HEAD']) expect((await registry.call(method, '/version', { headers })).status).toBe(200)
})

test('the rows of the root are guarded too', async () => {
  const headers = { origin: 'https://evil.example' }
  const answer = await registry.call('POST', '/notes/public', { headers, request: { root: true } })
  expect([answer.status, ran]).toEqual([403, []])
})

test('a public URL that depends on the request is the one of this request', async () => {
  const many = await createTestRegistry({
    library: { publicUrl: ({ headers }) => `https://${String(headers.host)}/library`, auth: allowAll() },
  })
  try {
    const send = (host: string) =>
      many.call('POST', '/v1/entities', {
        headers: { host, origin: 'https://one.example' },
        body: { name: 'lab' },
      })
    expect((await send('one.example')).status).toBe(201)
    expect((await send('two.example')).status).toBe(403)
  } finally {
    await many.close()
  }
})
