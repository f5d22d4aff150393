/** What every generation of the real client must be able to do with a registry: one matrix, over any hosts and any storage. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Client,
  type ClientRequest,
  type ClientResult,
  GENERATIONS,
  type Generation,
  makeClient,
  mayGoToStore,
} from './client.js'
import { hashFile, type Image, type ImageFolder, makeImageFolder } from './images.js'
import type { Registry } from './server.js'

const SMALL = 100_000
const LARGE = 70_000_000

/** A way to run the registry. */
export interface MatrixHost {
  readonly name: string
  readonly start: (generation: Generation) => Promise<Registry>
  /** The object store to which all image bytes must go, past the registry. Without it they must all go through the registry. */
  readonly store?: {
    readonly origin: string
    /** Whether it takes presigned URLs that sign the hash of their bytes. */
    readonly bindsPayload: boolean
  }
}

export interface MatrixOptions {
  /** Default: all. */
  readonly generations?: readonly Generation[]
}

function expectOk(result: ClientResult): ClientResult {
  expect(
    result.error ?? '',
    `${result.generation} ${result.command}\n${JSON.stringify(result.requests, null, 1)}`,
  ).toBe('')
  return result
}

/** An upload shows as a PUT, or as a POST to v1/imagefile or v2/imagefile. */
const isUpload = ({ method, url }: ClientRequest): boolean =>
  method === 'PUT' || (method === 'POST' && url.includes('/imagefile/'))

const isPartPlan = ({ method, url }: ClientRequest): boolean => method === 'PUT' && url.endsWith('/_multipart')

/** Goes to a transfer URL of the registry itself. */
const isTransfer = ({ url }: ClientRequest): boolean => new URL(url).pathname.includes('/transfers/')

const statuses = (result: ClientResult): number[] => result.requests.map(({ status }) => status)

interface SearchHit {
  readonly hash: string
  readonly containerName?: string
  readonly tags?: readonly string[]
}

function hits(result: ClientResult): readonly SearchHit[] {
  return (expectOk(result).data as { image: readonly SearchHit[] | null }).image ?? []
}

