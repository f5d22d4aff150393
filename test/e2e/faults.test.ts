/** Real clients behind a network that fails: what they believe, and what the server must not let them do. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { describeWhen } from './harness/availability.js'
import { type Client, GENERATIONS, makeClient } from './harness/client.js'
import { type FaultyProxy, startFaultyProxy } from './harness/faulty-proxy.js'
import { goMissing } from './harness/go.js'
import { hashFile, type Image, type ImageFolder, makeImageFolder } from './harness/images.js'
import { freePort, type Registry, startServe } from './harness/server.js'

const LARGE = 70_000_000

const generations = GENERATIONS.filter(({ parts }) => parts)

describeWhen(goMissing(), 'real clients behind a faulty network')('real clients behind a faulty network', () => {
  let images: ImageFolder
  let proxy: FaultyProxy
  let registry: Registry
  let token: string
  let large: Image
  beforeAll(async () => {
    images = await makeImageFolder()
    proxy = await startFaultyProxy()
    const port = await freePort()
    proxy.target = `http://127.0.0.1:${port}`
    registry = await startServe({ port, args: ['--public-url', proxy.url] })
    token = await registry.tokenOf('alice')
  })
  beforeEach(async () => {
    proxy.fault = () => undefined
    if (large) await images.remove(large.file)
    large = await images.fresh({ size: LARGE, arch: 'amd64' })
  })
  afterAll(async () => {
    await registry?.stop()
    await proxy?.close()
    await images.close()
  })

  /** Spoils the nth PUT of bytes. */
  function spoilTransfer(nth: number, fault: { readonly status: number } | 'cut'): void {
    let count = 0
    proxy.fault = ({ method, path }) =>
      method === 'PUT' && path.startsWith('/transfers/') && ++count === nth ? fault : undefined
  }

  async function expectNothingThenPush(client: Client, reference: string): Promise<void> {
    proxy.fault = () => undefined
    const path = reference.slice(0, reference.indexOf(':'))
    for (const selector of [reference, `${path}:${large.hash}`]) {
      expect(await client.run(['pull', selector, images.target(), '--arch', 'amd64'])).toMatchObject({ ok: false })
    }
    const again = await client.run(['push', large.file, reference, '--arch', 'amd64'])
    expect(again.error ?? '').toBe('')
    const out = images.target()
    expect(await client.run(['pull', reference, out, '--arch', 'amd64'])).toMatchObject({ ok: true, hash: large.hash })
    expect(await hashFile(out)).toBe(large.hash)
    await images.remove(out)
  }

  it.each(generations)('Q11: $name, a part that fails leaves no tag on an image without bytes', async (generation) => {
    const client = await makeClient({ generation, url: proxy.url, token })
    const reference = `alice/faults/${generation.name.replaceAll('.', '-')}:1.0`
    spoilTransfer(1, { status: 503 })
    const result = await client.run(['push', large.file, reference, '--arch', 'amd64'])
    expect(result.ok).toBe(false)
    expect(result.requests.some(({ url, status }) => url.endsWith('/_multipart_abort') && status < 300)).toBe(true)
    // 0.5.5 takes the abort's success for the upload's and goes on to tag: only the server can stop it
    const tags = result.requests.filter(({ method, url }) => method === 'POST' && /\/v[12]\/tags\//.test(url))
    expect(tags.length).toBe(generation.name === 'scs-0.5.5' ? 1 : 0)
    for (const { status } of tags) expect(status).toBe(409)
    await expectNothingThenPush(client, reference)
  })

  it.each(generations.filter(({ name }) => ['scs-0.5.5', 'scs-1.4.16', 'container-1.4.12'].includes(name)))(
    '$name, a connection that breaks in the second part',
    async (generation) => {
      const client = await makeClient({ generation, url: proxy.url, token })
      const reference = `alice/cuts/${generation.name.replaceAll('.', '-')}:1.0`
      spoilTransfer(2, 'cut')
      expect((await client.run(['push', large.file, reference, '--arch', 'amd64'])).ok).toBe(false)
      await expectNothingThenPush(client, reference)
    },
  )
})

describeWhen(goMissing(), 'real clients against a server without multipart')(
  'real clients against a server without multipart',
  () => {
    let images: ImageFolder
    let registry: Registry
    beforeAll(async () => {
      images = await makeImageFolder()
      registry = await startServe({ args: ['--no-multipart'] })
    })
    afterAll(async () => {
      await registry?.stop()
      await images.close()
    })

    it.each(generations)('$name falls back to one PUT', async (generation) => {
      const client = await makeClient({ generation, url: registry.url, token: registry.token })
      const large = await images.fresh({ size: LARGE, arch: 'amd64' })
      const reference = `admin/single/${generation.name.replaceAll('.', '-')}:1.0`
      const pushed = await client.run(['push', large.file, reference, '--arch', 'amd64'])
      expect(pushed.error ?? '').toBe('')
      expect(pushed.requests.filter(({ url }) => url.includes('/_multipart')).map(({ status }) => status)).toEqual([
        404,
      ])
      const out = images.target()
      expect(await client.run(['pull', reference, out, '--arch', 'amd64'])).toMatchObject({
        ok: true,
        hash: large.hash,
        size: LARGE,
      })
      await images.remove(out)
      await images.remove(large.file)
    })
  },
)
