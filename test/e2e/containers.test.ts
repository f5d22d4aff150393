/** deploy/Dockerfile and the compose files as containers that run: by podman, with real clients, on volumes that outlive them. */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Compose, type Containers, ContainersMissing, openContainers } from '../../scripts/containers.mjs'
import { describeWhen } from './harness/availability.js'
import { type Certificates, makeCertificates } from './harness/certificates.js'
import { type Client, type ClientResult, generationsOf, makeClient } from './harness/client.js'
import { goMissing } from './harness/go.js'
import { hashFile, type Image, type ImageFolder, makeImageFolder } from './harness/images.js'
import { PACKAGE } from './harness/paths.js'
import { runOk } from './harness/run.js'
import { freePort } from './harness/server.js'

/** The commit before, on whose volumes a new image must start: raise it with each release. */
const BEFORE = '718993512198ba0b3245524e234a054dd675293b'
const CURRENT = 'localhost/sif-library-test:current'
const PREVIOUS = `localhost/sif-library-test:${BEFORE.slice(0, 12)}`
const deployed = (name: string): string => join(PACKAGE, 'deploy', name)

async function open(): Promise<Containers | ContainersMissing> {
  try {
    const containers = await openContainers()
    await containers.makeBases(['Dockerfile', 'compose.yml', 'compose-postgres.yml'].map(deployed))
    return containers
  } catch (error) {
    if (error instanceof ContainersMissing) return error
    throw error
  }
}

const missingGo = goMissing()
const opened = missingGo === undefined ? await open() : new ContainersMissing(missingGo)

