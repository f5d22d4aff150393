/** An old and a new generation of the real client over TLS, where they take HTTP/2 on their own; and HTTP/1.1 at the same port. */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWhen } from './harness/availability.js'
import { type Certificates, makeCertificates, opensslMissing } from './harness/certificates.js'
import { type Client, type ClientResult, generationsOf, makeClient } from './harness/client.js'
import { goMissing } from './harness/go.js'
import { HTTP2_HOSTS, startHost } from './harness/host-registry.js'
import { hashFile, type ImageFolder, makeImageFolder } from './harness/images.js'
import type { Registry } from './harness/server.js'

const arch = 'amd64'

function expectOk(result: ClientResult): ClientResult {
  expect(result.error ?? '', JSON.stringify(result.requests, null, 1)).toBe('')
  return result
}

/** Asks by HTTP/1.1: the status and the version of the answer. */
function askHttp1(url: string, ca: string): Promise<readonly [number | undefined, string]> {
  return new Promise((resolve, reject) => {
    request(url, { ca: readFileSync(ca), agent: false }, (response) => {
      response.resume()
      resolve([response.statusCode, response.httpVersion])
    })
      .on('error', reject)
      .end()
  })
}

describeWhen(goMissing() ?? opensslMissing(), 'real clients over HTTP/2')('real clients over HTTP/2', () => {
  let images: ImageFolder
  let certificates: Certificates
  beforeAll(async () => {
    images = await makeImageFolder()
    certificates = await makeCertificates()
  })
  afterAll(async () => {
    await images.close()
    await certificates.remove()
  })

  describe.each(HTTP2_HOSTS)('%s', (host) => {
    let registry: Registry
    beforeAll(async () => {
      registry = await startHost(host, { TLS_CERTIFICATE: certificates.certificate, TLS_KEY: certificates.key })
    })
    afterAll(() => registry?.stop())

    describe.each(generationsOf('scs-0.4.4', 'container-1.4.12'))('$name ($cli)', (generation) => {
      let client: Client
      beforeAll(async () => {
        client = await makeClient({
          generation,
          url: registry.url,
          token: await registry.tokenOf('alice'),
          env: { SSL_CERT_FILE: certificates.ca },
        })
      })

      it.each([
        ['small', 100_000],
        ['above 64 MiB', 70_000_000],
      ])('pushes an image that is %s, finds it and pulls it', async (_words, size) => {
        const image = await images.fresh({ size, arch })
        const container = `s${size}-${generation.name.replace(/\W/g, '')}`
        const reference = `alice/tools/${container}:1.0`
        const pushed = expectOk(await client.run(['push', image.file, reference, '--arch', arch]))
        const hasParts = pushed.requests.some(({ url }) => url.includes('/_multipart'))
        expect(hasParts).toBe(generation.parts && size > 64 * 2 ** 20)
        const found = expectOk(await client.run(['search', container, '--arch', arch]))
        expect(found.data).toMatchObject({ image: [{ hash: image.hash }] })
        const out = images.target()
        expectOk(await client.run(['pull', reference, out, '--arch', arch]))
        expect(await hashFile(out)).toBe(image.hash)
        await images.remove(out)
        await images.remove(image.file)
      })
    })

    it('spoke HTTP/2 with them, and speaks HTTP/1.1 too', async () => {
      expect(registry.logs()).toContain('HTTP/2 was spoken')
      expect(await askHttp1(`${registry.url}/version`, certificates.ca)).toEqual([200, '1.1'])
    })
  })
})
