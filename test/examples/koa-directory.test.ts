/** The Koa example and its directory: groups that change, names that are hostile, a server that is gone. */

import { importJWK, SignJWT } from 'jose'
import { Attribute, Change, Client } from 'ldapts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, pull, push, type Registry } from '../adapters/push.js'
import { describeWhen } from '../e2e/harness/availability.js'
import { opensslMissing } from '../e2e/harness/certificates.js'
import { makeSif } from '../fixtures/sif.js'
import { audience, outcome, startWorld, type World, worldMissing } from './koa-world.js'

const bytes = makeSif()
const path = 'genomics/tools/bwa'

describeWhen(worldMissing() ?? opensslMissing(), 'the directory of the Koa example')(
  'the directory of the Koa example',
  () => {
    let world: World
    beforeAll(async () => {
      world = await startWorld()
      await push(await world.as('alice'), { path, bytes })
      await world.library.visibility('genomics', 'private')
      await world.library.visibility('genomics/tools', 'private')
    })
    afterAll(() => world?.close())

    const forget = (): void => world.passSeconds(61)
    const sees = async (registry: Registry): Promise<string> => outcome(pull(registry, `${path}:latest`))

    /** A token of the provider's for a login that its pages would not let through. */
    async function asLogin(login: unknown): Promise<Registry> {
      const jwt = new SignJWT({ preferred_username: login })
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .setSubject('somebody')
      const token = await jwt
        .setIssuer(world.issuer.issuer)
        .setAudience(audience)
        .setExpirationTime('5m')
        .sign(await importJWK(world.key, 'RS256'))
      return { url: world.url, token }
    }

    async function change(operation: 'add' | 'delete', group: string, person: string): Promise<void> {
      const client = new Client({ url: world.slapd.url })
      await client.bind(world.slapd.admin.dn, world.slapd.admin.password)
      const modification = new Attribute({ type: 'member', values: [`uid=${person},ou=people,${world.slapd.base}`] })
      await client.modify(`cn=${group},ou=groups,${world.slapd.base}`, new Change({ operation, modification }))
      await client.unbind()
    }

    test('who loses the group loses what it opened, when the answer of the directory is forgotten', async () => {
      const alice = await world.as('alice')
      expect(await sees(alice)).toBe('done')
      await change('delete', 'genomics', 'alice')
      expect(await sees(alice), 'the answer is kept for a minute: not each request asks').toBe('done')
      forget()
      expect(await sees(alice)).toMatch(/^404/)
      expect(await outcome(push(alice, { path, bytes: makeSif({ seed: 2 }) }))).toMatch(/^403/)
      await change('add', 'genomics', 'alice')
      forget()
      expect(await sees(alice)).toBe('done')
    })

    test('a login is a text: a list of a name is not the name', async () => {
      for (const login of [['alice'], [['alice']], { toString: 'alice' }, 7, true, '', null])
        expect(await sees(await asLogin(login)), JSON.stringify(login)).toMatch(/^401 the access token is not valid/)
    })

    test('a login is a name and never a filter', async () => {
      forget()
      for (const login of [
        '*',
        'al*',
        'alice)(uid=*',
        '*)(objectClass=*',
        'alice\\2a',
        '\\2a',
        'alice\0',
        'nobody)(|(uid=alice',
        'uid=alice',
        '',
      ]) {
        expect(await sees(await asLogin(login)), JSON.stringify(login)).toMatch(/^401 the access token is not valid/)
      }
      expect(await sees(await asLogin('alice')), 'while the same token with a true name is taken').toBe('done')
    })

    test('capitals make no second person', async () => {
      await push(await asLogin('BOB'), { path: 'bob/tools/itk', bytes })
      expect(await outcome(push(await asLogin('Bob'), { path: 'Bob/tools/itk', bytes }))).not.toBe('done')
    })

    test('who is not in the directory is refused, with whatever token', async () => {
      expect(await sees(await world.as('mallory'))).toMatch(/^401/)
    })

    test('a directory that does not answer lets nobody in and nobody through, until it is back', async () => {
      const alice = await world.as('alice')
      const carol = await world.as('carol')
      forget()
      expect(await sees(alice)).toBe('done')
      for (const [gone, back] of [
        [() => world.slapd.end('SIGKILL'), () => world.slapd.start()],
        [() => world.slapd.pause(), () => world.slapd.resume()],
      ] as const) {
        forget()
        expect(await sees(alice)).toBe('done')
        await gone()
        expect(await sees(alice), 'what is still known holds').toBe('done')
        expect(await sees(carol), 'an admin that is not known yet').toMatch(
          /^503 the directory of people and groups does not answer/,
        )
        forget()
        expect(await sees(alice)).toMatch(/^503/)
        expect(await outcome(push(alice, { path, bytes: makeSif({ seed: 3 }) }))).toMatch(/^503/)
        const many = await Promise.all(Array.from({ length: 20 }, () => ask(alice, 'GET', `/v1/containers/${path}`)))
        expect(new Set(many.map(({ status }) => status))).toEqual(new Set([503]))
        expect(many[0]?.header('retry-after')).toBe('5')
        expect((await ask({ url: world.url }, 'GET', '/version')).status, 'the rest of the service is well').toBe(200)
        await back()
        expect(await sees(alice)).toBe('done')
        expect(await sees(carol)).toBe('done')
      }
    })

    test('a directory that nobody vouches for, and a bind account that is not taken, are as good as none', async () => {
      for (const ldap of [{ ca: undefined }, { bindPassword: 'wrong' }, { bindDn: `cn=nobody,${world.slapd.base}` }]) {
        const other = await startWorld({ ldap })
        try {
          expect(await outcome(push(await other.as('alice'), { path, bytes })), Object.keys(ldap)[0]).toMatch(/^503/)
          expect(JSON.stringify(other.audit)).not.toContain('wrong')
        } finally {
          await other.close()
        }
      }
      await expect(startWorld({ ldap: { bindPassword: '' } })).rejects.toThrow('needs a bind account with a password')
    })
  },
)
