/** The Koa example and tokens that it must not take; the good one beside them proves that the reason is what differs. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { type CryptoKey, importJWK, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask } from '../adapters/push.js'
import { describeWhen } from '../e2e/harness/availability.js'
import { opensslMissing } from '../e2e/harness/certificates.js'
import { signIn } from './koa-sign-in.js'
import { audience, startIssuer, startWorld, type World, worldMissing } from './koa-world.js'

describeWhen(worldMissing() ?? opensslMissing(), 'tokens at the Koa example')('tokens at the Koa example', () => {
  let world: World
  let key: CryptoKey
  beforeAll(async () => {
    world = await startWorld()
    key = (await importJWK(world.key, 'RS256')) as CryptoKey
  })
  afterAll(() => world?.close())

  /** Asks for what does not exist: 404 with a good token, 401 with a bad one. */
  const status = async (token: string): Promise<number> =>
    (await ask({ url: world.url, token }, 'GET', '/v1/entities/alice')).status
  const claims = (): JWTPayload => ({
    iss: world.issuer.issuer,
    aud: audience,
    sub: 'alice',
    preferred_username: 'alice',
    exp: Math.floor(Date.now() / 1000) + 300,
  })
  const sign = (changes: JWTPayload = {}, header: object = {}): SignJWT =>
    new SignJWT({ ...claims(), ...changes }).setProtectedHeader({ alg: 'RS256', kid: 'one', ...header })
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')

  test('the good ones', async () => {
    expect(await status(await world.tokenOf('alice'))).toBe(404)
    expect(await status(await sign().sign(key))).toBe(404)
    expect(
      await status(await sign({ exp: Math.floor(Date.now() / 1000) - 2 }).sign(key)),
      'a clock may be off by a little',
    ).toBe(404)
  })

  test('tokens of the provider that are not for us', async () => {
    const other = await signIn('alice', { issuer: world.issuer.issuer, audience: 'https://mail.example/' })
    expect(String(other.access_token).split('.')).toHaveLength(3)
    expect(await status(String(other.access_token)), 'of another audience').toBe(401)
    expect(await status(String(other.id_token)), 'an ID token').toBe(401)
    const opaque = await signIn('alice', { issuer: world.issuer.issuer })
    expect(await status(String(opaque.access_token)), 'an opaque one').toBe(401)
  })

  test('tokens of another provider', async () => {
    const other = await startIssuer({ key: world.key })
    try {
      const { access_token: token } = await signIn('alice', { issuer: other.issuer, audience })
      expect(String(token).split('.')).toHaveLength(3)
      expect(await status(String(token)), 'of the same keys').toBe(401)
    } finally {
      await other.close()
    }
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    expect(await status(await sign().sign(stranger)), 'signed by another key of the same name').toBe(401)
    expect(await status(await sign({}, { kid: 'two' }).sign(stranger)), 'signed by a key that is not there').toBe(401)
  })

  test('claims that are wrong or missing', async () => {
    const now = Math.floor(Date.now() / 1000)
    const changes = [
      { exp: now - 60 },
      { exp: undefined },
      { nbf: now + 600 },
      { sub: undefined },
      { preferred_username: undefined },
      { aud: undefined },
      { iss: undefined },
    ]
    for (const change of changes)
      expect(await status(await sign(change as JWTPayload).sign(key)), JSON.stringify(change)).toBe(401)
  })

  test('signatures that are none', async () => {
    const none = `${encode({ alg: 'none', kid: 'one' })}.${encode(claims())}.`
    expect(await status(none), 'alg none').toBe(401)
    expect(await status(`${none}AAAA`), 'alg none with something behind it').toBe(401)
    const good = await sign().sign(key)
    const [header, , signature] = good.split('.')
    expect(
      await status(`${header}.${encode({ ...claims(), preferred_username: 'carol' })}.${signature}`),
      'other claims',
    ).toBe(401)
    expect(await status(`${good.slice(0, -8)}AAAAAAAA`), 'another signature').toBe(401)
    expect(await status('no JWT')).toBe(401)
  })

  test('HS256 signed with the public key', async () => {
    const publicKey = createPublicKey({ key: world.key, format: 'jwk' })
    for (const secret of [
      publicKey.export({ type: 'spki', format: 'pem' }),
      JSON.stringify(publicKey.export({ format: 'jwk' })),
    ]) {
      expect(await status(await sign({}, { alg: 'HS256' }).sign(new TextEncoder().encode(String(secret))))).toBe(401)
    }
  })

  test('a token that brings its own key', async () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = pair.publicKey.export({ format: 'jwk' })
    expect(await status(await sign({}, { jwk, jku: 'http://127.0.0.1:1/', kid: 'mine' }).sign(pair.privateKey))).toBe(
      401,
    )
  })

  test('a provider that is gone is no fault of the token', async () => {
    const lonely = await startWorld()
    try {
      const token = await lonely.tokenOf('alice')
      await lonely.issuer.close()
      const answer = await ask({ url: lonely.url, token }, 'GET', '/v1/entities/alice')
      expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('the login service does not answer')])
    } finally {
      await lonely.close()
    }
  })
})
