import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import supertest from 'supertest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen, type RunningHost } from '../adapters/host.js'
import { ask, pull, push, StepError } from '../adapters/push.js'
import { freePort } from '../e2e/harness/server.js'
import { makeSif } from '../fixtures/sif.js'
import type { Example } from './example.js'

let folder: string
let running: RunningHost
let library: Example['library']
let server: Server
const image = makeSif()
const path = 'genomics/tools/bwa'

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-portal-'))
  const port = await freePort()
  const { buildApp } = (await import('../../examples/express/app.mjs' as string)) as {
    buildApp(options: { origin: string; directory: string }): Example & { app: RequestListener }
  }
  const built = buildApp({ origin: `http://127.0.0.1:${port}`, directory: folder })
  library = built.library
  server = createServer(built.app).listen(port, '127.0.0.1')
  await once(server, 'listening')
  running = await listen(server)
})
afterAll(async () => {
  await running.close()
  await library.close()
  await rm(folder, { recursive: true })
})

type Browser = ReturnType<typeof supertest.agent>

async function signIn(name: string): Promise<Browser> {
  const browser = supertest.agent(running.origin)
  await browser
    .post('/login')
    .type('form')
    .send({ name, password: `${name}-password` })
    .expect(302)
  return browser
}

const csrfOf = (text: string): string => /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? ''

async function makeToken(browser: Browser, fields: Record<string, string> = {}): Promise<string> {
  const csrf = csrfOf((await browser.get('/registry').expect(200)).text)
  const { text } = await browser
    .post('/registry/tokens')
    .type('form')
    .send({ label: '<laptop>', csrf, ...fields })
    .expect(200)
  return /id="token">([^<]+)</.exec(text)?.[1] ?? ''
}

const registryOf = (token?: string) => ({ url: `${running.origin}/library`, ...(token === undefined ? {} : { token }) })
const refusal = (step: Promise<unknown>): Promise<number> =>
  step.then(
    () => 200,
    (error: unknown) => (error instanceof StepError ? error.status : 0),
  )

test('the portal is as it was', async () => {
  await supertest(running.origin).get('/').expect(302).expect('location', '/login')
  await supertest(running.origin).post('/login').type('form').send({ name: 'alice', password: 'wrong' }).expect(401)
  await supertest(running.origin).post('/api/echo').send({ a: 1 }).expect(200, { a: 1 })
  expect((await supertest(running.origin).get('/nothing').expect(404)).text).toContain('Not here')
  const browser = await signIn('alice')
  expect((await browser.get('/').expect(200)).text).toContain('Good day, alice')
})

test('tokens need a session and the form of the page', async () => {
  await supertest(running.origin).get('/registry').expect(302)
  const browser = await signIn('alice')
  await browser.post('/registry/tokens').type('form').send({ label: 'x', csrf: 'forged' }).expect(403)
  await browser.post('/registry/tokens').type('form').send({ label: 'x' }).expect(403)
})

test('a token is shown once, listed, used for a push and a pull, and revoked', async () => {
  const browser = await signIn('alice')
  const token = await makeToken(browser)
  expect(token.length).toBeGreaterThanOrEqual(200)
  const listed = (await browser.get('/registry').expect(200)).text
  expect(listed).not.toContain(token)
  expect(listed).toContain('&lt;laptop&gt;')

  await push(registryOf(token), { path, bytes: image })
  expect((await pull(registryOf(token), `${path}:latest`)).equals(image)).toBe(true)
  expect((await browser.get('/registry')).text).toContain(`library://${path}`)

  const text = (await browser.get('/registry')).text
  const action = /action="(\/registry\/tokens\/[^"]+\/revoke)"/.exec(text)?.[1] ?? ''
  const other = await signIn('bob')
  await other
    .post(action)
    .type('form')
    .send({ csrf: csrfOf((await other.get('/registry')).text) })
    .expect(302)
  expect(await refusal(pull(registryOf(token), `${path}:latest`)), 'nobody revokes the token of another').toBe(200)
  await browser
    .post(action)
    .type('form')
    .send({ csrf: csrfOf(text) })
    .expect(302)
  expect(await refusal(pull(registryOf(token), `${path}:latest`))).toBe(401)
})

