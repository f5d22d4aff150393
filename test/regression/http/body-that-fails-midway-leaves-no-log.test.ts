import { expect, test } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { push } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'

test('a pull that the storage breaks off is in the log, with the request id', async () => {
  const memory = memoryStorage()
  let breaks = false
  const storage = {
    ...memory,
    put: memory.put.bind(memory),
    stat: memory.stat.bind(memory),
    delete: memory.delete.bind(memory),
    list: memory.list.bind(memory),
    get: async (key: string, options?: Parameters<typeof memory.get>[1]) => {
      const content = await memory.get(key, options)
      if (!breaks) return content
      const body = async function* () {
        yield Buffer.from('half')
        throw new Error('the disk is gone')
      }
      return { ...content, body: body() }
    },
  }
  const registry = await createTestRegistry({ storage })
  try {
    await push(registry, 'alice/tools/bwa', Buffer.from('the bytes of an image'))
    const redirect = await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest')
    breaks = true
    const path = String(redirect.headers.location).slice(registry.publicUrl.length)
    const { body } = (await registry.library.handle({
      method: 'GET',
      path,
      query: '',
      headers: { 'x-request-id': 'lost-disk' },
      body: { kind: 'none' },
    })) ?? {
      body: null,
    }
    const read = async () => {
      for await (const _ of body as AsyncIterable<Uint8Array>);
    }
    await expect(read()).rejects.toThrow('the disk is gone')
    expect(registry.logs.filter(({ message }) => message === 'a body was cut short')).toMatchObject([
      { facts: { requestId: 'lost-disk' } },
    ])
  } finally {
    await registry.close()
  }
})
