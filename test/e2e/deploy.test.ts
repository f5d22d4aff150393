/** deploy/nginx.conf and deploy/compose.yml: real clients through a real nginx in front of registry and MinIO; the environment of the containers against the options. */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { installS3Server, type RunningS3Server, S3ServerMissing, startMinio } from '../../scripts/s3-servers.mjs'
import { optionKeys, optionVariable } from '../../src/cli/options/table.js'
import { s3OptionsFromUrl } from '../../src/storage/blob/s3/url.js'
import { describeWhen } from './harness/availability.js'
import { type Certificates, makeCertificates, opensslMissing } from './harness/certificates.js'
import { type Client, generationsOf, makeClient, mayGoToStore } from './harness/client.js'
import { goMissing } from './harness/go.js'
import { hashFile, type ImageFolder, makeImageFolder } from './harness/images.js'
import { checkNginx, type Nginx, nginxMissing, startNginx } from './harness/nginx.js'
import { PACKAGE } from './harness/paths.js'
import { makePushCalls, type PushCalls, putHeaders } from './harness/push-calls.js'
import { runOk } from './harness/run.js'
import { BUCKET, startServeOn } from './harness/s3-registry.js'
import { freePort, type ServeRegistry } from './harness/server.js'
import { rawRequest, type RawAnswer as StoreAnswer } from './s3/requests.js'
import { MiB, startOrSkip, testBytes } from './s3/servers.js'

const deployed = (name: string): Promise<string> => readFile(join(PACKAGE, 'deploy', name), 'utf8')

interface Place {
  readonly registryName: string
  readonly storeName: string
  readonly certificates: Pick<Certificates, 'certificate' | 'key'>
  readonly ports: { readonly tls: number; readonly plain: number; readonly registry: number; readonly store: number }
}

/** The replacements of deploy/README.md, each of which must find something. */
function adapt(config: string, { registryName, storeName, certificates, ports }: Place): string {
  const replacements: readonly (readonly [from: string, to: string])[] = [
    ['/etc/ssl/registry.example.crt', certificates.certificate],
    ['/etc/ssl/registry.example.key', certificates.key],
    ['s3.example', storeName],
    ['registry.example', registryName],
    ['listen 443 ssl', `listen 127.0.0.1:${ports.tls} ssl`],
    ['listen 80', `listen 127.0.0.1:${ports.plain}`],
    ['127.0.0.1:8080', `127.0.0.1:${ports.registry}`],
    ['127.0.0.1:9000', `127.0.0.1:${ports.store}`],
  ]
  return replacements.reduce((text, [from, to]) => {
    expect(text, 'deploy/nginx.conf').toContain(from)
    return text.replaceAll(from, to)
  }, config)
}

interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

interface PutAt {
  readonly bytes: Uint8Array
  readonly headers: Readonly<Record<string, string>>
  readonly ca: string
  readonly past?: RunningS3Server
}

/** A PUT of an upload URL of nginx, with its `Host`, sent there or past it to the store. */
function putAt(url: string, { bytes, headers, ca, past }: PutAt): Promise<StoreAnswer> {
  const { host, pathname, search } = new URL(url)
  const at = past === undefined ? url : `${past.endpoint}${pathname}${search}`
  const all = { ...putHeaders(url, bytes), host, ...headers }
  return rawRequest(at, { method: 'PUT', headers: all, body: bytes, ...(past === undefined && { ca }) })
}

/** A GET with the path exactly as given. */
function rawGet(at: { readonly port: number; readonly path: string; readonly ca: string }): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', ...at, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
      .on('error', reject)
      .end()
  })
}

const minio: RunningS3Server | undefined =
  nginxMissing() === undefined ? await startOrSkip('MinIO', startMinio) : undefined
/** The client of MinIO with which compose.yml makes the registry's user. */
const mc = minio === undefined ? undefined : await installS3Server('mc').catch(missingIsSkipped)
afterAll(() => minio?.stop())

function missingIsSkipped(error: unknown): undefined {
  if (!(error instanceof S3ServerMissing)) throw error
}

