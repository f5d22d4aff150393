/** The Koa example with a real OpenID provider (oidc-provider) and a real directory (slapd): what people may do. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, pull, push, type Registry } from '../adapters/push.js'
import { describeWhen } from '../e2e/harness/availability.js'
import { opensslMissing } from '../e2e/harness/certificates.js'
import { PACKAGE } from '../e2e/harness/paths.js'
import { run } from '../e2e/harness/run.js'
import { makeSif } from '../fixtures/sif.js'
import { approve } from './koa-sign-in.js'
import { audience, outcome, startWorld, type World, worldMissing } from './koa-world.js'

describeWhen(worldMissing() ?? opensslMissing(), 'the Koa example')('the Koa example', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld({
      rules: { 'genomics/tools/bwa': { push: ['genomics', 'imaging'] }, 'genomics/secret': { pull: ['release'] } },
    })
  })
  afterAll(() => world?.close())

  test('a token of the provider pushes and pulls', async () => {
    const bytes = makeSif()
    await push(await world.as('alice'), { path: 'genomics/tools/bwa', bytes })
    expect((await pull(await world.as('bob'), 'genomics/tools/bwa:latest')).equals(bytes)).toBe(true)
    expect(
      (await pull({ url: world.url }, 'genomics/tools/bwa:latest')).equals(bytes),
      'what is public is for everybody',
    ).toBe(true)
  })

  test('a machine pushes with a token of its own', async () => {
    const response = await fetch(`${world.issuer.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`robot:${world.issuer.robotSecret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
    })
    const { access_token: token } = (await response.json()) as { access_token: string }
    await push({ url: world.url, token }, { path: 'genomics/nightly/bwa', bytes: makeSif({ seed: 9 }) })
  })

  test('token.mjs prints a token that the command lines take', async () => {
    const env = { OIDC_ISSUER: world.issuer.issuer, OIDC_AUDIENCE: audience }
    const child = spawn(process.execPath, ['examples/koa/token.mjs'], {
      cwd: PACKAGE,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let token = ''
    let told = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      token += text
    })
    const address = new Promise<string>((resolve) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        told += text
        const [, url] = /sign in at (\S+)/.exec(told) ?? []
        if (url !== undefined) resolve(url)
      })
    })
    const ended = new Promise((resolve) => child.once('close', resolve))
    expect(await approve(await address, 'alice')).toContain('Success')
    expect(await ended, told).toBe(0)
    expect(token).toMatch(/^\S+\n$/)
    // what `remote login --tokenfile` takes (protocol 6.3)
    expect(token.trim().length).toBeGreaterThanOrEqual(200)
    expect(token.trim().length).toBeLessThanOrEqual(4096)
    const login = (given: string): Promise<number> =>
      ask({ url: world.url, token: given }, 'GET', '/v1/token-status').then(({ status }) => status)
    expect([await login(token.trim()), await login(`${token.trim()}x`)]).toEqual([200, 404])

    const { code, stdout, stderr } = await run(process.execPath, {
      args: ['examples/koa/token.mjs'],
      cwd: PACKAGE,
      env: { ...env, OIDC_CLIENT: 'nobody' },
    })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('the provider refuses: invalid_client')
  })

  test('members of a group may, strangers do not see it', async () => {
    const bytes = makeSif({ seed: 4 })
    await push(await world.as('alice'), { path: 'genomics/inner/plan', bytes })
    await world.library.visibility('genomics/inner', 'private')
    expect((await pull(await world.as('carol'), 'genomics/inner/plan:latest')).equals(bytes)).toBe(true)
    expect(await outcome(pull(await world.as('bob'), 'genomics/inner/plan:latest'))).toMatch(/^404/)
    expect(await outcome(pull({ url: world.url }, 'genomics/inner/plan:latest'))).toMatch(/^404/)
    // the client does not see the collection and tries to make it: the answer is that for one that is not there
    for (const collection of ['inner', 'nothing']) {
      const refused = outcome(
        push(await world.as('bob'), { path: `genomics/${collection}/plan`, bytes: makeSif({ seed: 5 }) }),
      )
      expect(await refused).toBe(`403 bob may not push genomics/${collection}`)
    }
    expect(await outcome(push(await world.as('bob'), { path: 'genomics/tools/other', bytes }))).toMatch(
      /^403 bob may not push/,
    )
    await push(await world.as('carol'), { path: 'imaging/tools/itk', bytes })
  })

  test('rules for single containers hold', async () => {
    const bytes = makeSif({ seed: 2 })
    await push(await world.as('bob'), { path: 'genomics/tools/bwa', bytes, tag: 'imaging' })
    await push(await world.as('alice'), { path: 'genomics/secret/plan', bytes })
    expect(await outcome(pull(await world.as('bob'), 'genomics/secret/plan:latest'))).toMatch(/^404/)
    const seen = async (registry: Registry): Promise<number> =>
      ((await ask(registry, 'GET', '/v1/search?value=plan')).json().data as { container: { collectionName: string }[] })
        .container.length
    expect([await seen(await world.as('bob')), await seen(await world.as('alice'))]).toEqual([0, 2])
  })

  test('what the hooks refuse is told to the client and never becomes visible', async () => {
    const bob = await world.as('bob')
    expect(await outcome(push(bob, { path: 'bob/a/text', bytes: randomBytes(1000) }))).toBe(
      '403 bob/a/text: only SIF images are kept here',
    )
    expect(await outcome(push(bob, { path: 'bob/a/large', bytes: makeSif({ size: 200_001 }) }))).toContain(
      '403 bob/a/large: 200001 bytes are more',
    )
    expect(await outcome(pull(bob, 'bob/a/text:latest'))).toMatch(/^404/)
    expect(await outcome(push(bob, { path: 'bob/a/b', bytes: makeSif({ seed: 3 }), tag: 'stable' }))).toBe(
      '403 only the release group moves the tag stable',
    )
    await push(await world.as('alice'), { path: 'alice/a/b', bytes: makeSif({ seed: 3 }), tag: 'stable' })
  })

  test('the audit trail tells who did what, and holds no secret', async () => {
    const alice = `${world.issuer.issuer}#alice`
    expect(world.audit).toContainEqual(
      expect.objectContaining({ action: 'publish', path: 'genomics/tools/bwa', principal: alice }),
    )
    expect(world.audit).toContainEqual(
      expect.objectContaining({ action: 'pull', path: 'genomics/tools/bwa', principal: `${world.issuer.issuer}#bob` }),
    )
    expect(world.audit).toContainEqual(expect.objectContaining({ action: 'tag', tag: 'stable', principal: alice }))
    expect(world.audit).toContainEqual(expect.objectContaining({ action: 'refused', code: 'refused', status: 403 }))
    const text = JSON.stringify(world.audit)
    for (const person of ['alice', 'bob', 'carol']) {
      const [, claims, signature] = (await world.tokenOf(person)).split('.')
      expect(text).not.toContain(claims)
      expect(text).not.toContain(signature)
    }
    expect(text).not.toContain('eyJ')
    expect(text).not.toContain(world.slapd.account.password)
    expect(text, 'nor a transfer URL').not.toContain('/transfers/')
  })
})
