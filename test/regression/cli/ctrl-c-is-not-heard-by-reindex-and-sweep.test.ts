/** Ctrl-C did not end `reindex` while it read names, which are no images yet, nor a sweep that waited for sidecars to be written: both went on for as long as these took. */
import { afterEach, expect, it } from 'vitest'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { makeContainer, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

const collections = 30
/** What runs at the same time may come to its end. */
const atOnce = 8
const open: TestRegistry[] = []
afterEach(async () => {
  for (const registry of open.splice(0)) await registry.close()
})

/** A storage that stops the work at its first call for which `isIt` says so, and counts how many of them come later. */
function stopsAt(memory: StorageBackend, call: 'get' | 'put', isIt: (key: string) => boolean) {
  const stop = new AbortController()
  const seen = { later: 0 }
  const look = (key: string): void => {
    if (!isIt(key)) return
    if (stop.signal.aborted) seen.later += 1
    stop.abort()
  }
  const storage: StorageBackend = {
    ...memory,
    get: async (key, options) => {
      if (call === 'get') look(key)
      return memory.get(key, options)
    },
    put: async (key, body, options) => {
      if (call === 'put') look(key)
      return memory.put(key, body, options)
    },
  }
  return { storage, signal: stop.signal, seen }
}

async function start(storage: StorageBackend): Promise<TestRegistry> {
  const registry = await createTestRegistry({ storage })
  open.push(registry)
  return registry
}

const isName = (key: string): boolean => /^records\/(entities|collections|containers)\//.test(key)

it.each([
  ['names', isName],
  ['images', (key: string) => key.startsWith('records/images/')],
])('reindex ends while it reads %s', async (_, isIt) => {
  const memory = memoryStorage()
  const first = await start(memory)
  // the same bytes: their sidecars lie in one folder
  for (let at = 0; at < collections; at += 1)
    await push(first, `alice/c${at}/x`, Buffer.from('one image'), { tags: [] })
  await drained(first)
  const { storage, signal, seen } = stopsAt(memory, 'get', isIt)
  const second = await start(storage)
  const result = await second.library.reindex({ signal })
  expect(seen.later).toBeLessThan(atOnce)
  // of what it did not read it does not know that nobody names it
  expect([result.images, result.orphans]).toEqual([0, 0])
})

it('a sweep ends while the sidecars are written, and sweeps nothing', async () => {
  const { storage, signal, seen } = stopsAt(memoryStorage(), 'put', isName)
  const registry = await start(storage)
  for (let at = 0; at < collections; at += 1) await makeContainer(registry, `alice/c${at}/x`)
  let files = 0
  await registry.library.sweep({ signal, onProgress: () => (files += 1) })
  expect(signal.aborted).toBe(true)
  expect(seen.later).toBeLessThan(atOnce)
  expect(files).toBe(0)
  // what was left is written the next time
  await drained(registry)
})
