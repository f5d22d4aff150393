import type { PutOptions } from '../contract.js'
import { isStorageError, StorageError } from '../errors.js'
import { mismatch } from './body.js'
import type { S3Context, S3Object } from './context.js'
import { hashInWorker } from './hash-worker.js'
import { getObject, statObject } from './objects.js'
import { hex } from './sha256.js'

/** Below it, starting a thread costs more than it saves. */
const INLINE_BYTES = 4 * 1024 ** 2

/** A presigned GET for the read must outlast it. */
const READ_SECONDS = 24 * 3600

/**
 * Proves size and SHA-256 of an object: by the store's own checksum under `verify: 'store'` where
 * there is one, otherwise by reading it once. Errors: `not-found`, `size-mismatch`,
 * `digest-mismatch`, `aborted`.
 */
export async function proveObject(context: S3Context, target: S3Object, expected: PutOptions): Promise<void> {
  const byStore = context.options.verify === 'store'
  const found = await statObject(context, target, { checksum: byStore })
  if (found === undefined)
    throw new StorageError('not-found', 'there is no such blob', { backend: 's3', key: target.key })
  if (found.size !== expected.size)
    throw mismatch('size-mismatch', `${found.size} bytes instead of ${expected.size}`, target.key)
  const sha256 =
    (byStore ? found.sha256 : undefined) ??
    (await (found.size <= INLINE_BYTES ? hashHere : hashElsewhere)(context, target, expected))
  if (sha256 !== expected.sha256)
    throw mismatch('digest-mismatch', 'the bytes do not have the announced SHA-256', target.key)
}

async function hashHere(context: S3Context, target: S3Object, { signal }: PutOptions): Promise<string> {
  const hash = new (await context.sha256())()
  const { body } = await getObject(context, target, signal === undefined ? {} : { signal })
  for await (const chunk of body) hash.update(chunk)
  return hex(await hash.digest())
}

async function hashElsewhere(context: S3Context, target: S3Object, { size, signal }: PutOptions): Promise<string> {
  const { key, object } = target
  const { options, connection, closing } = context
  const started = performance.now()
  const entry = { operation: 'GetObject in the hashing thread', bucket: connection.bucket, object }
  const signUrl = await context.signer()
  const { url } = await signUrl({ method: 'GET', object, expiresSeconds: READ_SECONDS })
  try {
    const sha256 = await context.hashing(() =>
      hashInWorker({
        url,
        size,
        key,
        bucket: connection.bucket,
        ...(options.ca === undefined
          ? {}
          : { ca: String(typeof options.ca === 'string' ? options.ca : Buffer.from(options.ca)) }),
        idleSeconds: options.timeouts.idleSeconds,
        maxAttempts: options.maxAttempts,
        signal: signal === undefined ? closing : AbortSignal.any([signal, closing]),
      }),
    )
    options.log({ ...entry, ms: performance.now() - started })
    return sha256
  } catch (error) {
    options.log({ ...entry, ms: performance.now() - started, error: isStorageError(error) ? error.code : 'Error' })
    // the thread sees a status only: whether it is the key that is missing is asked here
    if (isStorageError(error, 'not-found') && (await statObject(context, target)) !== undefined)
      throw new StorageError('unavailable', 'the store answered 404 to a read of a blob that is there', {
        backend: 's3',
        key,
        cause: error,
      })
    throw error
  }
}
