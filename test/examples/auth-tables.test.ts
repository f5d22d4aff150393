/** The tables of docs/auth.md are what a library asks and answers. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { AuthorizeQuestion, Library, Principal } from '../../src/core/index.js'
import * as sif from '../../src/core/index.js'
import { type Answered, type Asked, ask, open, rows } from './auth-page.js'

/** A whole push, a look at all of it, a pull and a delete by one principal. */
async function useEverything(library: Library, asked: Asked): Promise<void> {
  const bytes = Buffer.from('an image')
  const hash = createHash('sha256').update(bytes).digest('hex')
  const make = async (line: string, body: object): Promise<string> => {
    const { status, data, message } = await ask(library, line, { ...asked, body })
    expect([200, 201], `${line}: ${message}`).toContain(status)
    return data.id ?? ''
  }
  const entity = await make('POST /v1/entities', { name: 'e' })
  const collection = await make('POST /v1/collections', { name: 'c', entity })
  const container = await make('POST /v1/containers', { name: 'n', collection })
  const image = await make('POST /v1/images', { hash: `sha256.${hash}`, container })
  await make(`POST /v2/imagefile/${image}`, { filesize: bytes.length, sha256sum: hash })
  const sent = {
    kind: 'stream',
    stream: (async function* () {
      yield bytes
    })(),
    length: bytes.length,
  } as const
  const put = await library.handle({
    method: 'POST',
    path: `/v1/imagefile/${image}`,
    query: '',
    headers: {},
    body: sent,
    native: asked.native,
  })
  expect(put?.status).toBe(200)
  await make(`POST /v2/tags/${container}`, { Arch: 'amd64', Tag: 'latest', ImageID: image })
  for (const path of [
    'v1/entities/e',
    'v1/collections/e/c',
    'v1/containers/e/c/n',
    'v1/images/e/c/n:latest',
    `v2/tags/${container}`,
    'v1/imagefile/e/c/n:latest',
  ]) {
    expect((await ask(library, `GET /${path}`, asked)).status, path).toBeLessThan(400)
  }
  expect((await ask(library, 'DELETE /v1/images/e/c/n:latest?arch=amd64', asked)).status).toBe(200)
}

/** What people change of places, and ask of the registry. */
async function steerEverything(library: Library): Promise<void> {
  const control = library.as({ id: '1', name: 'x' })
  const description = 'what it is'
  await control.entities.update('e', { description, quotaBytes: 10 ** 9 })
  await control.collections.update('e/c', { description })
  await control.containers.update('e/c/n', { description })
  expect((await control.events.list()).items.length).toBeGreaterThan(0)
  await control.containers.delete('e/c/n')
}

