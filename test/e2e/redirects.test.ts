/**
 * Where a pull is sent, with real clients, a real nginx and stores that take no second credentials: registry and store on one host and port, on two ports, one below
 * the other, and on two hosts. Whatever the client does with its token, the bytes are right.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningS3Server, startCeph, startMinio } from '../../scripts/s3-servers.mjs'
import { describeWhen } from './harness/availability.js'
import { type Client, GENERATIONS, type Generation, generationsOf, makeClient, mayGoToStore } from './harness/client.js'
import { goMissing } from './harness/go.js'
import { hashFile, type Image, type ImageFolder, makeImageFolder } from './harness/images.js'
import { type Nginx, nginxMissing, startNginx } from './harness/nginx.js'
import { startServeOn } from './harness/s3-registry.js'
import { freePort, type ServeRegistry } from './harness/server.js'
import { startOrSkip } from './s3/servers.js'

const minio = await startOrSkip('MinIO', startMinio)
const ceph = await startOrSkip('Ceph', startCeph)
afterAll(() => Promise.all([minio?.stop(), ceph?.stop()]))

interface Ports {
  readonly front: number
  readonly second: number
  readonly registry: number
  readonly store: number
}

/** As Ceph and rclone do; MinIO itself lets `BEARER` pass. */
const refuseTokens = `if ($http_authorization != "") {
            return 400 "<Error><Code>InvalidArgument</Code></Error>";
        }`

/** One nginx for all: by path, by port, and as an HTTP proxy for names that nobody needs to resolve. */
function configOf({ front, second, registry, store }: Ports, strict: boolean): string {
  const pass = (port: number, more = ''): string => `{
        ${more}
        proxy_pass http://127.0.0.1:${port};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
    }`
  const toStore = pass(store, strict ? refuseTokens : '')
  return `client_max_body_size 0; merge_slashes off; proxy_request_buffering off; proxy_buffering off;
server { listen 127.0.0.1:${front} default_server; location /images/ ${toStore} location / ${pass(registry)} }
server { listen 127.0.0.1:${second}; location / ${toStore} }
server { listen 127.0.0.1:${front}; server_name registry.test; location / ${pass(registry)} }
server { listen 127.0.0.1:${front}; server_name portal.test; location / ${pass(registry, 'proxy_set_header User-Agent "Portal/1.0";')} }
server { listen 127.0.0.1:${front}; server_name s3.registry.test store.test; location / ${toStore} }`
}

interface Layout {
  readonly name: string
  readonly registry: (ports: Ports) => string
  readonly store: (ports: Ports) => string
  /** What stands in front gives all clients one User-Agent. */
  readonly hidesAgents?: boolean
}

const layouts = {
  authority: {
    name: 'one host and port, by path',
    registry: ({ front }) => `http://127.0.0.1:${front}`,
    store: ({ front }) => `http://127.0.0.1:${front}`,
  },
  port: {
    name: 'one host, two ports',
    registry: ({ front }) => `http://127.0.0.1:${front}`,
    store: ({ second }) => `http://127.0.0.1:${second}`,
  },
  below: {
    name: 'the store below the registry',
    registry: () => 'http://registry.test',
    store: () => 'http://s3.registry.test',
  },
  other: { name: 'two hosts', registry: () => 'http://registry.test', store: () => 'http://store.test' },
  hidden: {
    name: 'two hosts, and every User-Agent changed',
    registry: () => 'http://portal.test',
    store: () => 'http://store.test',
    hidesAgents: true,
  },
} satisfies Record<string, Layout>

/** Libraries that spell `BEARER` could be those that send their token anywhere. */
const spellsBearerAsSince14 = new Set(generationsOf('scs-1.4.16', 'container-1.4.12'))

function mayPass(client: Client, layout: Layout, store: string): boolean {
  if (layout.hidesAgents !== true) return mayGoToStore(client, store)
  return !client.hasToken || spellsBearerAsSince14.has(client.generation)
}