/** Defines the tests of the matrix; needs Go (`goMissing`). */
export function describeClientMatrix(
  hosts: readonly MatrixHost[],
  { generations = GENERATIONS }: MatrixOptions = {},
): void {
  let images: ImageFolder
  beforeAll(async () => {
    images = await makeImageFolder()
  })
  afterAll(() => images.close())

  /** Holds where the bytes of a push or a pull went against what this store allows this client. */
  function expectRoute(
    { requests }: ClientResult,
    route: { readonly store: MatrixHost['store']; readonly mayPass: boolean; readonly isSeen?: boolean },
  ): void {
    const { store, mayPass, isSeen = true } = route
    const inStore = requests.filter(({ url }) => store !== undefined && new URL(url).origin === store.origin)
    const shown = JSON.stringify(requests, null, 1)
    if (store !== undefined && mayPass) {
      expect(requests.filter(isTransfer), shown).toEqual([])
      if (isSeen) expect(inStore.length, shown).toBeGreaterThan(0)
    } else {
      expect(inStore, shown).toEqual([])
      if (isSeen) expect(requests.filter(isTransfer).length, shown).toBeGreaterThan(0)
    }
  }

  /** Pulls, and holds the bytes against what was pushed. */
  async function expectPull(pull: {
    readonly client: Client
    readonly reference: string
    readonly image: Image
    readonly args?: readonly string[]
    readonly store: MatrixHost['store']
  }): Promise<ClientResult> {
    const out = images.target()
    const result = expectOk(await pull.client.run(['pull', pull.reference, out, ...(pull.args ?? [])]))
    expect(result).toMatchObject({ hash: pull.image.hash, size: pull.image.size })
    expect(await hashFile(out)).toBe(pull.image.hash)
    expectRoute(result, {
      store: pull.store,
      mayPass: pull.store !== undefined && mayGoToStore(pull.client, pull.store.origin),
    })
    await images.remove(out)
    return result
  }

  describe.each(hosts)('$name', ({ start, store }) => {
    describe.each(generations)('$name ($cli)', (generation) => {
      let registry: Registry
      let alice: Client
      let anonymous: Client
      let small: Image
      let other: Image
      const tagged = 'alice/tools/bwa:1.0'
      beforeAll(async () => {
        registry = await start(generation)
        alice = await makeClient({ generation, url: registry.url, token: await registry.tokenOf('alice') })
        anonymous = alice.as(undefined)
        small = await images.fresh({ size: SMALL, arch: 'amd64' })
        other = await images.fresh({ size: SMALL + 1, arch: 'arm64' })
      })
      afterAll(() => registry?.stop())

      it('learns the version', async () => {
        expect(expectOk(await anonymous.run(['version'])).data).toMatchObject({ apiVersion: '2.0.0-alpha.2' })
      })

      it('pushes a small image', async () => {
        const result = expectOk(
          await alice.run(['push', small.file, `${tagged},latest`, '--arch', 'amd64', '--description', 'aligner']),
        )
        expect(result.requests.some(isUpload)).toBe(true)
        expectRoute(result, { store, mayPass: true, isSeen: generation.hidesPut !== true })
      })

      it('pushes it again without an upload', async () => {
        const result = expectOk(await alice.run(['push', small.file, 'alice/tools/bwa:1.1', '--arch', 'amd64']))
        expect(result.requests.filter(isUpload)).toEqual([])
        await expectPull({
          store,
          client: anonymous,
          reference: 'alice/tools/bwa:1.1',
          image: small,
          args: ['--arch', 'amd64'],
        })
      })

      it('pulls by tag, by hash, and without an arch', async () => {
        const result = await expectPull({
          store,
          client: anonymous,
          reference: tagged,
          image: small,
          args: ['--arch', 'amd64'],
        })
        expect(result.requests.some(({ range }) => range !== undefined)).toBe(generation.ranges)
        await expectPull({
          store,
          client: anonymous,
          reference: `alice/tools/bwa:${small.hash}`,
          image: small,
          args: ['--arch', 'amd64'],
        })
        await expectPull({ store, client: anonymous, reference: tagged, image: small })
        await expectPull({ store, client: anonymous, reference: 'alice/tools/bwa', image: small })
      })

      it('pulls in one stream', async () => {
        await expectPull({
          store,
          client: anonymous,
          reference: tagged,
          image: small,
          args: ['--arch', 'amd64', '--stream'],
        })
      })

      it('pushes a second arch under the same tag', async () => {
        expectOk(await alice.run(['push', other.file, tagged, '--arch', 'arm64']))
        await expectPull({ store, client: anonymous, reference: tagged, image: small, args: ['--arch', 'amd64'] })
        await expectPull({ store, client: anonymous, reference: tagged, image: small })
        await expectPull({
          store,
          client: anonymous,
          reference: `alice/tools/bwa:${other.hash}`,
          image: other,
          args: ['--arch', 'amd64'],
        })
        if (!generation.arches) return
        await expectPull({ store, client: anonymous, reference: tagged, image: other, args: ['--arch', 'arm64'] })
        expect(await anonymous.run(['pull', tagged, images.target(), '--arch', 's390x'])).toMatchObject({ ok: false })
      })

      it('searches', async () => {
        expect(hits(await anonymous.run(['search', 'bwa', '--arch', 'amd64'])).map(({ hash }) => hash)).toEqual([
          small.hash,
        ])
        const both = hits(await anonymous.run(['search', 'bwa', '--arch', 'amd64,arm64'])).map(({ hash }) => hash)
        expect(both.sort()).toEqual([small.hash, other.hash].sort())
        expect(expectOk(await anonymous.run(['search', 'bwa'])).data).toMatchObject({ container: [{ name: 'bwa' }] })
        expect(hits(await anonymous.run(['search', 'bwa', '--arch', 'amd64', '--signed']))).toEqual([])
        expect(hits(await anonymous.run(['search', 'no-such-image', '--arch', 'amd64']))).toEqual([])
      })

      it('pushes above the multipart threshold and pulls it', async () => {
        const large = await images.fresh({ size: LARGE, arch: 'amd64' })
        const pushed = expectOk(await alice.run(['push', large.file, 'alice/tools/large:1.0', '--arch', 'amd64']))
        expect(pushed.requests.some(isPartPlan)).toBe(generation.parts)
        const isRefused = generation.alwaysSendsPartHash === true && store?.bindsPayload === false
        expectRoute(pushed, { store, mayPass: !isRefused, isSeen: generation.hidesPut !== true })
        const pulled = await expectPull({
          store,
          client: anonymous,
          reference: 'alice/tools/large:1.0',
          image: large,
          args: ['--arch', 'amd64'],
        })
        if (generation.ranges)
          expect(pulled.requests.filter(({ status }) => status === 206).length).toBeGreaterThanOrEqual(
            Math.ceil(LARGE / (5 * 1024 * 1024)),
          )
        await images.remove(large.file)
      })

      it('pulls a private image with a token only', async () => {
        const secret = await images.fresh({ size: SMALL, arch: 'amd64' })
        expectOk(await alice.run(['push', secret.file, 'alice/secret/sauce:1.0', '--arch', 'amd64']))
        await registry.makePrivate('alice/secret')
        await expectPull({
          store,
          client: alice,
          reference: 'alice/secret/sauce:1.0',
          image: secret,
          args: ['--arch', 'amd64'],
        })
        const mallory = alice.as(await registry.tokenOf('mallory'))
        for (const stranger of [anonymous, mallory]) {
          for (const selector of ['1.0', secret.hash]) {
            const refused = await stranger.run([
              'pull',
              `alice/secret/sauce:${selector}`,
              images.target(),
              '--arch',
              'amd64',
            ])
            expect(refused.ok).toBe(false)
            expect([401, 404]).toContain(refused.requests.at(-1)?.status)
          }
          expect(hits(await stranger.run(['search', 'sauce', '--arch', 'amd64']))).toEqual([])
        }
        expect(hits(await alice.run(['search', 'sauce', '--arch', 'amd64'])).map(({ hash }) => hash)).toEqual([
          secret.hash,
        ])
      })

      it('is refused with a wrong token', async () => {
        const wrong = alice.as('not-a-token')
        const pushed = await wrong.run(['push', small.file, 'alice/tools/wrong:1.0', '--arch', 'amd64'])
        expect(pushed.ok).toBe(false)
        expect(statuses(pushed).at(-1)).toBe(401)
        const withoutToken = await anonymous.run(['push', small.file, 'alice/tools/wrong:1.0', '--arch', 'amd64'])
        expect(withoutToken.ok).toBe(false)
        expect(statuses(withoutToken).at(-1)).toBe(401)
        expect(await alice.run(['get', `alice/tools/wrong:${small.hash}`, '--arch', 'amd64'])).toMatchObject({
          ok: false,
        })
      })

      it('is refused in a foreign namespace', async () => {
        const refused = await alice.run(['push', small.file, 'bob/tools/bwa:1.0', '--arch', 'amd64'])
        expect(refused.ok).toBe(false)
        expect(statuses(refused).at(-1)).toBe(403)
        const bob = alice.as(await registry.tokenOf('bob'))
        const intruder = await bob.run(['push', small.file, 'alice/tools/bwa:evil', '--arch', 'amd64'])
        expect(intruder.ok).toBe(false)
        expect(statuses(intruder).at(-1)).toBe(403)
        expect(await alice.run(['get', 'alice/tools/bwa:evil', '--arch', 'amd64'])).toMatchObject({ ok: false })
      })

      it('deletes a tag of one arch', async () => {
        const foreign = await alice.as(await registry.tokenOf('bob')).run(['delete', tagged, '--arch', 'arm64'])
        expect(foreign.ok).toBe(false)
        const result = await alice.run(['delete', tagged, '--arch', 'arm64'])
        if (!generation.deletes) {
          expect(result.unsupported).toBe(true)
          return
        }
        expectOk(result)
        expect(await anonymous.run(['get', tagged, '--arch', 'arm64'])).toMatchObject({ ok: false })
        await expectPull({ store, client: anonymous, reference: tagged, image: small, args: ['--arch', 'amd64'] })
        expect(await alice.run(['delete', tagged, '--arch', 'arm64'])).toMatchObject({ ok: false })
      })
    })
  })
}
