/** A body that was handed out: slow readers are never cut, those that stopped for good hold nothing. */
import { readdirSync, readlinkSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withReaderTimeout } from '../../../src/core/http/response-body.js'
import type { LibraryResponse } from '../../../src/core/index.js'
import { push } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const chunk = new Uint8Array(1)
const second = 1000

/** A body of many chunks, handed out; `slow` is what each chunk waits for. */
function handed({
  idleSeconds = 60,
  start,
  count = 1000,
  slow = async () => {},
}: {
  idleSeconds?: number
  start?: { seconds: number; bytes: number }
  count?: number
  slow?: () => Promise<void>
} = {}) {
  const ends: unknown[] = []
  let closed = 0
  let begun = 0
  const source: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => {
      begun += 1
      let left = count
      return {
        next: async () => {
          await slow()
          left -= 1
          return left < 0 ? { done: true, value: undefined } : { done: false, value: chunk }
        },
        return: async () => {
          closed += 1
          return { done: true, value: undefined }
        },
      }
    },
  }
  const body = withReaderTimeout(source, { idleSeconds, start, done: (error) => void ends.push(error) })
  return { body, ends, counts: () => ({ closed, begun }) }
}

describe('a body', () => {
  it('of which buffers may have taken all that was taken has a shorter time', async () => {
    const options = { idleSeconds: 60, start: { seconds: 5, bytes: 3 } }
    for (const taken of [0, 1, 3, 4]) {
      const { body, ends } = handed(options)
      const iterator = body[Symbol.asyncIterator]()
      for (let count = 0; count < taken; count += 1) {
        await vi.advanceTimersByTimeAsync(4 * second)
        expect((await iterator.next()).done).toBe(false)
      }
      await vi.advanceTimersByTimeAsync(6 * second)
      const lasts = taken > 3
      expect(ends.length).toBe(lasts ? 0 : 1)
      if (!lasts) continue
      await vi.advanceTimersByTimeAsync(53 * second)
      expect(ends).toEqual([])
      await vi.advanceTimersByTimeAsync(2 * second)
      expect(ends).toEqual([expect.objectContaining({ code: 'timeout', message: 'no byte was taken for 60 seconds' })])
      expect(vi.getTimerCount()).toBe(0)
    }
  })

  it('of a reader that takes a chunk now and then is never cut, however long it takes in all', async () => {
    const { body, ends } = handed({ count: 50 })
    const iterator = body[Symbol.asyncIterator]()
    for (let taken = 0; taken < 50; taken += 1) {
      expect((await iterator.next()).done).toBe(false)
      await vi.advanceTimersByTimeAsync(59 * second)
    }
    expect((await iterator.next()).done).toBe(true)
    expect(ends).toEqual([undefined])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('whose storage is slow is not cut: nobody waits for the reader', async () => {
    const { body, ends } = handed({ count: 2, slow: () => new Promise((resolve) => setTimeout(resolve, 200 * second)) })
    const iterator = body[Symbol.asyncIterator]()
    const first = iterator.next()
    await vi.advanceTimersByTimeAsync(200 * second)
    expect((await first).done).toBe(false)
    expect(ends).toEqual([])
    // the time begins with the chunk, also after the timer ran out in between
    await vi.advanceTimersByTimeAsync(61 * second)
    expect(ends).toEqual([expect.objectContaining({ code: 'timeout' })])
  })

  it('of a reader that stopped closes what it holds, and fails at the next read', async () => {
    const { body, ends, counts } = handed()
    const iterator = body[Symbol.asyncIterator]()
    await iterator.next()
    await vi.advanceTimersByTimeAsync(59 * second)
    expect(ends).toEqual([])
    await vi.advanceTimersByTimeAsync(2 * second)
    expect(ends).toEqual([expect.objectContaining({ code: 'timeout', message: 'no byte was taken for 60 seconds' })])
    expect(counts()).toEqual({ closed: 1, begun: 1 })
    await expect(iterator.next()).rejects.toMatchObject({ code: 'timeout' })
    expect(ends).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that nobody starts is released after the same time', async () => {
    const { ends, counts } = handed()
    await vi.advanceTimersByTimeAsync(61 * second)
    expect(ends).toHaveLength(1)
    expect(counts().closed).toBe(1)
  })

  it('gets the chunks back that the reader is done with', async () => {
    const returned: unknown[] = []
    const source = {
      next: async (back?: Uint8Array) => {
        returned.push(back)
        return returned.length > 2 ? { done: true as const, value: undefined } : { done: false as const, value: chunk }
      },
    }
    const body = withReaderTimeout({ [Symbol.asyncIterator]: () => source }, { idleSeconds: 60, done: () => {} })
    const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown, Uint8Array | undefined>
    await iterator.next()
    await iterator.next(chunk)
    await iterator.next()
    expect(returned).toEqual([undefined, chunk, undefined])
  })

  it('that is left leaves no timer', async () => {
    const { body, ends } = handed()
    for await (const _ of body) break
    expect(ends).toEqual([undefined])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('has one timer, however many chunks', async () => {
    const { body } = handed()
    const made = vi.spyOn(globalThis, 'setTimeout')
    for await (const _ of body) expect(vi.getTimerCount()).toBe(1)
    expect(made).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a pull from the filesystem', () => {
  const blobsOpen = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).includes('/keys/')
      } catch {
        return false
      }
    }).length

  it.each(['begun', 'never begun'])(
    '%s and not read on: the file is closed, and close() does not wait for it longer',
    async (how) => {
      const registry = await createTestRegistry({
        storage: 'filesystem',
        library: { limits: { pullIdleSeconds: 100 } },
      })
      await push(registry, 'alice/tools/bwa', Buffer.alloc(3_000_000, 'x'))
      const url = (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest')).headers.location ?? ''
      const request = {
        method: 'GET',
        path: url.slice(registry.publicUrl.length),
        query: '',
        headers: {},
        body: { kind: 'none' },
      } as const
      const { body } = (await registry.library.handle(request)) as LibraryResponse & {
        readonly body: AsyncIterable<Uint8Array>
      }
      const iterator = body[Symbol.asyncIterator]()
      if (how === 'begun') await iterator.next()
      expect(blobsOpen()).toBe(1)
      let closed = false
      const closing = registry.close().then(() => {
        closed = true
      })
      await vi.advanceTimersByTimeAsync(99_000)
      expect(closed).toBe(false)
      expect(blobsOpen()).toBe(1)
      await vi.advanceTimersByTimeAsync(2000)
      await closing
      expect(blobsOpen()).toBe(0)
      await expect(iterator.next()).rejects.toMatchObject({ code: 'timeout' })
      expect(registry.logs.filter(({ level }) => level === 'warn')).toMatchObject([{ message: 'a body was given up' }])
      expect(registry.logs.filter(({ level }) => level === 'error')).toEqual([])
    },
  )
})
