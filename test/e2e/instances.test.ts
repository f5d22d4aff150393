/** Three equal instances: no request of a push goes to the one that took the request before, and nothing is lost while they are restarted one after the other. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeRegistryClient, type RegistryClient } from '../faults/client.js'
import { type HttpClient, makeHttpClient } from '../faults/http.js'
import { type ImageMaker, makeImages } from '../faults/images.js'
import { describeWhen } from './harness/availability.js'
import { type Client, GENERATIONS, makeClient } from './harness/client.js'
import { type Fleet, type Ground, sharedFolder, sharedServices, startFleet } from './harness/fleet.js'
import { goMissing } from './harness/go.js'
import { hashFile, makeImageFolder } from './harness/images.js'
import { servicesMissing } from './harness/services.js'

const MiB = 1024 ** 2

/** `toEqual` walks long arrays element by element, for minutes. */
async function expectBytes(pulled: Promise<Buffer | undefined>, expected: Buffer): Promise<void> {
  expect((await pulled)?.equals(expected)).toBe(true)
}

const grounds: readonly {
  readonly name: string
  readonly missing: string | undefined
  readonly open: () => Promise<Ground>
}[] = [
  { name: 'one folder with SQLite', missing: undefined, open: sharedFolder },
  { name: 'PostgreSQL and MinIO', missing: await servicesMissing(), open: sharedServices },
]

