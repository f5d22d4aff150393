import { describe, expect, test } from 'vitest'
import { sendBody } from '../../../../src/storage/blob/s3/body.js'
import { storageErrorFrom } from '../../../../src/storage/blob/s3/errors.js'
import { createLimiter } from '../../../../src/storage/blob/s3/once.js'
import { loadSha256 } from '../../../../src/storage/blob/s3/sha256.js'

const call = { operation: 'GetObject', key: 'blobs/x', bucket: 'images' }
const answer = (name: string, status?: number, extra: object = {}) =>
  Object.assign(new Error('said the store'), { name, $metadata: { httpStatusCode: status, requestId: 'r1' }, ...extra })

describe('errors of the store', () => {
  test.each([
    [answer('NoSuchKey', 404), 'not-found', false],
    [answer('NotFound', 404), 'not-found', false],
    [answer('NoSuchBucket', 404), 'unavailable', false],
    [answer('NoSuchUpload', 404), 'upload-not-found', false],
    [answer('InvalidPartOrder', 400), 'invalid-part', false],
    [answer('PreconditionFailed', 412), 'exists', false],
    [answer('ConditionalRequestConflict', 409), 'unavailable', true],
    [answer('XAmzContentSHA256Mismatch', 400), 'digest-mismatch', false],
    [answer('AccessDenied', 403), 'access-denied', false],
    [answer('XAdminUserNotFound', 404), 'access-denied', false],
    [answer('SlowDown', 503), 'unavailable', true],
    [answer('Whatever', 502), 'unavailable', true],
    [answer('Whatever', 429), 'unavailable', true],
    [answer('XMinioStorageFull', 507), 'no-space', false],
    [answer('NotImplemented', 501), 'unsupported', false],
    [answer('TimeoutError', undefined, { code: 'ETIMEDOUT' }), 'unavailable', true],
    [answer('Error', undefined, { code: 'ECONNREFUSED' }), 'unavailable', true],
    [answer('Error', undefined, { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), 'unavailable', false],
    [answer('AbortError'), 'aborted', false],
    [answer('MethodNotAllowed', 405), 'internal', false],
    ['a string', 'internal', false],
    [null, 'internal', false],
  ])('%s is %s', (error, code, retryable) => {
    expect(storageErrorFrom(error, call)).toMatchObject({
      name: 'StorageError',
      code,
      retryable,
      key: 'blobs/x',
      backend: 's3',
    })
  })

  test('nothing that was signed or secret reaches message, cause or properties', () => {
    const secret = {
      StringToSign: 'secret-1',
      SignatureProvided: 'secret-2',
      CanonicalRequest: 'secret-3',
      $response: { headers: { authorization: 'secret-4' } },
    }
    const error = storageErrorFrom(
      Object.assign(answer('SignatureDoesNotMatch', 403, secret), {
        message: 'GET /x?X-Amz-Signature=secret-5&X-Amz-Security-Token=secret-6',
      }),
      call,
    )
    const everything =
      JSON.stringify(error, Object.getOwnPropertyNames(error)) +
      JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause)) +
      String(error.stack)
    expect(everything).not.toContain('secret-')
    expect(error.message).toContain('403 SignatureDoesNotMatch')
  })
})

describe('sendBody', () => {
  const Sha256 = loadSha256()
  const size = 2 * 1024 ** 2

  test('the store never receives a wrong body whole', async () => {
    let sent = 0
    const body = async function* () {
      for (let at = 0; at < size; at += 65_536) yield new Uint8Array(65_536)
    }
    const take = async (bytes: AsyncIterable<Uint8Array> | Uint8Array, signal: AbortSignal) => {
      if (bytes instanceof Uint8Array) throw new Error('expected a stream')
      try {
        for await (const chunk of bytes) sent += chunk.length
      } catch {
        // as the SDK: it sees the abort, not the error of the stream
        signal.throwIfAborted()
      }
    }
    await expect(sendBody(body(), { size, sha256: 'ab', key: 'k', Sha256: await Sha256 }, take)).rejects.toMatchObject({
      code: 'digest-mismatch',
    })
    expect(sent).toBeLessThan(size)
  })
})

describe('createLimiter', () => {
  test('lets no more than its limit work at once, and the others later', async () => {
    const line = createLimiter(2)
    let working = 0
    let most = 0
    const work = async (fails: boolean) => {
      working += 1
      most = Math.max(most, working)
      await new Promise((resolve) => setTimeout(resolve, 5))
      working -= 1
      if (fails) throw new Error('x')
    }
    const results = await Promise.allSettled(
      [false, true, false, true, false, false, false].map((fails) => line(() => work(fails))),
    )
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(5)
    expect(most).toBe(2)
    expect(working).toBe(0)
  })
})