describeWhen(
  nginxMissing() ?? opensslMissing() ?? (minio === undefined ? 'MinIO is not on this machine' : undefined),
  'deploy/nginx.conf',
)('deploy/nginx.conf', () => {
  let certificates: Certificates
  let place: Place
  let registry: ServeRegistry
  let nginx: Nginx
  let ca: string
  let data: string
  let token: string
  const start = (): Promise<ServeRegistry> =>
    startServeOn(minio as RunningS3Server, {
      data,
      port: place.ports.registry,
      prefix: 'nginx',
      // one port for both: nginx tells them apart by name
      publicEndpoint: `https://${place.storeName}:${place.ports.tls}`,
      args: ['--public-url', `https://${place.registryName}:${place.ports.tls}`],
    })

  beforeAll(async () => {
    certificates = await makeCertificates()
    ca = await readFile(certificates.ca, 'utf8')
    data = await mkdtemp(join(tmpdir(), 'sif-library-nginx-data-'))
    const ports = {
      tls: await freePort(),
      plain: await freePort(),
      registry: await freePort(),
      store: minio?.port ?? 0,
    }
    // the two names that every machine has
    place = { registryName: '127.0.0.1', storeName: 'localhost', certificates, ports }
    nginx = await startNginx({ config: adapt(await deployed('nginx.conf'), place), port: ports.tls })
    registry = await start()
    token = await registry.tokenOf('alice')
  })
  afterAll(async () => {
    await registry?.stop()
    await nginx?.stop()
    await certificates?.remove()
    await rm(data, { recursive: true, force: true })
  })
  const get = (path: string): Promise<RawAnswer> => rawGet({ port: place.ports.tls, path, ca })

  it('passes nginx -t', async () => {
    const { code, stderr } = await checkNginx(adapt(await deployed('nginx.conf'), place))
    expect(stderr).toContain('test is successful')
    expect(stderr).not.toMatch(/\[(warn|emerg)\]/)
    expect(code).toBe(0)
  })

  it('redirects http to https, keeping method and path', async () => {
    const response = await fetch(`http://127.0.0.1:${place.ports.plain}/v1//images/x?arch=amd64`, {
      method: 'POST',
      redirect: 'manual',
    })
    expect(response.status).toBe(308)
    expect(response.headers.get('location')).toBe('https://127.0.0.1/v1//images/x?arch=amd64')
  })

  describeWhen(goMissing(), 'real clients through nginx').each(generationsOf('scs-0.5.5', 'scs-1.4.16'))(
    '$name',
    (generation) => {
      let images: ImageFolder
      let client: Client
      beforeAll(async () => {
        images = await makeImageFolder()
        const url = `https://${place.registryName}:${place.ports.tls}`
        client = await makeClient({ generation, url, token, env: { SSL_CERT_FILE: certificates.ca } })
      })
      afterAll(() => images.close())

      it.each([100_000, 70_000_000])('pushes and pulls %i bytes', async (size) => {
        const image = await images.fresh({ size, arch: 'amd64' })
        const reference = `alice/nginx/${generation.name.replaceAll('.', '-')}:${size}`
        const pushed = await client.run(['push', image.file, reference, '--arch', 'amd64'])
        expect(pushed.error ?? '', await nginx.logs()).toBe('')
        const out = images.target()
        const pulled = await client.run(['pull', reference, out, '--arch', 'amd64'])
        expect(pulled).toMatchObject({ ok: true, hash: image.hash, size })
        expect(await hashFile(out)).toBe(image.hash)
        for (const { url } of [...pushed.requests, ...pulled.requests])
          expect(new URL(url).port).toBe(String(place.ports.tls))
        const store = `https://${place.storeName}:${place.ports.tls}`
        expect(pulled.requests.some(({ url }) => new URL(url).origin === store)).toBe(mayGoToStore(client, store))
      })

      it('shows the maintenance answer while the registry is down, and goes on after it', async () => {
        await registry.kill()
        expect((await client.run(['get', 'alice/nginx/none:1', '--arch', 'amd64'])).error).toContain(
          'down for maintenance',
        )
        const down = await get('/version')
        expect(down.status).toBe(503)
        expect(down.headers['content-type']).toContain('application/json')
        expect(down.headers['retry-after']).toBe('30')
        expect(JSON.parse(down.text)).toMatchObject({
          error: { code: 503, message: expect.stringContaining('maintenance') },
        })
        registry = await start()
        expect((await get('/version')).status).toBe(200)
      })
    },
  )

  describe('x-amz-copy-source, which no signature covers', () => {
    const SECRET = 'what the registry must never show'
    let guarded: ServeRegistry
    let alice: PushCalls

    beforeAll(async () => {
      const server = minio as RunningS3Server
      // upload URLs that are signed with the root key, so that nothing but nginx stands between header and store
      guarded = await startServeOn(server, {
        prefix: 'guarded',
        publicEndpoint: `https://${place.storeName}:${place.ports.tls}`,
        args: ['--part-size', '5MiB'],
        env: {
          SIF_LIBRARY_UPLOAD_ACCESS_KEY_ID: server.accessKeyId,
          SIF_LIBRARY_UPLOAD_SECRET_ACCESS_KEY: server.secretAccessKey,
          // it tries the way of the clients at its start
          NODE_EXTRA_CA_CERTS: certificates.ca,
        },
      })
      alice = makePushCalls(guarded, await guarded.tokenOf('alice'))
      const { endpoint, region, accessKeyId, secretAccessKey } = server
      const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'foreign/secret', Body: SECRET }))
      s3.destroy()
    })
    afterAll(() => guarded?.stop())
    const copy = { 'x-amz-copy-source': `/${BUCKET}/foreign/secret` }

    it('puts no other bytes under a hash: it never reaches the store', async () => {
      const claimed = Buffer.from(SECRET.replaceAll(/[a-z]/g, 'x'))
      const id = await alice.makeImage('alice/guarded/a', claimed)
      const url = await alice.startSingle(id, claimed)
      expect(new URL(url).origin).toBe(`https://${place.storeName}:${place.ports.tls}`)
      expect(new URL(url).searchParams.has('X-Amz-Security-Token')).toBe(false)
      // past nginx the store would copy
      const past = await putAt(url, { bytes: claimed, headers: copy, ca, past: minio as RunningS3Server })
      expect([past.status, past.body.toString()]).toEqual([200, expect.stringContaining('CopyPartResult')])
      for (const header of ['x-amz-copy-source', 'X-Amz-Copy-Source', 'X-AMZ-COPY-SOURCE']) {
        const sent = await putAt(url, { bytes: claimed, headers: { [header]: copy['x-amz-copy-source'] }, ca })
        expect([sent.status, sent.body.toString()]).toEqual([200, ''])
      }
      expect((await alice.completeSingle(id)).status).toBe(200)
      const status = await guarded.operate(['verify', '--all', '--json'])
      expect(JSON.parse(status)).toMatchObject({ damaged: 0 })
    })

    it('reads nothing into a part, whole or by range', async () => {
      const whole = Buffer.alloc(5 * MiB + SECRET.length)
      const id = await alice.makeImage('alice/guarded/c', whole)
      const { uploadID, options } = await alice.startMultipart(id, whole.length)
      const bytes = whole.subarray(5 * MiB)
      const hash = options.s3compliant === 'true'
      const url = await alice.partUrl(id, { uploadID, partNumber: 2, bytes, hash })
      const own = createHash('md5').update(bytes).digest('hex')
      const ranges: readonly Readonly<Record<string, string>>[] = [{}, { 'x-amz-copy-source-range': 'bytes=0-0' }]
      for (const range of ranges) {
        const past = await putAt(url, { bytes, headers: { ...copy, ...range }, ca, past: minio as RunningS3Server })
        expect(past.body.toString()).toContain('CopyPartResult')
        const sent = await putAt(url, { bytes, headers: { ...copy, ...range }, ca })
        expect([sent.status, sent.headers.etag, sent.body.toString()]).toEqual([200, `"${own}"`, ''])
      }
    })
  })

  it('answers a flood from one address with 429 that clients show', async () => {
    const ports = { ...place.ports, tls: await freePort(), plain: await freePort() }
    // slower limits than those of the file, so that a slow machine reaches them too
    const config = adapt(await deployed('nginx.conf'), { ...place, ports })
    expect(config).toMatch(/rate=50r\/s;[\s\S]*burst=300 /)
    const strict = config.replace('rate=50r/s', 'rate=1r/m').replace('burst=300', 'burst=5')
    const second = await startNginx({ config: strict, port: ports.tls })
    try {
      const answers: RawAnswer[] = []
      for (let sent = 0; sent < 12; sent += 1) answers.push(await rawGet({ port: ports.tls, path: '/version', ca }))
      expect(answers.slice(0, 5).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
      const last = answers.at(-1)
      expect(last?.status).toBe(429)
      expect(last?.headers['retry-after']).toBe('10')
      expect(JSON.parse(last?.text ?? '')).toMatchObject({
        error: { code: 429, message: expect.stringContaining('too many requests') },
      })
    } finally {
      await second.stop()
    }
  })

  it('passes paths on as they came', async () => {
    const seen: string[] = []
    await registry.stop()
    const mirror = createServer((incoming, outgoing) => {
      seen.push(incoming.url ?? '')
      outgoing.end()
    })
    await new Promise<void>((resolve) => mirror.listen(place.ports.registry, '127.0.0.1', resolve))
    const paths = [
      '/v1/images///alpine:latest',
      '//version',
      '/v1/imagefile/a/b/c:1?arch%3Damd64',
      '/v1/images/a%2Fb/c/d:x%3Ay',
      '/v1/x/../y',
    ]
    for (const path of paths) await get(path)
    mirror.closeAllConnections()
    await new Promise((resolve) => mirror.close(resolve))
    expect(seen).toEqual(paths)
  })
})

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
}

