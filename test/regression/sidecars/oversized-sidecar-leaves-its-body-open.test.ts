import { expect, it } from 'vitest'
import { readSidecar } from '../../../src/core/sidecars/document.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'

it('the body of a sidecar that is refused for its size is closed', async () => {
  let closed = 0
  const body: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(new Error('the body was read')),
      return: () => {
        closed += 1
        return Promise.resolve({ done: true, value: undefined })
      },
    }),
  }
  const memory = memoryStorage()
  const storage = { ...memory, get: () => Promise.resolve({ body, size: 64 * 1024 ** 2 + 1 }) }
  const key = 'records/entities/0123456789abcdef01234567/00000001'
  await expect(readSidecar(storage as unknown as typeof memory, key)).rejects.toThrow('it has 67108865 bytes')
  expect(closed).toBe(1)
})
