/** `remote add` and `remote login` of the real command lines: they take no URL with a port (protocol 6.1), so the registry listens on port 80. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWhen } from './harness/availability.js'
import { buildCommandLine, COMMAND_LINES, commandLineMissing } from './harness/cli-build.js'
import { hashFile, type ImageFolder, makeImageFolder } from './harness/images.js'
import { runOk } from './harness/run.js'
import { type Registry, startServe } from './harness/server.js'

/** An address of the loopback net that nobody else uses. */
const ADDRESS = '127.0.0.80'

async function portMissing(): Promise<string | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(`port 80 of ${ADDRESS} cannot be opened: ${error.message}`))
    server.listen(80, ADDRESS, () => server.close(() => resolve(undefined)))
  })
}

const noPort = await portMissing()

describe.each(COMMAND_LINES)('$name', (cli) => {
  describeWhen(commandLineMissing(cli) ?? noPort, `remote add of ${cli.name}`)('remote add', () => {
    let registry: Registry
    let images: ImageFolder
    let home: string
    beforeAll(async () => {
      images = await makeImageFolder()
      registry = await startServe({ port: 80, args: ['--host', ADDRESS] })
      home = await mkdtemp(join(tmpdir(), 'sif-library-home-'))
    })
    afterAll(async () => {
      await registry?.stop()
      await images?.close()
      if (home !== undefined) await rm(home, { recursive: true, force: true })
    })

    it('adds the registry, logs in with a token file, pushes and pulls', async () => {
      const program = await buildCommandLine(cli)
      const word = cli.program.toUpperCase()
      const configuration = join(home, `.${cli.program}`)
      await mkdir(configuration, { mode: 0o700 })
      const env = {
        HOME: home,
        [`${word}_CONFIGDIR`]: configuration,
        [`${word}_CACHEDIR`]: join(home, 'cache'),
        [`${word}_TMPDIR`]: home,
      }
      const cliRun = (args: readonly string[]): Promise<string> => runOk(program, { args, env, cwd: home })
      const tokenFile = join(home, 'token')
      await writeFile(tokenFile, await registry.tokenOf('alice'), { mode: 0o600 })

      await cliRun(['remote', 'add', '--insecure', '--no-login', 'campus', `http://${ADDRESS}`])
      await cliRun(['remote', 'login', '--tokenfile', tokenFile, 'campus'])
      await cliRun(['remote', 'use', 'campus'])
      const image = await images.fresh({ size: 100_000, arch: 'amd64' })
      await cliRun(['push', '-U', image.file, 'library://alice/tools/bwa:1.0'])
      const out = images.target()
      await cliRun(['pull', '--arch', 'amd64', out, 'library://alice/tools/bwa:1.0'])
      expect(await hashFile(out)).toBe(image.hash)
    })
  })
})
