/** The feed: what each reader sees of what was published, in both forms. */
import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { listen } from '../adapters/host.js'
import { ask, push } from '../adapters/push.js'
import { makeSif } from '../fixtures/sif.js'
import type { Example } from './example.js'

interface FeedModule {
  buildApp(options: object): Example & { server: Server }
}
interface JsonFeed {
  readonly title: string
  readonly items: readonly {
    readonly id: string
    readonly url: string
    readonly title: string
    readonly content_text: string
    readonly date_published: string
  }[]
}

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sif-library-example-'))
})
afterEach(() => rm(directory, { recursive: true }))

const publicUrl = ({ headers }: { headers: Record<string, unknown> }): string =>
  `http://${String(headers.host)}/library`
/** Images of different bytes. */
const imageOf = (letter: string) => makeSif({ seed: letter.charCodeAt(0) })

async function start(options: object = {}) {
  const { buildApp } = (await import('../../examples/extension/app.mjs' as string)) as FeedModule
  const { server, library } = buildApp({ publicUrl, directory, options })
  const running = await listen(server)
  const url = `${running.origin}/library`
  await library.ready()
  if ((await library.accounts.findUser('alice')) === undefined) await library.accounts.addUser({ name: 'alice' })
  const { token } = await library.accounts.createToken({ user: 'alice' })
  const read = async (as: { readonly token?: string } = {}): Promise<JsonFeed> => {
    const answer = await ask({ url, ...as }, 'GET', '/feed.json')
    expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/feed+json'])
    return answer.json() as unknown as JsonFeed
  }
  return {
    ...{ library, url, read },
    alice: { url, token },
    titles: async (as?: { readonly token?: string }) => (await read(as)).items.map(({ title }) => title),
    close: async () => {
      await running.close()
      await library.close()
    },
  }
}

test('shows the newest first, to a stranger only what is public', async () => {
  const { alice, titles, read, library, close } = await start()
  expect(await titles()).toEqual([])
  await push(alice, { path: 'alice/tools/first', bytes: imageOf('a') })
  await vi.waitFor(async () => expect(await titles()).toEqual(['alice/tools/first']))
  await library.visibility('alice/hidden', 'private', { create: true })
  await push(alice, { path: 'alice/hidden/second', bytes: imageOf('b') })
  await vi.waitFor(async () => expect(await titles(alice)).toEqual(['alice/hidden/second', 'alice/tools/first']))
  expect(await titles()).toEqual(['alice/tools/first'])

  // rights are those of now: what becomes private is gone for strangers, and back when it is public again
  await library.visibility('alice/tools', 'private')
  expect(await titles()).toEqual([])
  await library.visibility('alice/tools', 'public')
  const [entry] = (await read()).items
  expect((await fetch(entry?.url ?? '')).status).toBe(200)
  await close()
})

test('forgets what is deleted', async () => {
  const { alice, titles, close } = await start()
  await push(alice, { path: 'alice/tools/gone', bytes: imageOf('a') })
  await vi.waitFor(async () => expect(await titles()).toEqual(['alice/tools/gone']))
  expect((await ask(alice, 'DELETE', '/v1/images/alice/tools/gone:latest?arch=amd64')).status).toBe(200)
  expect(await titles(alice)).toEqual([])
  // pushed again it is an entry again, and one only
  await push(alice, { path: 'alice/tools/gone', bytes: imageOf('a') })
  await vi.waitFor(async () => expect(await titles()).toEqual(['alice/tools/gone']))
  await close()
})

test('is well-formed Atom, whatever its texts are, and is answered once to who knows it', async () => {
  const { alice, url, titles, close } = await start({ title: `<b>"New" & 'bold'</b>\u0000\u000b ]]>` })
  await push(alice, { path: 'alice/tools/bwa', bytes: imageOf('a') })
  await vi.waitFor(async () => expect(await titles()).toHaveLength(1))
  const answer = await fetch(`${url}/feed.atom`)
  const text = await answer.text()
  expect(answer.headers.get('content-type')).toBe('application/atom+xml; charset=utf-8')
  expect(text).toContain('<title>&#60;b&#62;&#34;New&#34; &#38; &#39;bold&#39;&#60;/b&#62; ]]&#62;</title>')
  expect(text.match(/<id>(.*)<\/id>/g)).toEqual([
    `<id>${url}/feed.atom</id>`,
    expect.stringMatching(/^<id>http.*\/v1\/images\/alice\/tools\/bwa:sha256\.[0-9a-f]{64}<\/id>$/),
  ])
  for (const [, updated = ''] of text.matchAll(/<updated>(.*)<\/updated>/g))
    expect(Math.abs(Date.parse(updated) - Date.now())).toBeLessThan(600_000)
  const open: string[] = []
  for (const [, end, name = '', empty] of text.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (end) expect(open.pop()).toBe(name)
    else if (!empty) open.push(name)
  }
  expect(open).toEqual([])

  const etag = answer.headers.get('etag') ?? ''
  expect(answer.headers.get('cache-control')).toBe('private, no-cache')
  const again = await fetch(`${url}/feed.atom`, { headers: { 'if-none-match': etag } })
  expect([again.status, await again.text()]).toEqual([304, ''])
  await push(alice, { path: 'alice/tools/samtools', bytes: imageOf('b') })
  await vi.waitFor(async () => expect(await titles()).toHaveLength(2))
  expect((await fetch(`${url}/feed.atom`, { headers: { 'if-none-match': etag } })).status).toBe(200)
  await close()
})

test('outlives a restart, and its job trims what is old', async () => {
  const first = await start()
  for (const letter of 'abc') {
    await push(first.alice, { path: `alice/tools/${letter}`, bytes: imageOf(letter) })
    await vi.waitFor(async () => expect((await first.titles())[0]).toBe(`alice/tools/${letter}`))
  }
  await first.close()

  const second = await start({ kept: 2 })
  expect(await second.titles()).toEqual(['alice/tools/c', 'alice/tools/b'])
  // another instance, which would show more
  const third = await start()
  expect(await third.titles()).toHaveLength(3)
  // after ten seconds a job is asked whether it is due
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  second.library.startUpkeep({ sweep: false })
  vi.advanceTimersByTime(10_001)
  vi.useRealTimers()
  await vi.waitFor(async () => expect(await third.titles()).toEqual(['alice/tools/c', 'alice/tools/b']))
  await second.close()
  await third.close()
})
