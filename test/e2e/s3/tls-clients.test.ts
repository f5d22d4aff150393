/** Registry and MinIO speak TLS with certificates of an own CA; real clients and real command lines trust it by SSL_CERT_FILE. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningS3Server, startMinio } from '../../../scripts/s3-servers.mjs'
import { describeWhen } from '../harness/availability.js'
import { type Certificates, makeCertificates, opensslMissing } from '../harness/certificates.js'
import { COMMAND_LINES, commandLineMissing } from '../harness/cli-build.js'
import { generationsOf, makeClient, mayGoToStore } from '../harness/client.js'
import { type CommandLineUser, makeCommandLineUser } from '../harness/command-line.js'
import { goMissing } from '../harness/go.js'
import { hashFile, type ImageFolder, makeImageFolder } from '../harness/images.js'
import { startServeOn } from '../harness/s3-registry.js'
import type { ServeRegistry } from '../harness/server.js'
import { startOrSkip } from './servers.js'

const SIZES = [100_000, 70_000_000]

const certificates: Certificates | undefined = opensslMissing() === undefined ? await makeCertificates() : undefined
const minio: RunningS3Server | undefined =
  certificates === undefined
    ? undefined
    : await startOrSkip('MinIO', () => startMinio({ certsDirectory: certificates.folder }))
afterAll(async () => {
  await minio?.stop()
  await certificates?.remove()
})
const absent = opensslMissing() ?? (minio === undefined ? 'MinIO is not on this machine' : undefined)

describe('TLS of an own CA', () => {
  const trust = { SSL_CERT_FILE: certificates?.ca ?? '' }
  let registry: ServeRegistry
  let images: ImageFolder
  beforeAll(async () => {
    if (minio === undefined || certificates === undefined) return
    images = await makeImageFolder()
    const { ca, certificate, key } = certificates
    registry = await startServeOn(minio, { args: ['--tls-cert', certificate, '--tls-key', key], parameters: { ca } })
  })
  afterAll(async () => {
    await registry?.stop()
    await images?.close()
  })

  describeWhen(goMissing() ?? absent, 'clients over TLS').each(
    generationsOf('scs-0.5.5', 'scs-1.4.16', 'container-1.4.12'),
  )('$name', (generation) => {
    it.each(SIZES)('pushes and pulls %i bytes', async (size) => {
      const client = await makeClient({
        generation,
        url: registry.url,
        token: await registry.tokenOf('alice'),
        env: trust,
      })
      const image = await images.fresh({ size, arch: 'amd64' })
      const reference = `alice/${generation.name.replaceAll('.', '-')}/image:${size}`
      const pushed = await client.run(['push', image.file, reference, '--arch', 'amd64'])
      expect(pushed.error ?? '').toBe('')
      const out = images.target()
      const pulled = await client.run(['pull', reference, out, '--arch', 'amd64'])
      expect(pulled).toMatchObject({ ok: true, hash: image.hash, size })
      expect(await hashFile(out)).toBe(image.hash)
      for (const { url } of [...pushed.requests, ...pulled.requests]) expect(new URL(url).protocol).toBe('https:')
      const store = minio?.endpoint ?? ''
      expect(pulled.requests.some(({ url }) => new URL(url).origin === store)).toBe(mayGoToStore(client, store))
    })

    it('is refused by a client that does not know the CA', async () => {
      const client = await makeClient({ generation, url: registry.url })
      expect((await client.run(['version'])).error).toMatch(/certificate/)
    })
  })

  describe.each(COMMAND_LINES)('$name', (cli) => {
    describeWhen(commandLineMissing(cli) ?? absent, `${cli.name} over TLS`)('command line', () => {
      let user: CommandLineUser
      beforeAll(async () => {
        user = await makeCommandLineUser(cli, trust)
        await registry.tokenOf(cli.program)
        await registry.operate(['remote', 'local', '--user', cli.program, '--write'], { HOME: user.home })
      })
      afterAll(() => user?.remove())

      it.each(SIZES)('pushes and pulls %i bytes', async (size) => {
        const image = await images.fresh({ size, arch: 'amd64' })
        const reference = `library://${cli.program}/tools/image:${size}`
        await user.run(['push', '-U', image.file, reference])
        const out = images.target()
        await user.run(['pull', '--disable-cache', '--arch', 'amd64', out, reference])
        expect(await hashFile(out)).toBe(image.hash)
      })
    })
  })
})
