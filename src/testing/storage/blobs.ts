import assert from 'node:assert/strict'
import type { StorageContext, StorageGroup } from './context.js'
import {
  assertSameBytes,
  assertStorageError,
  collect,
  describeBytes,
  makeBytes,
  readContent,
  sha256,
  streamBytes,
} from './fixtures.js'

const MIB = 1024 * 1024

export const blobTests: StorageGroup = {
  name: 'put, get, stat, delete, list',
  tests: {
    'a blob reads back as it was put': async (context) => {
      const bytes = makeBytes(200_000)
      await context.assertHolds(await context.put(bytes), bytes)
    },
    'get reports length and size': async (context) => {
      const content = await context.backend.get(await context.put(makeBytes(4321)))
      assert.equal(content.length, 4321)
      assert.equal(content.size, 4321)
      await readContent(content)
    },
    'an empty blob and a blob of one byte are whole': async (context) => {
      for (const size of [0, 1]) await context.assertHolds(await context.put(makeBytes(size)), makeBytes(size))
    },
    'chunks of odd sizes make one blob': async (context) => {
      const bytes = makeBytes(5 * MIB + 3)
      const key = context.nextKey()
      await context.backend.put(key, streamBytes(bytes, [1, 7, 65537, MIB + 1, 3, 2 * MIB + 5]), describeBytes(bytes))
      context.expectListed(key)
      await context.assertHolds(key, bytes)
    },
    'chunks of no bytes are harmless': async (context) => {
      const bytes = makeBytes(3000)
      const body = async function* () {
        yield new Uint8Array(0)
        yield* streamBytes(bytes)
        yield new Uint8Array(0)
      }
      const key = context.nextKey()
      await context.backend.put(key, body(), describeBytes(bytes))
      context.expectListed(key)
      await context.assertHolds(key, bytes)
    },
    'keys may hold every legal character': async (context) => {
      for (const key of [
        'ABCxyz019._-',
        '.hidden',
        '...',
        '-/_/.a',
        `deep/${'n'.repeat(200)}/a.b-c_d/x`,
        'case',
        'upper/Case',
        'upper/case2',
      ]) {
        await context.put(Buffer.from(key), key)
      }
      await context.assertHolds('-/_/.a', Buffer.from('-/_/.a'))
    },
    'stat and get of an absent key': async (context) => {
      await context.assertUnreadable(context.nextKey())
      await assertStorageError(context.backend, 'not-found', context.backend.get(context.nextKey()))
    },
    'a folder of keys is no blob': async (context) => {
      await context.put(undefined, 'folder/inner/blob')
      assert.equal(await context.backend.stat('folder/inner'), undefined)
      await assertStorageError(context.backend, 'not-found', context.backend.get('folder'))
      await context.backend.delete('folder')
    },
    'a deleted blob is gone, and deleting twice is no error': async (context) => {
      const key = await context.put()
      const other = await context.put(makeBytes(50, 2))
      await context.backend.delete(key)
      context.expectGone(key)
      await context.assertUnreadable(key)
      await context.backend.delete(key)
      await context.backend.delete(context.nextKey())
      await context.assertHolds(other, makeBytes(50, 2))
    },
    'a chunk that is kept stays as it is, one that is handed back may be used again': async (context) => {
      const bytes = makeBytes(6 * MIB + 11)
      const key = await context.put(bytes)
      for (const handedBack of [() => true, () => false, (index: number) => index % 3 === 1]) {
        const { body } = await context.backend.get(key)
        const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown, Uint8Array | undefined>
        const kept: { readonly chunk: Uint8Array; readonly at: number }[] = []
        let at = 0
        for (let result = await iterator.next(), index = 0; result.done !== true; index += 1) {
          const chunk = result.value
          assertSameBytes(chunk, bytes.subarray(at, at + chunk.length), `the chunk at ${at}`)
          if (!handedBack(index)) kept.push({ chunk, at })
          at += chunk.length
          result = await iterator.next(handedBack(index) ? chunk : undefined)
        }
        assert.equal(at, bytes.length)
        for (const { chunk, at: start } of kept)
          assertSameBytes(chunk, bytes.subarray(start, start + chunk.length), `the kept chunk at ${start}`)
      }
    },
    'a read that is under way ends whole when the blob is deleted': async (context) => {
      const bytes = makeBytes(8 * MIB)
      const key = await context.put(bytes)
      const content = await context.backend.get(key)
      const chunks: Uint8Array[] = []
      for await (const chunk of content.body) {
        if (chunks.length === 0) await context.backend.delete(key)
        chunks.push(chunk)
      }
      context.expectGone(key)
      assertSameBytes(Buffer.concat(chunks), bytes)
    },
    'a key is immutable': async (context) => {
      const bytes = makeBytes(3000)
      const key = await context.put(bytes)
      for (const other of [makeBytes(3000, 2), makeBytes(10, 3), bytes]) {
        await assertStorageError(
          context.backend,
          'exists',
          context.backend.put(key, streamBytes(other), describeBytes(other)),
        )
      }
      await context.assertHolds(key, bytes)
    },
    'of two puts of one key at once, one wins and the other gets exists': async (context) => {
      const versions = [makeBytes(MIB + 1, 1), makeBytes(MIB + 9, 2)]
      const key = context.nextKey()
      const results = await Promise.allSettled(
        versions.map((bytes) => context.backend.put(key, streamBytes(bytes), describeBytes(bytes))),
      )
      context.expectListed(key)
      const winner = results.findIndex((result) => result.status === 'fulfilled')
      const loser = results[1 - winner]
      assert.equal(loser?.status, 'rejected', 'only one put resolves')
      await assertStorageError(
        context.backend,
        'exists',
        Promise.reject(loser?.status === 'rejected' ? loser.reason : undefined),
      )
      await context.assertHolds(key, versions[winner] ?? Buffer.alloc(0))
    },
    'many puts and reads at once do not mix': async (context) => {
      const blobs = Array.from({ length: 12 }, (_, index) => makeBytes(100_000 + index * 77_777, index))
      const keys = await Promise.all(blobs.map((bytes) => context.put(bytes)))
      await Promise.all(keys.map((key, index) => context.assertHolds(key, blobs[index] ?? Buffer.alloc(0))))
    },
    'list finds keys by prefix, also within a segment': async (context) => {
      const keys = ['a/x1', 'a/x2', 'a/y', 'ab/z', 'b/c/d/e']
      for (const [index, key] of keys.entries()) await context.put(makeBytes(index + 1), key)
      const list = async (prefix: string) =>
        (await collect(context.backend.list(prefix))).map((entry) => `${entry.key}=${entry.size}`).sort()
      assert.deepEqual(await list(''), ['a/x1=1', 'a/x2=2', 'a/y=3', 'ab/z=4', 'b/c/d/e=5'])
      assert.deepEqual(await list('a'), ['a/x1=1', 'a/x2=2', 'a/y=3', 'ab/z=4'])
      assert.deepEqual(await list('a/'), ['a/x1=1', 'a/x2=2', 'a/y=3'])
      assert.deepEqual(await list('a/x'), ['a/x1=1', 'a/x2=2'])
      assert.deepEqual(await list('b/c/d/e'), ['b/c/d/e=5'])
      assert.deepEqual(await list('none/at/all'), [])
    },
    'list may be left early, and reports when a blob was written': async (context) => {
      for (let index = 0; index < 5; index += 1) await context.put()
      for await (const entry of context.backend.list('')) {
        // A store's clock may differ from ours; a day is a fault.
        assert.ok(
          Math.abs(entry.modifiedAt.getTime() - Date.now()) < 86_400_000,
          `modifiedAt is ${entry.modifiedAt.toISOString()}`,
        )
        break
      }
    },
    'keys that lead elsewhere are refused': async (context) => {
      for (const key of [
        '',
        '/',
        '/etc/passwd',
        '..',
        '.',
        '../up',
        'a/../b',
        'a//b',
        'a/',
        'a/./b',
        'a\0b',
        'a\\b',
        'ä',
        'a b',
        'a%2e',
      ]) {
        const bytes = makeBytes(10)
        await assertStorageError(
          context.backend,
          'invalid-key',
          context.backend.put(key, streamBytes(bytes), describeBytes(bytes)),
        )
        await assertStorageError(context.backend, 'invalid-key', context.backend.get(key))
      }
    },
  },
}

