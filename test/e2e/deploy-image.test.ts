/** deploy/Dockerfile without a container engine: its own steps, read from the file, run one by one in a folder, on the Node version that it names. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWhen } from './harness/availability.js'
import { PACKAGE } from './harness/paths.js'
import { type Finished, run, runOk } from './harness/run.js'
import { freePort } from './harness/server.js'
import { type ServerProcess, startProcess } from './harness/server-process.js'

interface Instruction {
  readonly word: string
  readonly rest: string
}

/** The instructions of each stage: comments dropped, continued lines joined. */
function readStages(dockerfile: string): readonly (readonly Instruction[])[] {
  const stages: Instruction[][] = []
  const lines = dockerfile.replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\s*\\\n\s*/g, ' ')
  for (const line of lines.split('\n').filter((text) => text.trim() !== '')) {
    const [word = '', ...rest] = line.trim().split(' ')
    if (word === 'FROM') stages.push([])
    stages.at(-1)?.push({ word, rest: rest.join(' ') })
  }
  return stages
}

const [build = [], final = []] = readStages(await readFile(join(PACKAGE, 'deploy/Dockerfile'), 'utf8'))
const all = (stage: readonly Instruction[], word: string): readonly string[] =>
  stage.filter((each) => each.word === word).map(({ rest }) => rest)
const version = /^node:([\d.]+)-/.exec(all(final, 'FROM')[0] ?? '')?.[1] ?? ''

/** The Node of the image, from the npm package of that name. */
async function findNode(): Promise<string | undefined> {
  const { code, stdout } = await run('npm', {
    // the package puts its program in place by an install script, which this checkout forbids
    args: [
      ...['exec', '--yes', '--prefer-offline', '--ignore-scripts=false', `--package=node@${version}`],
      ...['--', 'node', '-p', 'process.execPath'],
    ],
  })
  return code === 0 ? stdout.trim().split('\n').at(-1) : undefined
}

const node = await findNode()

describeWhen(node === undefined ? `there is no Node ${version} to be had` : undefined, 'deploy/Dockerfile')(
  'deploy/Dockerfile',
  () => {
    let root: string
    let env: Readonly<Record<string, string>>
    let port: number
    let server: ServerProcess | undefined

    /** Paths, owner and address of the container become those of this machine. */
    const here = (text: string): string =>
      text
        .replaceAll('/tmp/', `${root}/tmp/`)
        .replaceAll(/\/tmp(?= |$)/g, `${root}/tmp`)
        .replaceAll(/(^|[ "])\/data\b/g, `$1${root}/data`)
        .replaceAll('node:node', `${process.getuid?.()}:${process.getgid?.()}`)
        .replaceAll('0.0.0.0', '127.0.0.1')
        .replaceAll('8080', String(port))
    const step = (folder: string, command: string): Promise<string> =>
      runOk('sh', { args: ['-c', here(command)], cwd: join(root, folder), env, timeout: 600_000 })
    const list = (text: string): readonly string[] => JSON.parse(here(text.slice(text.indexOf('[')))) as string[]
    const checkHealth = (): Promise<Finished> => {
      const [program = '', ...args] = list(all(final, 'HEALTHCHECK')[0] ?? '')
      // WORKDIR of the image
      return run(program, { args, env, cwd: join(root, 'app') })
    }

    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'sif-library-image-'))
      for (const folder of ['build', 'app', 'tmp']) await mkdir(join(root, folder))
      env = { PATH: `${dirname(node ?? '')}${delimiter}${process.env.PATH}`, NODE_ENV: '' }
      port = await freePort()
    })
    afterAll(async () => {
      await server?.kill()
      await rm(root, { recursive: true, force: true })
    })

    it('has two stages and runs as somebody else than root', () => {
      expect(version, 'one version, no moving tag').toMatch(/^\d+\.\d+\.\d+$/)
      expect(all(build, 'FROM')).toEqual([`node:${version}-bookworm-slim AS build`])
      expect(final.findIndex(({ word }) => word === 'USER')).toBeLessThan(
        final.findIndex(({ word }) => word === 'ENTRYPOINT'),
      )
      expect(all(final, 'USER')).toEqual(['node'])
      expect(all(final, 'EXPOSE')).toEqual(['8080'])
    })

    it('builds and packs', async () => {
      const [first = '', second] = all(build, 'COPY')
      for (const name of first.split(' ').slice(0, -1)) await cp(join(PACKAGE, name), join(root, 'build', name))
      const [install, pack = ''] = all(build, 'RUN')
      // downloads hundreds of packages: here those of this checkout stand in for it, and the lock is held against what it locks
      expect(install).toBe('npm ci --ignore-scripts')
      const [manifest, lock] = await Promise.all(
        ['package.json', 'package-lock.json'].map(async (name) =>
          JSON.parse(await readFile(join(PACKAGE, name), 'utf8')),
        ),
      )
      for (const kind of ['dependencies', 'devDependencies', 'peerDependencies'])
        expect(lock.packages[''][kind]).toEqual(manifest[kind])
      expect(second).toBe('. .')
      const ignored = (await readFile(join(PACKAGE, 'deploy/Dockerfile.dockerignore'), 'utf8'))
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
      for (const name of await readdir(PACKAGE))
        if (!ignored.includes(name)) await cp(join(PACKAGE, name), join(root, 'build', name), { recursive: true })
      await symlink(join(PACKAGE, 'node_modules'), join(root, 'build/node_modules'))
      await step('build', pack)
      expect(await readdir(join(root, 'tmp'))).toEqual([expect.stringMatching(/^sif-library-.*\.tgz$/)])
    })

    it('installs the package and its optional peers, and no compiler', async () => {
      expect(all(final, 'COPY')).toEqual(['--from=build /tmp/sif-library-*.tgz /tmp/'])
      const [install = ''] = all(final, 'RUN')
      await step('app', `NODE_ENV=production; export NODE_ENV; ${install}`)
      const peers = [
        '@aws-sdk/client-s3',
        '@smithy/signature-v4',
        '@smithy/protocol-http',
        'pg',
        'node:sqlite',
        'sif-library/storage/s3',
        'sif-library/metadata/postgres',
      ]
      const imports = peers.map((name) => `await import('${name}')`).join('; ')
      await step('app', `node --input-type=module -e "${imports}"`)
      expect(await readdir(join(root, 'app/node_modules'))).not.toContain('typescript')
      expect(await readdir(join(root, 'tmp'))).toEqual([])
    })

    it('starts, is healthy, and drains on SIGTERM', async () => {
      const [program = '', script = '', ...args] = list(all(final, 'ENTRYPOINT')[0] ?? '')
      expect(program).toBe('node')
      server = await startProcess({
        program: node ?? program,
        args: [join(root, 'app', script), ...args, '--public-url', 'https://registry.example'],
        env,
      })
      expect(server.url).toBe(`http://127.0.0.1:${port}`)
      expect((await checkHealth()).code).toBe(0)
      expect(await readdir(join(root, 'data'))).toContain('admin-token')
      expect(await server.stop()).toBe(0)
      expect(server.logs()).toContain(`"node":"v${version}"`)
      expect((await checkHealth()).code).toBe(1)
    })
  },
)