interface ComposeService {
  readonly environment: Readonly<Record<string, string>>
  readonly volumes: readonly string[]
  readonly ports?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly image?: string
  readonly read_only?: boolean
  readonly tmpfs?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
}

it('deploy/Dockerfile names one version of Node, no moving tag', async () => {
  const bases = [...(await deployed('Dockerfile')).matchAll(/^FROM node:(\S+)/gm)].map(([, tag]) => tag)
  expect(bases).toHaveLength(2)
  expect(new Set(bases).size).toBe(1)
  expect(bases[0]).toMatch(/^\d+\.\d+\.\d+-bookworm-slim$/)
})

describe('deploy/compose.yml', () => {
  const values: Readonly<Record<string, string>> = {
    REGISTRY_URL: 'https://registry.example',
    MINIO_URL: 'https://s3.example',
    MINIO_ROOT_USER: 'user',
    MINIO_ROOT_PASSWORD: 'password',
    MINIO_REGISTRY_USER: 'registry',
    MINIO_REGISTRY_PASSWORD: 'its-password',
    POSTGRES_PASSWORD: 'of-records',
  }
  /** `${NAME:?message}` and `${NAME:-default}`, as compose fills them in. */
  const fill = (text: string): string =>
    text.replaceAll(/\$\{([A-Z0-9_]+)(?::\?[^}]*|:-([^}]*))?\}/g, (_, name: string, otherwise?: string) => {
      if (otherwise !== undefined) return otherwise
      expect(Object.keys(values)).toContain(name)
      return values[name] ?? ''
    })
  const read = async (name: string): Promise<Compose> =>
    parse(fill(await deployed(name)), { strict: true, merge: true }) as Compose
  let compose: Compose
  beforeAll(async () => {
    compose = await read('compose.yml')
  })

  it('gives the registry options that it knows, and a storage URL that it reads', () => {
    const environment = compose.services.registry?.environment ?? {}
    const known = [...optionKeys.map(optionVariable), 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
    for (const name of Object.keys(environment)) expect(known).toContain(name)
    // never the root user
    expect(environment).toMatchObject({ AWS_ACCESS_KEY_ID: 'registry', AWS_SECRET_ACCESS_KEY: 'its-password' })
    expect(Object.values(environment)).not.toContain('password')
    expect(s3OptionsFromUrl(environment.SIF_LIBRARY_STORAGE ?? '')).toEqual({
      bucket: 'images',
      endpoint: 'http://minio:9000',
      publicEndpoint: 'https://s3.example',
      region: 'us-east-1',
      pathStyle: true,
    })
  })

  it.each([
    ['compose.yml', ['registry', 'minio-user', 'minio']],
    ['compose-postgres.yml', ['registry', 'registry-2', 'postgres', 'minio-user', 'minio']],
  ])('%s names services, volumes and files that exist, and opens ports to this machine only', async (file, names) => {
    const { services, volumes } = await read(file)
    expect(Object.keys(services)).toEqual(names)
    for (const service of Object.values(services)) {
      for (const volume of service.volumes) {
        const [source = '', , mode] = volume.split(':')
        if (!source.startsWith('./')) expect(Object.keys(volumes)).toContain(source)
        else expect([mode, await deployed(source)]).toEqual(['ro', expect.stringMatching(/^#!/)])
      }
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
      for (const other of Object.keys(service.depends_on ?? {})) expect(Object.keys(services)).toContain(other)
    }
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        tmpfs: expect.arrayContaining(['/tmp']),
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      })
      if (service.build === undefined)
        expect(service.image, 'no moving tag').toMatch(/:(RELEASE\.\d{4}-\d\d-\d\dT[\d-]+Z|\d+\.\d+-bookworm)$/)
    }
    const { context, dockerfile } = services.registry?.build ?? { context: '', dockerfile: '' }
    expect(await readFile(join(PACKAGE, 'deploy', context, dockerfile), 'utf8')).toContain('ENTRYPOINT')
  })

  describeWhen(
    mc === undefined || minio === undefined ? 'MinIO or its client mc is not on this machine' : undefined,
    'the user that it makes in MinIO',
  )('the user that it makes in MinIO', () => {
    const registryKey = { accessKeyId: 'registry', secretAccessKey: 'a: pass/word@%' }
    let home: string

    /** The step of compose.yml, as its container runs it. */
    const makeUser = async (key: typeof registryKey): Promise<void> => {
      const { environment, entrypoint = [], volumes } = compose.services['minio-user'] as ComposeService
      const [source = '', target = ''] = volumes[0]?.split(':') ?? []
      expect(entrypoint).toEqual(['/bin/sh', target])
      const { accessKeyId, secretAccessKey, endpoint } = minio as RunningS3Server
      const given: Readonly<Record<string, string>> = {
        MINIO_URL: endpoint,
        MINIO_ROOT_USER: accessKeyId,
        MINIO_ROOT_PASSWORD: secretAccessKey,
        MINIO_REGISTRY_USER: key.accessKeyId,
        MINIO_REGISTRY_PASSWORD: key.secretAccessKey,
        MC_CONFIG_DIR: join(home, '.mc'),
      }
      expect(Object.keys(given)).toEqual(Object.keys(environment))
      const PATH = `${home}${delimiter}${process.env.PATH}`
      await runOk('/bin/sh', { args: [join(PACKAGE, 'deploy', source)], env: { ...given, HOME: home, PATH } })
    }

    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), 'sif-library-mc-'))
      await symlink(mc ?? '', join(home, 'mc'))
    })
    afterAll(() => rm(home, { recursive: true, force: true }))

    it('is enough for the registry, which signs uploads with a session of it', async () => {
      await makeUser({ ...registryKey, secretAccessKey: 'an older password' })
      // and again, as at every start
      await makeUser(registryKey)
      const server = { ...(minio as RunningS3Server), ...registryKey }
      const registry = await startServeOn(server)
      try {
        const alice = makePushCalls(registry, await registry.tokenOf('alice'))
        const bytes = testBytes(1000).bytes
        const id = await alice.makeImage('alice/least/image', bytes)
        const url = await alice.startSingle(id, bytes)
        expect(new URL(url).searchParams.has('X-Amz-Security-Token')).toBe(true)
        expect((await rawRequest(url, { method: 'PUT', headers: putHeaders(url, bytes), body: bytes })).status).toBe(
          200,
        )
        expect((await alice.completeSingle(id)).status).toBe(200)
        expect((await alice.pull('alice/least/image', bytes)).status).toBe(200)
      } finally {
        await registry.stop()
      }
    })

    it('may do nothing elsewhere', async () => {
      const { endpoint, region } = minio as RunningS3Server
      const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials: registryKey })
      const refused = { $metadata: expect.objectContaining({ httpStatusCode: 403 }) }
      await expect(s3.send(new CreateBucketCommand({ Bucket: 'another' }))).rejects.toMatchObject(refused)
      await expect(s3.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy: '{}' }))).rejects.toMatchObject(refused)
      await expect(s3.send(new DeleteBucketCommand({ Bucket: BUCKET }))).rejects.toMatchObject(refused)
      s3.destroy()
    })

    it('has the policy of the guide', async () => {
      const policyIn = (text: string): unknown => JSON.parse(/\{\n {2}"Version"[\s\S]*?\n\}/.exec(text)?.[0] ?? '')
      const guide = await readFile(join(PACKAGE, 'docs/stores/minio.md'), 'utf8')
      expect(policyIn((await deployed('minio-user.sh')).replaceAll('$bucket', 'images'))).toEqual(policyIn(guide))
    })
  })
})
