import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen, type RunningHost } from '../adapters/host.js'
import { ask, pull, push, type Registry, StepError } from '../adapters/push.js'
import { makeSif } from '../fixtures/sif.js'
import type { Example } from './example.js'

const issuer = 'https://login.example'
let folder: string
let provider: RunningHost
let running: RunningHost
let library: Example['library']
let key: CryptoKey
const audit: Record<string, unknown>[] = []

interface Options {
  publicUrl(request: { headers: Record<string, unknown> }): string
  readonly directory: string
  readonly oidc: { readonly issuer: string; readonly audience: string; readonly jwksUri: string }
  readonly rules: object
  audit(entry: Record<string, unknown>): void
  readonly maxBytes: number
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-koa-'))
  const pair = await generateKeyPair('ES256')
  key = pair.privateKey
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' }
  provider = await listen(createServer((_req, res) => res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }))))
  const { buildApp } = (await import('../../examples/koa/app.mjs' as string)) as {
    buildApp(options: Options): Example & { app: { callback(): RequestListener } }
  }
  const { app, ...rest } = buildApp({
    publicUrl: ({ headers }) => `http://${String(headers.host)}/library`,
    directory: folder,
    oidc: { issuer, audience: 'registry', jwksUri: `${provider.origin}/jwks` },
    rules: { 'genomics/tools/bwa': { push: ['genomics', 'imaging'] }, 'genomics/secret': { pull: ['leads'] } },
    audit: (entry) => audit.push(entry),
    maxBytes: 200_000,
  })
  library = rest.library
  running = await listen(createServer(app.callback()))
})
afterAll(async () => {
  await running.close()
  await provider.close()
  await library.close()
  await rm(folder, { recursive: true })
})

interface Claims {
  readonly groups?: readonly string[]
  readonly audience?: string
  readonly expires?: string
  readonly signer?: CryptoKey
}

async function as(name: string, { groups = [], audience = 'registry', expires = '5m', signer = key }: Claims = {}): Promise<Registry> {
  const token = await new SignJWT({ preferred_username: name, groups })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setSubject(`id-of-${name}`)
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(expires)
    .sign(signer)
  return { url: `${running.origin}/library`, token }
}

const refusal = (step: Promise<unknown>): Promise<string> =>
  step.then(
    () => 'done',
    (error: unknown) => (error instanceof StepError ? `${error.status} ${String((error.answer.json().error as { message: string }).message)}` : String(error)),
  )

test('a token of the provider pushes and pulls', async () => {
  const bytes = makeSif()
  await push(await as('alice', { groups: ['genomics'] }), { path: 'genomics/tools/bwa', bytes })
  expect((await pull(await as('bob'), 'genomics/tools/bwa:latest')).equals(bytes)).toBe(true)
})

test('tokens of others are refused', async () => {
  const stranger = (await generateKeyPair('ES256')).privateKey
  for (const claims of [{ audience: 'mail' }, { expires: '-1m' }, { signer: stranger }]) {
    expect((await ask(await as('alice', claims), 'GET', '/v1/containers/genomics/tools/bwa')).status).toBe(401)
  }
  expect((await ask({ url: `${running.origin}/library`, token: 'no JWT' }, 'GET', '/v1/containers/genomics/tools/bwa')).status).toBe(401)
})

test('rules for single containers hold', async () => {
  const bytes = makeSif({ seed: 2 })
  await push(await as('ida', { groups: ['imaging'] }), { path: 'genomics/tools/bwa', bytes, tag: 'imaging' })
  expect(await refusal(push(await as('ida', { groups: ['imaging'] }), { path: 'genomics/tools/other', bytes }))).toContain('403')
  await push(await as('alice', { groups: ['genomics', 'leads'] }), { path: 'genomics/secret/plan', bytes })
  expect(await refusal(pull(await as('bob'), 'genomics/secret/plan:latest'))).toContain('404')
  const seen = async (registry: Registry): Promise<number> =>
    ((await ask(registry, 'GET', '/v1/search?value=plan')).json().data as { container: unknown[] }).container.length
  expect([await seen(await as('bob')), await seen(await as('alice', { groups: ['leads'] }))]).toEqual([0, 1])
})

test('what the hooks refuse is told to the client and never becomes visible', async () => {
  const alice = await as('alice')
  expect(await refusal(push(alice, { path: 'alice/a/text', bytes: randomBytes(1000) }))).toBe('403 alice/a/text: only SIF images are kept here')
  expect(await refusal(push(alice, { path: 'alice/a/large', bytes: makeSif({ size: 200_001 }) }))).toContain('403 alice/a/large: 200001 bytes are more')
  expect(await refusal(pull(alice, 'alice/a/text:latest'))).toContain('404')
  expect(await refusal(push(alice, { path: 'alice/a/b', bytes: makeSif({ seed: 3 }), tag: 'stable' }))).toContain('only the release group')
  await push(await as('alice', { groups: ['release'] }), { path: 'alice/a/b', bytes: makeSif({ seed: 3 }), tag: 'stable' })
})

test('the audit trail tells who did what', async () => {
  const alice = `${issuer}#id-of-alice`
  expect(audit).toContainEqual(expect.objectContaining({ action: 'publish', path: 'genomics/tools/bwa', principal: alice }))
  expect(audit).toContainEqual(expect.objectContaining({ action: 'pull', path: 'genomics/tools/bwa', principal: `${issuer}#id-of-bob` }))
  expect(audit).toContainEqual(expect.objectContaining({ action: 'tag', tag: 'stable' }))
  expect(audit).toContainEqual(expect.objectContaining({ action: 'refused', code: 'refused', status: 403 }))
  expect(JSON.stringify(audit)).not.toContain('eyJ')
})