async function readRange(context: StorageContext, key: string, start: number, end: number): Promise<Buffer> {
  const content = await context.backend.get(key, { range: { start, end } })
  assert.equal(content.size, 100_000, 'size is the size of the whole')
  return readContent(content)
}

export const rangeTests: StorageGroup = {
  name: 'ranges',
  tests: {
    'a range includes both of its ends': async (context) => {
      const bytes = makeBytes(100_000)
      const key = await context.put(bytes)
      for (const [start, end] of [
        [0, 0],
        [0, 99_999],
        [1, 65_536],
        [65_535, 65_537],
        [99_999, 99_999],
      ] as const) {
        assertSameBytes(await readRange(context, key, start, end), bytes.subarray(start, end + 1), `${start}-${end}`)
      }
    },
    'an end past the last byte means the last byte': async (context) => {
      const bytes = makeBytes(100_000)
      const key = await context.put(bytes)
      assertSameBytes(await readRange(context, key, 99_000, 100_000), bytes.subarray(99_000))
      assertSameBytes(await readRange(context, key, 5, Number.MAX_SAFE_INTEGER), bytes.subarray(5))
    },
    'a start past the last byte is invalid-range': async (context) => {
      const key = await context.put(makeBytes(100_000))
      const empty = await context.put(makeBytes(0))
      await assertStorageError(
        context.backend,
        'invalid-range',
        context.backend.get(key, { range: { start: 100_000, end: 100_000 } }),
      )
      await assertStorageError(
        context.backend,
        'invalid-range',
        context.backend.get(key, { range: { start: 200_000, end: 300_000 } }),
      )
      await assertStorageError(
        context.backend,
        'invalid-range',
        context.backend.get(empty, { range: { start: 0, end: 0 } }),
      )
    },
    'a range that is none is invalid-range': async (context) => {
      const key = await context.put(makeBytes(100_000))
      for (const range of [
        { start: 5, end: 4 },
        { start: -1, end: 4 },
        { start: 0.5, end: 4 },
        { start: Number.NaN, end: 4 },
      ]) {
        await assertStorageError(context.backend, 'invalid-range', context.backend.get(key, { range }))
      }
    },
    'a range of an absent key is not-found': async (context) => {
      await assertStorageError(
        context.backend,
        'not-found',
        context.backend.get(context.nextKey(), { range: { start: 0, end: 1 } }),
      )
    },
  },
}

export const proveTests: StorageGroup = {
  name: 'prove',
  needs: 'prove',
  tests: {
    'prove tells right bytes from wrong ones': async (context) => {
      const { backend } = context
      const bytes = makeBytes(70_000)
      const key = await context.put(bytes)
      await backend.prove?.(key, describeBytes(bytes))
      await assertStorageError(
        backend,
        'digest-mismatch',
        Promise.resolve(backend.prove?.(key, { size: bytes.length, sha256: sha256(makeBytes(1)) })),
      )
      await assertStorageError(
        backend,
        'size-mismatch',
        Promise.resolve(backend.prove?.(key, { ...describeBytes(bytes), size: bytes.length + 1 })),
      )
      await assertStorageError(
        backend,
        'not-found',
        Promise.resolve(backend.prove?.(context.nextKey(), describeBytes(bytes))),
      )
    },
  },
}
