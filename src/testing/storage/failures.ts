import assert from 'node:assert/strict'
import type { ByteStream, PutOptions } from '../../storage/blob/contract.js'
import type { StorageErrorCode } from '../../storage/blob/errors.js'
import type { StorageContext, StorageGroup } from './context.js'
import {
  assertStorageError,
  describeBytes,
  makeBytes,
  sha256,
  streamBytes,
  streamThenHang,
  streamThenThrow,
  within,
} from './fixtures.js'

const bytes = makeBytes(300_000)

interface FailingPut {
  readonly body: ByteStream
  readonly options: PutOptions
  readonly code: StorageErrorCode
}

/** The put must fail with the code, leave nothing, and leave the key free for the right bytes. */
async function assertPutFails(context: StorageContext, { body, options, code }: FailingPut): Promise<Error> {
  const key = context.nextKey()
  const error = await assertStorageError(context.backend, code, within(5000, context.backend.put(key, body, options)))
  await context.assertUnreadable(key)
  await context.put(bytes, key)
  await context.assertHolds(key, bytes)
  return error
}

/** A wrapped error keeps its origin in the chain of causes. */
export function hasCause(error: unknown, origin: Error): boolean {
  for (let current = error; typeof current === 'object' && current !== null; current = Reflect.get(current, 'cause'))
    if (current === origin) return true
  return false
}

export const failureTests: StorageGroup = {
  name: 'a write that fails leaves nothing',
  tests: {
    'too few bytes are size-mismatch': async (context) => {
      await assertPutFails(context, {
        body: streamBytes(bytes.subarray(1)),
        options: describeBytes(bytes),
        code: 'size-mismatch',
      })
      await assertPutFails(context, {
        body: streamBytes(bytes.subarray(0, 0)),
        options: describeBytes(bytes),
        code: 'size-mismatch',
      })
    },
    'too many bytes are size-mismatch, and an endless body ends there': async (context) => {
      await assertPutFails(context, {
        body: streamBytes(makeBytes(300_001)),
        options: describeBytes(bytes),
        code: 'size-mismatch',
      })
      let yielded = 0
      const endless = async function* () {
        for (;;) {
          yielded += 65_536
          yield makeBytes(65_536)
        }
      }
      await assertPutFails(context, { body: endless(), options: describeBytes(bytes), code: 'size-mismatch' })
      assert.ok(
        yielded < 4 * bytes.length + 1_048_576,
        `${yielded} bytes were taken from a body that may have ${bytes.length}`,
      )
    },
    'other bytes are digest-mismatch': async (context) => {
      await assertPutFails(context, {
        body: streamBytes(makeBytes(300_000, 2)),
        options: describeBytes(bytes),
        code: 'digest-mismatch',
      })
      await assertPutFails(context, {
        body: streamBytes(makeBytes(0)),
        options: { size: 0, sha256: sha256(bytes) },
        code: 'digest-mismatch',
      })
    },
    'a body that throws is aborted, with the error as its cause': async (context) => {
      const origin = new Error('the client is gone')
      const early = await assertPutFails(context, {
        body: streamThenThrow(bytes.subarray(0, 0), origin),
        options: describeBytes(bytes),
        code: 'aborted',
      })
      assert.ok(hasCause(early, origin), 'the cause is the error of the body')
      const late = await assertPutFails(context, {
        body: streamThenThrow(bytes.subarray(0, 299_999), origin),
        options: describeBytes(bytes),
        code: 'aborted',
      })
      assert.ok(hasCause(late, origin), 'the cause is the error of the body')
    },
    'a signal stops a put while its body stalls': async (context) => {
      const leaving = new AbortController()
      const body = streamThenHang(bytes.subarray(0, 200_000), () => setImmediate(() => leaving.abort()))
      await assertPutFails(context, {
        body,
        options: { ...describeBytes(bytes), signal: leaving.signal },
        code: 'aborted',
      })
    },
    'a signal that fired before stops a put and a get': async (context) => {
      const signal = AbortSignal.abort()
      await assertPutFails(context, {
        body: streamBytes(bytes),
        options: { ...describeBytes(bytes), signal },
        code: 'aborted',
      })
      const key = await context.put(bytes)
      await assertStorageError(context.backend, 'aborted', context.backend.get(key, { signal }))
    },
    'a signal stops a read': async (context) => {
      const key = await context.put(makeBytes(8 * 1024 * 1024))
      const leaving = new AbortController()
      const content = await context.backend.get(key, { signal: leaving.signal })
      const read = async () => {
        for await (const _ of content.body) leaving.abort()
      }
      await assertStorageError(context.backend, 'aborted', within(5000, read()))
    },
  },
}
