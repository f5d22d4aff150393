/** The bytes of a large image go past the registry: counted at the sockets of the newest client. SIF_LIBRARY_TEST_LARGE=1 takes 1 GiB instead of 256 MiB. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startMinio } from '../../../scripts/s3-servers.mjs'
import { describeWhen } from '../harness/availability.js'
import { type Client, type ClientResult, generationsOf, makeClient } from '../harness/client.js'
import { type CountingProxy, startCountingProxy } from '../harness/counting-proxy.js'
import { goMissing } from '../harness/go.js'
import { hashFile, type Image, type ImageFolder, makeImageFolder } from '../harness/images.js'
import { startServeOn } from '../harness/s3-registry.js'
import { freePort, type Registry } from '../harness/server.js'
import { MiB, startOrSkip } from './servers.js'

const SIZE = (process.env.SIF_LIBRARY_TEST_LARGE === '1' ? 1024 : 256) * MiB
const [newest] = generationsOf('scs-1.4.16')

const minio = await startOrSkip('MinIO', startMinio)
afterAll(() => minio?.stop())

const missing = goMissing() ?? (minio === undefined ? 'MinIO is not on this machine' : undefined)
describeWhen(missing, 'bytes past the registry')(`${SIZE / MiB} MiB past the registry`, () => {
  let images: ImageFolder
  let image: Image
  let registry: Registry
  let toRegistry: CountingProxy
  let toStore: CountingProxy
  let client: Client

  beforeAll(async () => {
    if (minio === undefined || newest === undefined) return
    images = await makeImageFolder()
    image = await images.fresh({ size: SIZE, arch: 'amd64' })
    const port = await freePort()
    toRegistry = await startCountingProxy({ target: port })
    toStore = await startCountingProxy({ target: minio.port })
    // clients know both under other addresses than the servers know each other
    registry = await startServeOn(minio, { port, publicEndpoint: toStore.url, args: ['--public-url', toRegistry.url] })
    client = await makeClient({ generation: newest, url: toRegistry.url, token: await registry.tokenOf('alice') })
  })
  afterAll(async () => {
    await registry?.stop()
    await toRegistry?.close()
    await toStore?.close()
    await images?.close()
  })

  async function measure(what: string, args: readonly string[]): Promise<ClientResult> {
    toRegistry.reset()
    toStore.reset()
    const started = performance.now()
    const result = await client.run(args)
    expect(result.error ?? '').toBe('')
    const [app, store] = [toRegistry.counts(), toStore.counts()]
    const seconds = (performance.now() - started) / 1000
    console.info(
      `${what} of ${SIZE} bytes: ${app.sent + app.got} bytes through the registry, ${store.sent + store.got} through the store, ${seconds.toFixed(1)} s`,
    )
    expect(app.sent + app.got).toBeGreaterThan(0)
    expect(app.sent + app.got).toBeLessThanOrEqual(MiB)
    return result
  }

  it('push: at most 1 MiB passes through the registry', async () => {
    await measure('push', ['push', image.file, 'alice/tools/large:1.0', '--arch', 'amd64'])
    expect(toStore.counts().sent).toBeGreaterThanOrEqual(SIZE)
  })

  it('pull: at most 1 MiB passes through the registry', async () => {
    const out = images.target()
    expect(await measure('pull', ['pull', 'alice/tools/large:1.0', out, '--arch', 'amd64'])).toMatchObject({
      hash: image.hash,
      size: SIZE,
    })
    expect(toStore.counts().got).toBeGreaterThanOrEqual(SIZE)
    expect(await hashFile(out)).toBe(image.hash)
  })
})
