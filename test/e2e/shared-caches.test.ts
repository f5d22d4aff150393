/** Real caches in front of the registry, with their own defaults: what changes is seen at once, and bytes come whole. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWhen } from './harness/availability.js'
import { type Client, type ClientResult, generationsOf, makeClient } from './harness/client.js'
import { goMissing } from './harness/go.js'
import { hashFile, type Image, type ImageFolder, makeImageFolder } from './harness/images.js'
import { nginxMissing, startNginx } from './harness/nginx.js'
import { freePort, type ServeRegistry, startServe } from './harness/server.js'
import { startVarnish, varnishMissing } from './harness/varnish.js'

interface CacheInFront {
  readonly name: string
  readonly missing: string | undefined
  readonly start: (ports: { readonly port: number; readonly backend: number }) => Promise<{ stop(): Promise<void> }>
}

const nginx = (name: string, cache: string): CacheInFront => ({
  name,
  missing: nginxMissing(),
  start: ({ port, backend }) =>
    startNginx({
      port,
      config: `proxy_cache_path cache keys_zone=pages:1m;
server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    merge_slashes off;
    location / {
        proxy_pass http://127.0.0.1:${backend};
        proxy_cache pages;
        ${cache}
    }
}`,
    }),
})

/** Smaller than the large image: what does not fit must not be cut. */
const storage = 'malloc,16m'
const LARGE = 40_000_000

const caches: readonly CacheInFront[] = [
  {
    name: 'Varnish with nothing but a backend',
    missing: varnishMissing(),
    start: (ports) => startVarnish({ ...ports, storage }),
  },
  {
    name: 'Varnish that lets transfers pass',
    missing: varnishMissing(),
    start: (ports) =>
      startVarnish({
        ...ports,
        storage,
        vcl: 'sub vcl_recv { if (req.url ~ "^/transfers/") { return (pass); } }',
      }),
  },
  nginx('nginx with proxy_cache', ''),
  nginx('nginx with proxy_cache_valid', 'proxy_cache_valid any 10m;'),
]

// one that streams, one that asks how long the image is, and two that trust GetImage for it
const generations = generationsOf('scs-0.4.4', 'scs-1.2.0', 'scs-1.4.16', 'container-1.4.12')

for (const { name, missing, start } of caches) {
  describeWhen(goMissing() ?? missing, name)(name, () => {
    let images: ImageFolder
    let registry: ServeRegistry
    let cache: { stop(): Promise<void> }
    let url: string
    let token: string

    beforeAll(async () => {
      images = await makeImageFolder()
      const [port, backend] = [await freePort(), await freePort()]
      url = `http://127.0.0.1:${port}`
      registry = await startServe({ port: backend, args: ['--public-url', url] })
      cache = await start({ port, backend })
      token = await registry.tokenOf('alice')
    })
    afterAll(async () => {
      await cache?.stop()
      await registry?.stop()
      await images?.close()
    })

    describe.each(generations)('$name ($cli)', (generation) => {
      let alice: Client
      let anonymous: Client
      let first: Image
      const at = `alice/${generation.name}`
      const tagged = `${at}/bwa:1.0`

      beforeAll(async () => {
        alice = await makeClient({ generation, url, token })
        anonymous = alice.as(undefined)
        first = await images.fresh({ size: 100_000, arch: 'amd64' })
      })

      const run = async (client: Client, args: readonly string[]): Promise<ClientResult> => {
        const result = await client.run([...args, '--arch', 'amd64'])
        expect(result.error ?? '', JSON.stringify(result.requests, null, 1)).toBe('')
        return result
      }
      const pull = async (client: Client, image: Image, reference = tagged): Promise<void> => {
        const out = images.target()
        await run(client, ['pull', reference, out, '--part-size', '4194304'])
        expect(await hashFile(out)).toBe(image.hash)
        await images.remove(out)
      }

      it('what was not there is there after the push', async () => {
        for (const path of [`/v1/images/${tagged}`, `/v1/imagefile/${tagged}`, `/v1/containers/${at}/bwa`])
          expect((await fetch(`${url}${path}?arch=amd64`)).status).toBe(404)
        await run(alice, ['push', first.file, tagged])
        await pull(anonymous, first)
        await pull(alice, first)
      })

      it('a tag that moved gives the new image, with its size', async () => {
        const larger = await images.fresh({ size: 900_000, arch: 'amd64' })
        await run(alice, ['push', larger.file, tagged])
        await pull(anonymous, larger)
        const smaller = await images.fresh({ size: 50_000, arch: 'amd64' })
        await run(alice, ['push', smaller.file, tagged])
        await pull(anonymous, smaller)
        await pull(alice, smaller)
      })

      it('an image larger than the memory of the cache comes whole', async () => {
        const large = await images.fresh({ size: LARGE, arch: 'amd64' })
        await run(alice, ['push', large.file, `${at}/large:1.0`])
        await pull(anonymous, large, `${at}/large:1.0`)
        await pull(alice, large, `${at}/large:1.0`)
        await images.remove(large.file)
      })

      it('what became private is hidden from the next question on', async () => {
        await registry.makePrivate(at)
        for (const path of [`/v1/images/${tagged}?arch=amd64`, `/v1/containers/${at}/bwa`, `/v1/collections/${at}`])
          expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 404])
        expect((await anonymous.run(['pull', tagged, images.target(), '--arch', 'amd64'])).ok).toBe(false)
        expect((await alice.run(['get', tagged, '--arch', 'amd64'])).ok).toBe(true)
      })
    })
  })
}
