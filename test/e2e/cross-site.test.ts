/** The rule against writes of foreign web pages, and the real clients: none sends a header that it looks at, so each writes as before, without a token too. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { libraryListener } from '../../src/adapters/node.js'
import { allowAll, createLibrary, type Library } from '../../src/core/index.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { describeWhen } from './harness/availability.js'
import { GENERATIONS, makeClient } from './harness/client.js'
import { goMissing } from './harness/go.js'
import { type ImageFolder, makeImageFolder } from './harness/images.js'

describeWhen(goMissing(), 'real clients')('real clients', () => {
  const came: Pick<IncomingMessage, 'method' | 'headers'>[] = []
  let library: Library
  let server: Server
  let images: ImageFolder
  let url: string

  beforeAll(async () => {
    images = await makeImageFolder()
    library = createLibrary({
      publicUrl: () => url,
      storage: memoryStorage(),
      metadata: sqliteMetadata({ file: ':memory:' }),
      auth: allowAll(),
    })
    const listener = libraryListener(library)
    server = createServer((request, response) => {
      came.push({ method: request.method, headers: request.headers })
      listener(request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await library.close()
    await images.close()
  })
  beforeEach(() => {
    came.splice(0)
  })

  it.each(GENERATIONS)('$name writes without a token, and sends neither header', async (generation) => {
    const client = await makeClient({ generation, url, token: undefined })
    const reference = `lab/${generation.name.replaceAll('.', '-')}/n:1`
    // above the threshold of 64 MiB for uploads in parts
    for (const size of generation.parts ? [100_000, 70_000_000] : [100_000]) {
      const image = await images.fresh({ size, arch: 'amd64' })
      expect(await client.run(['push', image.file, reference, '--arch', 'amd64'])).toMatchObject({ ok: true })
      await images.remove(image.file)
    }
    if (generation.deletes)
      expect(await client.run(['delete', reference, '--arch', 'amd64'])).toMatchObject({ ok: true })
    const writes = came.filter(({ method }) => method !== 'GET' && method !== 'HEAD')
    const methods = new Set(writes.map(({ method }) => method))
    expect([...methods].sort()).toEqual(generation.deletes ? ['DELETE', 'POST', 'PUT'] : ['POST', 'PUT'])
    for (const { headers } of came)
      expect(Object.keys(headers).filter((name) => /^(origin|sec-)/.test(name))).toEqual([])
  })
})
