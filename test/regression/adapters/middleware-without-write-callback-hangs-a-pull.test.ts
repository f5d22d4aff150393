/** Middlewares put their own `write` on the response (compression 1.7 forgets the callback, others keep the chunks): a pull must neither hang nor change what they kept. */
import { createServer, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { libraryListener } from '../../../src/adapters/node.js'
import { push } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'

async function pullBehind(
  wrap: (res: ServerResponse) => void,
  Response: typeof ServerResponse = ServerResponse,
): Promise<Buffer> {
  const registry = await createTestRegistry({ storage: 'filesystem' })
  const bytes = Buffer.alloc(12_000_000)
  for (let index = 0; index < bytes.length; index += 4) bytes.writeUInt32LE(index, index)
  await push(registry, 'alice/tools/bwa', bytes)
  const location = (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest')).headers.location ?? ''
  const listener = libraryListener(registry.library)
  const server = createServer({ ServerResponse: Response }, (req, res) => {
    wrap(res)
    listener(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${location.slice(registry.publicUrl.length)}`
    const pulled = Buffer.from(await (await fetch(url, { signal: AbortSignal.timeout(20_000) })).arrayBuffer())
    expect(pulled.equals(bytes)).toBe(true)
    return bytes
  } finally {
    server.close()
    server.closeAllConnections()
    await registry.close()
  }
}

it('a write that forgets its callback', async () => {
  await pullBehind((res) => {
    const write = res.write.bind(res)
    res.write = ((chunk: Uint8Array) => write(chunk)) as typeof res.write
  })
})

it('a write that keeps the chunks', async () => {
  const kept: Uint8Array[] = []
  const bytes = await pullBehind((res) => {
    const write = res.write.bind(res)
    res.write = ((chunk: Uint8Array, done: () => void) => {
      kept.push(chunk)
      return write(chunk, done)
    }) as typeof res.write
  })
  expect(Buffer.concat(kept).equals(bytes)).toBe(true)
})

it('a response class of the host that keeps the chunks', async () => {
  const kept: Uint8Array[] = []
  class KeepingResponse extends ServerResponse {
    override write(chunk: Uint8Array, done?: unknown): boolean {
      kept.push(chunk)
      return super.write(chunk, done as () => void)
    }
  }
  const bytes = await pullBehind(() => {}, KeepingResponse as unknown as typeof ServerResponse)
  expect(Buffer.concat(kept).equals(bytes)).toBe(true)
})