interface Trial {
  readonly name: string
  readonly server: RunningS3Server | undefined
  readonly strict: boolean
  readonly layouts: readonly Layout[]
}

const trials: readonly Trial[] = [
  { name: 'MinIO', server: minio, strict: false, layouts: [layouts.authority] },
  { name: 'a store that takes no token', server: minio, strict: true, layouts: Object.values(layouts) },
  { name: 'Ceph', server: ceph, strict: false, layouts: [layouts.authority, layouts.port, layouts.other] },
]

for (const { name, server, strict, layouts } of trials) {
  const missing =
    goMissing() ?? nginxMissing() ?? (server === undefined ? 'the store is not on this machine' : undefined)
  describeWhen(missing, `pulls beside ${name}`)(name, () => {
    let images: ImageFolder
    let nginx: Nginx
    let ports: Ports
    let data: string
    let small: Image
    let large: Image

    beforeAll(async () => {
      images = await makeImageFolder()
      data = await mkdtemp(join(tmpdir(), 'sif-library-redirects-'))
      ports = {
        front: await freePort(),
        second: await freePort(),
        registry: await freePort(),
        store: Number(new URL(server?.endpoint ?? 'http://x:1').port),
      }
      nginx = await startNginx({ config: configOf(ports, strict), port: ports.front })
      small = await images.fresh({ size: 100_000, arch: 'amd64' })
      large = await images.fresh({ size: 70_000_000, arch: 'amd64' })
    })
    afterAll(async () => {
      await nginx?.stop()
      await images?.close()
      await rm(data, { recursive: true, force: true })
    })

    describe.each(layouts)('$name', (layout) => {
      let registry: ServeRegistry
      let token: string
      const env = (): Record<string, string> => ({ HTTP_PROXY: `http://127.0.0.1:${ports.front}`, NO_PROXY: '' })
      const connect = (generation: Generation, as: string | undefined): Promise<Client> =>
        makeClient({ generation, url: layout.registry(ports), token: as, env: env() })

      beforeAll(async () => {
        registry = await startServeOn(server as RunningS3Server, {
          data,
          port: ports.registry,
          prefix: 'redirects',
          publicEndpoint: layout.store(ports),
          args: ['--public-url', layout.registry(ports)],
        })
        token = registry.token
        const [newest] = generationsOf('scs-1.4.16')
        // the first layout uploads, the others find the images there
        const pusher = await connect(newest as Generation, token)
        for (const [image, tag] of [
          [small, 'small'],
          [large, 'large'],
        ] as const) {
          const pushed = await pusher.run(['push', image.file, `admin/tools/bwa:${tag}`, '--arch', 'amd64'])
          expect(pushed.error ?? '', JSON.stringify(pushed.requests, null, 1)).toBe('')
        }
      })
      afterAll(() => registry?.stop())

      it.each(GENERATIONS)('$name ($cli): the bytes are right, signed in and not', async (generation) => {
        for (const as of [token, undefined]) {
          const client = await connect(generation, as)
          for (const [image, tag] of [
            [small, 'small'],
            [large, 'large'],
          ] as const) {
            const out = images.target()
            const result = await client.run(['pull', `admin/tools/bwa:${tag}`, out, '--arch', 'amd64'])
            const shown = `${as === undefined ? 'anonymous' : 'signed in'}, ${tag}\n${JSON.stringify(result.requests, null, 1)}`
            expect(result.error ?? '', shown).toBe('')
            expect(await hashFile(out), shown).toBe(image.hash)
            await images.remove(out)
            const transfers = result.requests.filter(({ url }) => new URL(url).pathname.startsWith('/transfers/'))
            const stored = result.requests.filter(
              ({ url }) =>
                url.startsWith(`${layout.store(ports)}/`) && new URL(url).pathname.startsWith('/images/redirects/'),
            )
            const isDirect = mayPass(client, layout, layout.store(ports))
            expect([transfers.length > 0, stored.length > 0], shown).toEqual([!isDirect, isDirect])
          }
        }
      })
    })
  })
}
