/** The two short ones: a push and a pull through each. */
import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import type { FastifyInstance } from 'fastify'
import type { Hono } from 'hono'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listen } from '../adapters/host.js'
import { ask, pull, push } from '../adapters/push.js'
import { makeSif } from '../fixtures/sif.js'
import type { Example } from './example.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sif-library-example-'))
})
afterEach(() => rm(directory, { recursive: true }))

const publicUrl = ({ headers }: { headers: Record<string, unknown> }): string =>
  `http://${String(headers.host)}/library`
const load = <T>(name: string): Promise<T> => import(`../../examples/${name}/app.mjs`) as Promise<T>
const bytes = makeSif()

test('Fastify', async () => {
  const { buildApp } = await load<{ buildApp(options: object): Promise<Example & { app: FastifyInstance }> }>('fastify')
  const { app, library } = await buildApp({ publicUrl, directory, logger: false })
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  await library.accounts.addUser({ name: 'alice' })
  const { token } = await library.accounts.createToken({ user: 'alice' })
  const alice = { url: `${origin}/library`, token }
  await push(alice, { path: 'alice/tools/bwa', bytes })
  expect((await pull({ url: alice.url }, 'alice/tools/bwa:latest')).equals(bytes)).toBe(true)
  expect((await fetch(origin)).status).toBe(200)
  await app.close()
  expect(
    (await library.handle({ method: 'GET', path: '/version', query: '', headers: {}, body: { kind: 'none' } }))?.status,
  ).toBe(503)
})

test('Hono', async () => {
  const { buildApp } = await load<{ buildApp(options: object): Example & { app: Hono } }>('hono')
  const { app, library } = buildApp({ publicUrl, directory, people: { t0k: { id: '1', name: 'alice' } } })
  const running = await listen(createAdaptorServer({ fetch: app.fetch }) as Server)
  const alice = { url: `${running.origin}/library`, token: 't0k' }
  await push(alice, { path: 'alice/tools/bwa', bytes })
  expect((await pull({ url: alice.url }, 'alice/tools/bwa:latest')).equals(bytes)).toBe(true)
  expect((await ask({ ...alice, token: 'other' }, 'POST', '/v1/entities', { name: 'alice' })).status).toBe(401)
  // words that every object inherits are no users; and a token that is not known is not taken for none
  for (const token of ['other', 'constructor', 'toString', 'hasOwnProperty', '__proto__']) {
    const stranger = { ...alice, token }
    expect([token, (await ask(stranger, 'GET', '/v1/images/alice/tools/bwa:latest')).status]).toEqual([token, 401])
    expect([token, (await ask(stranger, 'POST', '/v1/entities', { name: 'Object' })).status]).toEqual([token, 401])
    // where the clients want this word for it
    expect([token, (await ask(stranger, 'GET', '/v1/token-status')).status]).toEqual([token, 404])
  }
  expect((await ask(alice, 'GET', '/v1/token-status')).status).toBe(200)
  expect(await (await fetch(running.origin)).text()).toContain('registry')
  await running.close()
  await library.close()
})