for (const { name, missing, open } of grounds) {
  describeWhen(missing, `three instances over ${name}`)(`three instances over ${name}`, () => {
    let ground: Ground
    let fleet: Fleet
    let http: HttpClient
    let client: RegistryClient
    let images: ImageMaker
    beforeAll(async () => {
      images = makeImages(12 * MiB)
      ground = await open()
      fleet = await startFleet(ground, 3)
      http = makeHttpClient()
      client = makeRegistryClient({ url: fleet.url, token: fleet.token, http })
    })
    afterAll(async () => {
      http?.close()
      await fleet?.close()
      await ground?.close()
    })

    /** How often a request went to the instance that took the one before. */
    function repeatedTargets(): number {
      const { served } = fleet.proxy
      return served.filter(({ target }, index) => index > 0 && target === served[index - 1]?.target).length
    }

    it.each([
      ['single', 300_000],
      ['multipart', 11 * MiB],
      ['direct', 300_000],
    ] as const)('push (%s) and pull, each request at another instance', async (kind, size) => {
      const image = images(size, size)
      fleet.proxy.served.length = 0
      await client.push({ path: 'admin/fleet/tool', tag: kind, kind, image })
      await expectBytes(client.pull(`admin/fleet/tool:${kind}`), image.bytes)
      expect(fleet.proxy.served.length).toBeGreaterThan(5)
      // parts are sent two at once, so that one of them may fall to the same
      expect(repeatedTargets()).toBe(0)
    })

    it('search, tags and delete are the same everywhere', async () => {
      await client.push({ path: 'admin/fleet/gone', tag: 'one', kind: 'single', image: images(7, 200_000) })
      for (let turn = 0; turn < 3; turn += 1) {
        const { data } = await client.call('GET', '/v1/search?value=fleet/gone')
        expect(data.container).toHaveLength(1)
      }
      expect(await client.remove('admin/fleet/gone:one')).toBe(true)
      for (let turn = 0; turn < 3; turn += 1) expect(await client.look('admin/fleet/gone:one')).toBe('absent')
    })

    it('what is made private is private at once on all, and a revoked token works on none', async () => {
      const image = images(8, 200_000)
      await client.push({ path: 'admin/hidden/tool', tag: 'one', kind: 'single', image })
      const token = (await fleet.operate(['token', 'create', '--user', 'admin'])).trim()
      const other = makeRegistryClient({ url: fleet.url, token, http })
      await fleet.operate(['visibility', 'admin/hidden', 'private'])
      for (let turn = 0; turn < 3; turn += 1) {
        expect((await http.send('GET', `${fleet.url}/v1/imagefile/admin/hidden/tool:one?arch=amd64`)).status).toBe(404)
        await expectBytes(other.pull('admin/hidden/tool:one'), image.bytes)
      }
      const listed = JSON.parse(await fleet.operate(['token', 'list', '--json'])) as { id: string; createdAt: number }[]
      const newest = [...listed].sort((a, b) => b.createdAt - a.createdAt)[0]
      await fleet.operate(['token', 'revoke', newest?.id ?? ''])
      for (let turn = 0; turn < 3; turn += 1) expect((await other.call('GET', '/v1/token-status')).status).toBe(404)
    })

    it('twelve clients push the same image to three instances at once', async () => {
      const image = images(9, 400_000)
      const kinds = ['single', 'direct', 'multipart'] as const
      const pushes = Array.from({ length: 12 }, (_, index) =>
        client.push({ path: 'admin/fleet/race', tag: `t${index}`, kind: kinds[index % 3] ?? 'single', image }),
      )
      expect((await Promise.allSettled(pushes)).filter(({ status }) => status === 'rejected')).toEqual([])
      for (let index = 0; index < 12; index += 1)
        await expectBytes(client.pull(`admin/fleet/race:t${index}`), image.bytes)
    })

    it('a rolling restart during 40 pushes and 40 pulls loses nothing, and whoever failed succeeds by trying again', async () => {
      const kept = images(100, 500_000)
      await client.push({ path: 'admin/rolling/kept', tag: 'one', kind: 'single', image: kept })
      let again = 0
      const persist = async <T>(work: () => Promise<T>): Promise<T> => {
        for (let tries = 1; ; tries += 1) {
          try {
            return await work()
          } catch (error) {
            if (tries === 4) throw error
            again += 1
          }
        }
      }
      const pushOne = (number: number): Promise<void> => {
        const kind = number % 4 === 0 ? 'multipart' : number % 4 === 1 ? 'direct' : 'single'
        return persist(() =>
          client.push({
            path: 'admin/rolling/tool',
            tag: `t${number}`,
            kind,
            image: images(number, kind === 'multipart' ? 6 * MiB : 200_000),
          }),
        )
      }
      const pullOne = async (): Promise<void> => {
        await expectBytes(
          persist(() => client.pull('admin/rolling/kept:one')),
          kept.bytes,
        )
      }
      const numbers = Array.from({ length: 40 }, (_, index) => 200 + index)
      const waiting = numbers.flatMap((number) => [() => pushOne(number), pullOne])
      const work = async (): Promise<void> => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next()
      }
      const workers = Promise.all(Array.from({ length: 5 }, work))
      await Promise.all([fleet.rollingRestart(), workers])
      for (const number of numbers) {
        await expectBytes(
          client.pull(`admin/rolling/tool:t${number}`),
          images(number, number % 4 === 0 ? 6 * MiB : 200_000).bytes,
        )
      }
      // the servers drain and the proxy passes over what refuses: next to nothing fails at all
      expect(again).toBeLessThanOrEqual(8)
    })

    const generations = GENERATIONS.filter(({ name: generation }) =>
      ['scs-0.4.4', 'scs-1.4.16', 'container-1.4.12'].includes(generation),
    )
    describeWhen(goMissing(), 'real clients at three instances')('real clients', () => {
      it.each(generations)('$cli ($name) pushes and pulls', async (generation) => {
        const folder = await makeImageFolder()
        try {
          const real: Client = await makeClient({ generation, url: fleet.url, token: fleet.token })
          // above 64 MiB the newer ones send parts
          const image = await folder.fresh({ size: 67_200_000, arch: 'amd64' })
          const reference = `admin/real/${generation.name.replaceAll('.', '-')}:1.0`
          expect(await real.run(['push', image.file, reference, '--arch', 'amd64'])).toMatchObject({ ok: true })
          const out = folder.target()
          expect(await real.run(['pull', reference, out, '--arch', 'amd64'])).toMatchObject({ ok: true })
          expect(await hashFile(out)).toBe(image.hash)
        } finally {
          await folder.close()
        }
      })
    })
  })
}
