/** The real command lines, SingularityCE and Apptainer, at a registry with a port: log in, push, pull, search, delete. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWhen } from './harness/availability.js'
import { buildCommandLine, COMMAND_LINES, commandLineMissing } from './harness/cli-build.js'
import { hashFile, type Image, type ImageFolder, makeImageFolder } from './harness/images.js'
import { CLI } from './harness/paths.js'
import { type Finished, run, runOk } from './harness/run.js'
import { type Registry, startExpress, startServe } from './harness/server.js'

interface Host {
  readonly name: string
  readonly start: () => Promise<Registry>
  /** Writes the remote into the home folder, with a token of the user. */
  readonly configure: (options: {
    readonly registry: Registry
    readonly home: string
    readonly user: string
    readonly program: string
  }) => Promise<void>
}

const HOSTS: readonly Host[] = [
  {
    name: 'sif-library serve',
    start: () => startServe(),
    configure: async ({ registry, home, user }) => {
      await registry.tokenOf(user)
      await runOk(process.execPath, {
        args: [CLI, 'remote', 'local', '--user', user, '--write', '--data', registry.data],
        env: { HOME: home },
      })
    },
  },
  {
    name: 'Express under a prefix',
    start: () => startExpress({ prefix: '/library' }),
    configure: async ({ registry, home, user, program }) => {
      const folder = join(home, `.${program}`)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const entry = [
        'Active: local',
        'Remotes:',
        '  local:',
        `    URI: ${registry.url}`,
        `    Token: ${await registry.tokenOf(user)}`,
        '    System: false',
        '    Exclusive: false',
        '    Insecure: true',
      ]
      await writeFile(join(folder, 'remote.yaml'), `${entry.join('\n')}\n`, { mode: 0o600 })
    },
  },
]

describe.each(COMMAND_LINES)('$name', (cli) => {
  describeWhen(commandLineMissing(cli), cli.name).each(HOSTS)(`${cli.name} against $name`, ({ start, configure }) => {
    let program: string
    let registry: Registry
    let images: ImageFolder
    let home: string
    let stranger: string
    let small: Image
    const reference = 'library://alice/tools/bwa:1.0'

    /** SingularityCE takes the home folder from the user database, not from HOME; both take the folder of their configuration from the environment. */
    async function cliRun(args: readonly string[], at: string = home): Promise<Finished> {
      const word = cli.program.toUpperCase()
      return run(program, {
        args,
        cwd: at,
        env: {
          HOME: at,
          [`${word}_CONFIGDIR`]: join(at, `.${cli.program}`),
          [`${word}_CACHEDIR`]: join(at, 'cache'),
          [`${word}_TMPDIR`]: at,
          NO_COLOR: '1',
        },
        timeout: 180_000,
      })
    }

    async function expectDone(args: readonly string[], at?: string): Promise<string> {
      const { code, stdout, stderr } = await cliRun(args, at)
      expect(code, `${cli.program} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0)
      return stdout + stderr
    }

    async function expectRefused(args: readonly string[], at?: string): Promise<string> {
      const { code, stdout, stderr } = await cliRun(args, at)
      expect(code, `${cli.program} ${args.join(' ')}\n${stdout}\n${stderr}`).not.toBe(0)
      return stdout + stderr
    }

    beforeAll(async () => {
      program = await buildCommandLine(cli)
      images = await makeImageFolder()
      registry = await start()
      home = await mkdtemp(join(tmpdir(), 'sif-library-home-'))
      stranger = await mkdtemp(join(tmpdir(), 'sif-library-home-'))
      await configure({ registry, home, user: 'alice', program: cli.program })
      await configure({ registry, home: stranger, user: 'mallory', program: cli.program })
      small = await images.fresh({ size: 100_000, arch: 'amd64' })
    })
    afterAll(async () => {
      await registry?.stop()
      await images?.close()
      for (const folder of [home, stranger])
        if (folder !== undefined) await rm(folder, { recursive: true, force: true })
    })

    it('logs in with a token file, and not with a wrong token', async () => {
      const tokens = { right: join(home, 'right'), wrong: join(home, 'wrong') }
      await writeFile(tokens.right, await registry.tokenOf('alice'))
      await writeFile(tokens.wrong, 'w'.repeat(300))
      expect(await expectRefused(['remote', 'login', '--tokenfile', tokens.wrong, 'local'])).toContain(
        'Invalid Credentials',
      )
      expect(await expectDone(['remote', 'login', '--tokenfile', tokens.right, 'local'])).toContain(
        'Access Token Verified!',
      )
      expect(await expectDone(['remote', 'status', 'local'])).toContain('Valid authentication token set')
    })

    it('pushes and pulls a small image', async () => {
      await expectDone(['push', '-U', '-D', 'aligner', small.file, reference])
      const out = images.target()
      await expectDone(['pull', '--arch', 'amd64', out, reference])
      expect(await hashFile(out)).toBe(small.hash)
      const direct = images.target()
      await expectDone([
        'pull',
        '--arch',
        'amd64',
        '--disable-cache',
        direct,
        `library://alice/tools/bwa:${small.hash}`,
      ])
      expect(await hashFile(direct)).toBe(small.hash)
    })

    it('pushes a second arch under the same tag', async () => {
      const other = await images.fresh({ size: 100_001, arch: 'arm64' })
      await expectDone(['push', '-U', other.file, reference])
      for (const image of [small, other]) {
        const out = images.target()
        await expectDone(['pull', '--disable-cache', '--arch', image.arch, out, reference])
        expect(await hashFile(out)).toBe(image.hash)
      }
    })

    it('pushes and pulls above the multipart threshold', async () => {
      const large = await images.fresh({ size: 70_000_000, arch: 'amd64' })
      await expectDone(['push', '-U', large.file, 'library://alice/tools/large'])
      const out = images.target()
      await expectDone(['pull', '--disable-cache', '--arch', 'amd64', out, 'library://alice/tools/large:latest'])
      expect(await hashFile(out)).toBe(large.hash)
    })

    it('searches', async () => {
      expect(await expectDone(['search', '--arch', 'amd64', 'bwa'])).toContain('library://alice/tools/bwa:1.0')
    })

    it('keeps strangers out', async () => {
      const secret = await images.fresh({ size: 100_000, arch: 'amd64' })
      await expectDone(['push', '-U', secret.file, 'library://alice/secret/sauce:1.0'])
      await registry.makePrivate('alice/secret')
      await expectDone([
        'pull',
        '--disable-cache',
        '--arch',
        'amd64',
        images.target(),
        'library://alice/secret/sauce:1.0',
      ])
      expect(
        await expectRefused(
          ['pull', '--disable-cache', '--arch', 'amd64', images.target(), 'library://alice/secret/sauce:1.0'],
          stranger,
        ),
      ).toContain('does not exist in the library')
      expect(await expectDone(['search', '--arch', 'amd64', 'sauce'], stranger)).not.toContain('alice/secret')
      await expectRefused(['push', '-U', small.file, 'library://alice/tools/bwa:evil'], stranger)
      await expectRefused(['delete', '-F', '--arch', 'amd64', reference], stranger)
    })

    it('deletes', async () => {
      await expectDone(['delete', '-F', '--arch', 'amd64', reference])
      expect(await expectRefused(['pull', '--disable-cache', '--arch', 'amd64', images.target(), reference])).toContain(
        'does not exist in the library',
      )
      await expectDone(['pull', '--disable-cache', '--arch', 'arm64', images.target(), reference])
    })
  })
})