test('the table of actions is what `authorize` is asked', async () => {
  const asked: AuthorizeQuestion[] = []
  const library = open({
    auth: {
      authenticate: () => ({ id: '1', name: 'x' }),
      authorize: (question) => {
        asked.push(question)
        return true
      },
    },
  })
  await useEverything(library, {})
  await steerEverything(library)
  const documented = rows('| action | asked for |').flatMap(([action = '', kinds = '']) =>
    kinds.split(', ').flatMap((kind) => (kind === '' ? [] : [`${action.replaceAll('`', '')} ${kind}`])),
  )
  expect([...new Set(asked.map(({ action, resource }) => `${action} ${resource.kind}`))].sort()).toEqual(
    [...new Set(documented)].sort(),
  )
})

test('the table of answers is what a library answers', async () => {
  const people: Record<string, Principal> = { alice: { id: '1', name: 'alice' }, bob: { id: '2', name: 'bob' } }
  const policy = sif.ownerPolicy({
    authenticate: (request) => {
      const token = sif.bearerToken(request)
      if (token === 'down') throw new sif.LibraryError('unavailable', 'the login service is down')
      if (token !== null && people[token] === undefined) throw new sif.LibraryError('unauthorized')
      return token === null ? null : (people[token] ?? null)
    },
  })
  const hooks: sif.LibraryHooks = {
    beforeCreate: ({ path }) => {
      if (path === 'alice/refused') throw new sif.LibraryError('refused', 'not today')
      if (path === 'alice/broken') throw new Error('the text of a secret')
    },
  }
  const library = open({ auth: policy, hooks })
  const alice = { token: 'alice' }
  const bob = { token: 'bob' }
  const id = async (line: string, body: object): Promise<string> =>
    (await ask(library, line, { ...alice, body })).data.id ?? ''
  const entity = await id('POST /v1/entities', { name: 'alice' })
  const hidden = await id('POST /v1/collections', { name: 'hidden', entity, private: true })
  const shown = await id('POST /v1/collections', { name: 'shown', entity })
  const hiddenTools = await id('POST /v1/containers', { name: 'tools', collection: hidden })
  const shownTools = await id('POST /v1/containers', { name: 'tools', collection: shown })
  await library.visibility('alice/hidden', 'private')
  const see = (path: string, asked: Asked = {}): Promise<Answered> => ask(library, `GET /v1/containers/${path}`, asked)
  const tag = (container: string, asked: Asked): Promise<Answered> =>
    ask(library, `POST /v2/tags/${container}`, {
      ...asked,
      body: { Arch: 'amd64', Tag: 'latest', ImageID: '0'.repeat(24) },
    })
  const collect = (name: string, asked: Asked): Promise<Answered> =>
    ask(library, 'POST /v1/collections', { ...asked, body: { name, entity } })
  const statuses = (...answers: Promise<Answered>[]): Promise<number[]> =>
    Promise.all(answers.map(async (answer) => (await answer).status))
  const publicRoutes = ['GET /version', 'GET /healthz', 'GET /assets/config/config.prod.json']

  const proofs: Record<string, () => Promise<number[]>> = {
    'anybody | `authorize` says yes': () => statuses(see('alice/shown/tools'), see('alice/hidden/tools', alice)),
    'nobody | `pull` of what is private or is not there': () =>
      statuses(see('alice/hidden/tools'), see('alice/nothing/tools'), see('nobody/x/y')),
    'nobody | `push`, `delete`': () =>
      statuses(
        tag(shownTools, {}),
        collect('new', {}),
        ask(library, 'DELETE /v1/images/alice/shown/tools:latest?arch=amd64'),
      ),
    'somebody | may not, and may not `pull` it either': () =>
      statuses(see('alice/hidden/tools', bob), tag(hiddenTools, bob)),
    'somebody | may not, but may `pull` it': () => statuses(tag(shownTools, bob)),
    'somebody | may not make it in an entity that they see': () => statuses(collect('new', bob)),
    'bad, expired or revoked token | anything but public routes': () =>
      statuses(see('alice/shown/tools', { token: 'bad' }), tag(shownTools, { token: 'bad' })),
    'bad token | `v1/token-status`, which `remote login` asks': () =>
      statuses(ask(library, 'GET /v1/token-status', { token: 'bad' })),
    "`authenticate` throws `LibraryError('unavailable', …)` | anything but public routes": () =>
      statuses(see('alice/shown/tools', { token: 'down' }), ask(library, 'GET /v1/token-status', { token: 'down' })),
    'somebody | one more than a [limit](operations.md#limits)': async () => {
      const limited = open({ auth: policy, limits: { maxEntityRecords: 1 } })
      const made = await ask(limited, 'POST /v1/entities', { ...alice, body: { name: 'alice' } })
      const collectHere = (name: string): Promise<Answered> =>
        ask(limited, 'POST /v1/collections', { ...alice, body: { name, entity: made.data.id } })
      expect((await collectHere('one')).status).toBe(201)
      // what an entity holds
      expect((await collectHere('two')).status).toBe(403)
      return []
    },
    "a hook refuses by `LibraryError('refused', reason)` |": () => statuses(collect('refused', alice)),
    'a hook throws anything else |': () => statuses(collect('broken', alice)),
  }
  const documented = rows('| who asks | what | answer |')
  expect(documented.map(([who, what]) => `${who} | ${what}`.trim())).toEqual(Object.keys(proofs))
  for (const [who, what, answer = ''] of documented) {
    const name = `${who} | ${what}`.trim()
    const expected = /^\d+/.exec(answer)?.[0] ?? '200'
    for (const status of (await proofs[name]?.()) ?? []) expect(String(status), name).toBe(expected)
  }
  for (const route of publicRoutes) expect((await ask(library, route, { token: 'bad' })).status, route).toBe(200)

  const hiddenAnswer = await see('alice/hidden/tools')
  expect(hiddenAnswer.message.replace('hidden', 'nothing')).toBe((await see('alice/nothing/tools')).message)
  expect((await collect('refused', alice)).message).toBe('not today')
  expect((await collect('broken', alice)).message).not.toContain('secret')
  expect((await tag(shownTools, bob)).message).toBe('bob may not push alice/shown/tools')
})