test('the roles of the portal decide', async () => {
  const bob = registryOf(await makeToken(await signIn('bob')))
  expect((await pull(bob, `${path}:latest`)).equals(image), 'a reader of the group pulls').toBe(true)
  expect(await refusal(push(bob, { path, bytes: makeSif({ seed: 2 }) })), 'and may not push').toBe(403)
  await push(bob, { path: 'imaging/tools/itk', bytes: makeSif({ seed: 3 }) })
  expect(
    (await ask(bob, 'DELETE', '/v1/images/imaging/tools/itk:latest?arch=amd64')).status,
    'a writer deletes nothing',
  ).toBe(403)

  const alice = registryOf(await makeToken(await signIn('alice')))
  expect(await refusal(pull(alice, 'imaging/tools/itk:latest')), 'others do not see it').toBe(404)
  expect(await refusal(pull(registryOf(), `${path}:latest`)), 'nor does anybody').toBe(404)
  const found = async (registry: ReturnType<typeof registryOf>): Promise<number> =>
    ((await ask(registry, 'GET', '/v1/search?value=itk')).json().data as { container: unknown[] }).container.length
  expect([await found(bob), await found(alice), await found(registryOf())]).toEqual([1, 0, 0])

  const carol = registryOf(await makeToken(await signIn('carol')))
  expect((await ask(carol, 'DELETE', '/v1/images/imaging/tools/itk:latest?arch=amd64')).status, 'the admin may').toBe(
    200,
  )
})

test('a token that may only pull does only that', async () => {
  const readonly = registryOf(await makeToken(await signIn('alice'), { readonly: 'on' }))
  expect((await pull(readonly, `${path}:latest`)).equals(image)).toBe(true)
  expect(await refusal(push(readonly, { path, bytes: makeSif({ seed: 4 }) }))).toBe(403)
})

test('the session of the portal is worth nothing at the registry', async () => {
  const browser = await signIn('alice')
  await browser.get(`/library/v1/containers/${path}`).expect(404)
})

test('names that every object has are nobody, and no group', async () => {
  const people = (await import('../../examples/express/people.mjs' as string)) as {
    may(person: { name: string; admin?: boolean }, action: string, namespace: string): boolean
    groupsOf(name: string): string[]
    findPerson(name: string): unknown
  }
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']) {
    expect(people.findPerson(name)).toBeUndefined()
    expect(people.groupsOf(name)).toEqual([])
    for (const namespace of ['genomics', 'imaging', 'constructor', '__proto__'].filter((each) => each !== name))
      for (const action of ['pull', 'push', 'delete', 'admin', 'constructor'])
        expect(people.may({ name }, action, namespace), `${name} ${action} ${namespace}`).toBe(false)
    expect(people.may({ name: 'bob' }, 'push', name)).toBe(false)
    expect((await signInStatus(name, `${name}-password`)).status).toBe(401)
  }
})

const signInStatus = (name: string, password: string) =>
  supertest(running.origin).post('/login').type('form').send({ name, password })

test('no page shows where the code lies, in whatever environment', async () => {
  expect(process.env.NODE_ENV).not.toBe('production')
  const answers = [
    await supertest(running.origin).post('/api/echo').set('content-type', 'application/json').send('{"a":'),
    await supertest(running.origin).get('/%'),
    await supertest(running.origin).post('/login').type('form').send('name[a]=1&password=x'),
    await supertest(running.origin)
      .post('/login')
      .type('form')
      .send(`name=${'x'.repeat(200_000)}`),
  ]
  for (const { status, text } of answers) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(text).not.toMatch(/node_modules|\.mjs|\.js:|SyntaxError/)
  }
})

// last: it uses up the tries of an address
test('passwords can be guessed a few times only, one after the other or all at once', async () => {
  const answers = await Promise.all(Array.from({ length: 15 }, (_, index) => signInStatus('carol', `guess-${index}`)))
  expect(answers.filter(({ status }) => status === 401).length).toBe(10)
  expect(answers.filter(({ status }) => status === 429).length).toBe(5)
  const refused = await signInStatus('carol', 'carol-password')
  expect(refused.status, 'the right one does not help now').toBe(429)
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(800)
  await signIn('alice')
})

test('tries are counted by name and by address, and forgotten after their time', async () => {
  const { limitAttempts } = (await import('../../examples/express/attempts.mjs' as string)) as {
    limitAttempts(options: object): {
      wait(name: string, address: string): number
      failed(name: string, address: string): void
      succeeded(name: string, address: string): void
    }
  }
  let now = 0
  const attempts = limitAttempts({ perName: 2, perAddress: 4, minutes: 1, now: () => now })
  for (const name of ['a', 'a', 'b', 'c']) attempts.failed(name, 'x')
  expect([attempts.wait('a', 'y'), attempts.wait('b', 'y'), attempts.wait('new', 'x')]).toEqual([60, 0, 60])
  now = 60_000
  expect([attempts.wait('a', 'y'), attempts.wait('new', 'x')]).toEqual([0, 0])
  for (let round = 0; round < 20; round += 1) {
    attempts.failed('d', 'z')
    attempts.succeeded('d', 'z')
  }
  expect(attempts.wait('d', 'z')).toBe(0)
})