describeWhen(opened instanceof ContainersMissing ? opened.message : undefined, 'containers')('containers', () => {
  const containers = opened as Containers
  const { podman, tryPodman } = containers
  let images: ImageFolder
  let small: Image

  beforeAll(async () => {
    await containers.build(CURRENT)
    images = await makeImageFolder()
    small = await images.fresh({ size: 100_000, arch: 'amd64' })
  })
  afterAll(() => images?.close())

  const inspect = async (what: 'container' | 'image', name: string, format: string): Promise<string> =>
    (await podman([what, 'inspect', '--format', format, name])).trim()

  /** Runs the command of HEALTHCHECK in a container: podman has no timer of its own for it. */
  async function checkHealth(container: string): Promise<number | null> {
    const test = JSON.parse(await inspect('image', CURRENT, '{{json .Config.Healthcheck.Test}}')) as string[]
    expect(test[0]).toBe('CMD')
    return (await tryPodman(['exec', container, ...test.slice(1)])).code
  }

  async function waitUntilReady(url: string, container: string): Promise<void> {
    for (let tries = 0; tries < 600; tries += 1) {
      const status = await fetch(`${url}/readyz`).then(
        (response) => response.status,
        () => 0,
      )
      if (status === 200) return
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    const { stdout, stderr } = await tryPodman(['logs', container])
    throw new Error(`${container} is not ready\n${stdout}\n${stderr}`)
  }

  const ofImage = ['sif-library']
  /** A user's token; `command` is how the image calls the CLI. */
  async function tokenOf(user: string, container: string, command: readonly string[] = ofImage): Promise<string> {
    await podman(['exec', container, ...command, 'user', 'add', user])
    return (await podman(['exec', container, ...command, 'token', 'create', user])).trim()
  }

  const clientOf = (url: string, token: string, name = 'container-1.4.12', env = {}): Promise<Client> =>
    makeClient({ generation: generationsOf(name)[0] as never, url, token, env })

  const expectOk = (result: ClientResult): void => {
    expect(result.error ?? '', JSON.stringify(result.requests, null, 1)).toBe('')
  }

  async function push(client: Client, image: Image, reference: string): Promise<void> {
    expectOk(await client.run(['push', image.file, reference, '--arch', image.arch]))
  }

  async function expectPull(client: Client, image: Image, reference: string): Promise<void> {
    const target = images.target()
    expectOk(await client.run(['pull', reference, target, '--arch', image.arch]))
    expect(await hashFile(target)).toBe(image.hash)
    await images.remove(target)
  }

  describe('the image', () => {
    const name = 'sif-library-test'
    let port: number
    let url: string
    let certificates: Certificates

    const start = async (
      image: string,
      args: readonly string[] = [],
      volumes: readonly string[] = [],
    ): Promise<void> => {
      const least = ['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'all', '--security-opt', 'no-new-privileges']
      const places = ['--publish', `127.0.0.1:${port}:8080`, '--volume', `${name}:/data`, ...volumes]
      await tryPodman(['rm', '--force', '--time', '0', name])
      await podman(['run', '--detach', '--name', name, ...least, ...places, image, '--public-url', url, ...args])
    }
    /** SIGTERM; resolves with the exit code. */
    const stop = async (): Promise<string> => {
      await podman(['stop', '--time', '20', name])
      const code = await inspect('container', name, '{{.State.ExitCode}}')
      await podman(['rm', name])
      return code
    }
    const clear = async (): Promise<void> => {
      await tryPodman(['rm', '--force', '--time', '0', name])
      await tryPodman(['volume', 'rm', '--force', name])
    }

    beforeAll(async () => {
      port = await freePort()
      url = `http://127.0.0.1:${port}`
      certificates = await makeCertificates()
    })
    afterAll(async () => {
      await clear()
      await certificates?.remove()
    })

    it('is small: what is above its base, and neither a compiler nor a cache', async () => {
      const { size, base } = await containers.measure(CURRENT)
      console.info(`the image has ${Math.round(size / 1e6)} MB, ${Math.round((size - base) / 1e6)} MB above its base`)
      expect(size - base).toBeLessThan(60e6)
      const script = 'ls -d /root/.npm/_cacache node_modules/typescript node_modules/tsup node_modules/vitest || true'
      const args = ['run', '--rm', '--user', 'root', '--entrypoint', 'sh', CURRENT, '-c', script]
      expect((await podman(args)).trim()).toBe('')
    })

    it('pushes and pulls as nobody, with a root that is read-only, and ends with 0', async () => {
      await clear()
      await start(CURRENT)
      await waitUntilReady(url, name)
      const inside = (script: string): Promise<string> => podman(['exec', name, 'sh', '-c', script])
      expect((await inside('id -un; stat -c %a:%U /data; tr "\\0" " " < /proc/1/cmdline')).trim().split('\n')).toEqual([
        'node',
        '700:node',
        `node /usr/local/bin/sif-library serve --public-url ${url}`,
      ])
      const status = await inside('cat /proc/1/status')
      expect(status).toMatch(/^CapEff:\s+0+$/m)
      expect(status).toMatch(/^CapBnd:\s+0+$/m)
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
      expect((await tryPodman(['exec', name, 'touch', '/app/x'])).stderr).toContain('Read-only file system')
      expect(await checkHealth(name)).toBe(0)

      const { stdout, stderr } = await tryPodman(['logs', name])
      // command lines that work in the container, and no word of a folder that others may read
      expect(stdout).toContain('  sif-library user add alice --data /data')
      expect(`${stdout}${stderr}`).not.toMatch(/node_modules|other users/)

      const token = await tokenOf('alice', name)
      for (const [generation, size] of [
        ['scs-0.5.5', 100_000],
        ['container-1.4.12', 70_000_000],
      ] as const) {
        const client = await clientOf(url, token, generation)
        const image = await images.fresh({ size, arch: 'amd64' })
        await push(client, image, `alice/image/${generation.replaceAll('.', '-')}:1`)
        await expectPull(client, image, `alice/image/${generation.replaceAll('.', '-')}:1`)
      }
      expect((await tryPodman(['exec', name, 'sif-library', 'doctor'])).stdout).toContain('all is well')
      expect(await stop()).toBe('0')
    })

    it('is healthy over TLS too, and not when the server is stopped', async () => {
      const files = join(certificates.folder)
      await runOk('chmod', { args: ['-R', 'a+rX', files] })
      const tls = ['--tls-cert', '/tls/public.crt', '--tls-key', '/tls/private.key']
      await start(CURRENT, tls, ['--volume', `${files}:/tls:ro`])
      for (let tries = 0; tries < 100 && (await checkHealth(name)) !== 0; tries += 1)
        await new Promise((resolve) => setTimeout(resolve, 200))
      expect(await checkHealth(name)).toBe(0)
      await podman(['kill', '--signal', 'STOP', name])
      expect(await checkHealth(name)).toBe(1)
      await podman(['kill', '--signal', 'CONT', name])
      expect(await stop()).toBe('0')
    })

    const hasHistory = spawnSync('git', ['cat-file', '-e', `${BEFORE}^{commit}`], { cwd: PACKAGE }).status === 0
    // a source archive has no history: no machine can be given what is missing
    if (!hasHistory) console.warn(`upgrade of a volume: skipped, this checkout has no commit ${BEFORE}`)
    ;(hasHistory ? it : it.skip)('starts on the volume of the version before, and serves what lies there', async () => {
      if (!(await containers.findImage(PREVIOUS))) {
        const folder = await mkdtemp(join(tmpdir(), 'sif-library-before-'))
        try {
          const archive = join(folder, 'archive.tar')
          await mkdir(join(folder, 'checkout'))
          await runOk('git', { args: ['archive', '--output', archive, BEFORE], cwd: PACKAGE })
          await runOk('tar', { args: ['--extract', '--file', archive, '--directory', join(folder, 'checkout')] })
          await containers.build(PREVIOUS, join(folder, 'checkout'))
        } finally {
          await rm(folder, { recursive: true, force: true })
        }
      }
      await clear()
      await start(PREVIOUS)
      await waitUntilReady(url, name)
      const former = ['node', 'node_modules/sif-library/dist/cli/main.js']
      await podman(['exec', name, ...former, 'user', 'add', 'alice', '--data', '/data'])
      const token = (await podman(['exec', name, ...former, 'token', 'create', 'alice', '--data', '/data'])).trim()
      const client = await clientOf(url, token)
      await push(client, small, 'alice/upgrade/image:1')
      expect(await stop()).toBe('0')

      await start(CURRENT)
      await waitUntilReady(url, name)
      await expectPull(client, small, 'alice/upgrade/image:1')
      const fresh = await images.fresh({ size: 100_000, arch: 'amd64' })
      await push(client, fresh, 'alice/upgrade/image:2')
      await expectPull(client, fresh, 'alice/upgrade/image:2')
      expect(await stop()).toBe('0')
    })
  })

  const secrets = {
    MINIO_ROOT_USER: 'root-of-minio',
    MINIO_ROOT_PASSWORD: 'its root password',
    MINIO_REGISTRY_USER: 'registry',
    MINIO_REGISTRY_PASSWORD: 'a: pass/word@%',
    POSTGRES_PASSWORD: 'another: pass/word@%',
  }

  /** Ports of this machine for the variables of a compose file, and what follows from them. */
  async function makeEnvironment(
    names: readonly string[],
  ): Promise<{ readonly env: Readonly<Record<string, string>>; readonly urlOf: (name: string) => string }> {
    const ports: Record<string, string> = {}
    for (const name of names) ports[name] = String(await freePort())
    const urlOf = (name: string): string => `http://127.0.0.1:${ports[name]}`
    return {
      env: { ...secrets, ...ports, REGISTRY_URL: urlOf('REGISTRY_PORT'), MINIO_URL: urlOf('MINIO_PORT') },
      urlOf,
    }
  }

  const up = ['up', '--detach', '--no-build']

  describe.each([
    { file: 'compose.yml', registries: { registry: 'REGISTRY_PORT' } },
    { file: 'compose-postgres.yml', registries: { registry: 'REGISTRY_PORT', 'registry-2': 'REGISTRY_2_PORT' } },
  ])('$file', ({ file, registries }) => {
    let compose: Compose
    let urls: readonly string[]
    let urlOf: (name: string) => string
    const services = Object.keys(registries)
    const ready = async (): Promise<void> => {
      for (const [index, service] of services.entries())
        await waitUntilReady(urls[index] ?? '', compose.containerOf(service))
    }

    beforeAll(async () => {
      const environment = await makeEnvironment([...Object.values(registries), 'MINIO_PORT'])
      urlOf = environment.urlOf
      urls = Object.values(registries).map(urlOf)
      const project = `sif-library-test-${file.replace(/\W/g, '-')}`
      compose = await containers.openCompose({ file: deployed(file), project, env: environment.env, image: CURRENT })
      // of a run that was killed
      await compose.run(['down', '--volumes'])
    })
    afterAll(() => compose?.run(['down', '--volumes']))

    it('pushes and pulls through the published ports, bytes past the registry, and keeps them over down and up', async () => {
      await compose.run(up)
      await ready()
      const [registry = ''] = services.map(compose.containerOf)
      const token = await tokenOf('alice', registry)
      const large = await images.fresh({ size: 70_000_000, arch: 'amd64' })
      const clients = await Promise.all(urls.map((url) => clientOf(url, token)))
      const [first, last] = [clients[0] as Client, clients.at(-1) as Client]
      await push(first, small, 'alice/compose/small:1')
      await push(first, large, 'alice/compose/large:1')
      await expectPull(last, small, 'alice/compose/small:1')
      await expectPull(last, large, 'alice/compose/large:1')
      for (const service of services) {
        expect(await checkHealth(compose.containerOf(service))).toBe(0)
        const target = ['container', compose.containerOf(service)] as const
        expect(await inspect(...target, '{{.HostConfig.ReadonlyRootfs}}')).toBe('true')
        expect((await tryPodman(['exec', compose.containerOf(service), 'cat', '/proc/1/status'])).stdout).toMatch(
          /^CapEff:\s+0+$/m,
        )
      }
      // bytes lie in MinIO, none on the volume of the registry
      const size = await podman(['exec', registry, 'du', '--summarize', '--bytes', '/data'])
      expect(Number(size.split('\t')[0])).toBeLessThan(10_000_000)

      for (const service of services) await podman(['stop', '--time', '20', compose.containerOf(service)])
      for (const service of services)
        expect(await inspect('container', compose.containerOf(service), '{{.State.ExitCode}}')).toBe('0')
      await compose.run(['down'])
      await compose.run(up)
      await ready()
      await expectPull(first, small, 'alice/compose/small:1')
      await expectPull(last, large, 'alice/compose/large:1')
      const fresh = await images.fresh({ size: 100_000, arch: 'amd64' })
      await push(last, fresh, 'alice/compose/small:2')
      await expectPull(first, fresh, 'alice/compose/small:2')
    })

    if (services.length > 1)
      it('serves while one of its registries is away', async () => {
        await podman(['stop', '--time', '20', compose.containerOf(services[0] ?? '')])
        const token = await tokenOf('bob', compose.containerOf(services[1] ?? ''))
        const client = await clientOf(urls[1] ?? '', token)
        await push(client, small, 'bob/compose/small:1')
        await expectPull(client, small, 'bob/compose/small:1')
      })
  })
})
