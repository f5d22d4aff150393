import type { Readable } from 'node:stream'
import type { BlobContent, BlobStat, ByteRange, ByteStream, PutOptions } from '../contract.js'
import { isStorageError, StorageError } from '../errors.js'
import { sendBody } from './body.js'
import type { S3Call } from './connection.js'
import { creationInput, type S3Context, type S3Object, unquote } from './context.js'
import { storageErrorFrom } from './errors.js'
import { STAGING_PREFIX } from './keys.js'
import { withPayloadHash } from './payload-hash.js'

export interface ObjectStat extends BlobStat {
  readonly etag: string
  /** Lower-case hex, where the store computed one over the whole object. */
  readonly sha256?: string
  /** Copied from the staging key by `publishStaged`, not sent to its key by a bound URL. */
  readonly moved: boolean
}

/**
 * User metadata that a copy from the staging key carries, since nothing else tells it from bytes
 * that a bound URL let through.
 */
export const MOVED_METADATA: Readonly<Record<string, string>> = { moved: 'yes' }

export interface StatOptions {
  /** Asks for the store's own SHA-256 too. */
  readonly checksum?: boolean
  /** See {@link S3Call}. */
  readonly mayBeAbsent?: boolean
}

/** undefined when there is none; `unavailable` when there is no bucket. */
export async function statObject(
  { connection }: S3Context,
  { key, object }: S3Object,
  { checksum = false, mayBeAbsent = false }: StatOptions = {},
): Promise<ObjectStat | undefined> {
  try {
    const head = await connection.call(
      { operation: 'HeadObject', key, object, mayBeAbsent, pace: 'prompt' },
      (s3, options) =>
        s3.headObject(
          { Bucket: connection.bucket, Key: object, ...(checksum ? { ChecksumMode: 'ENABLED' } : {}) },
          options,
        ),
    )
    // The checksum of an object that came in parts is one of checksums, written `…-N`; only a full
    // one says anything about the whole.
    const whole =
      head.ChecksumSHA256 !== undefined && !head.ChecksumSHA256.includes('-') && head.ChecksumType !== 'COMPOSITE'
    return {
      size: head.ContentLength ?? 0,
      etag: unquote(head.ETag),
      moved: head.Metadata?.moved === MOVED_METADATA.moved,
      modifiedAt: head.LastModified,
      ...(whole ? { sha256: Buffer.from(head.ChecksumSHA256 ?? '', 'base64').toString('hex') } : {}),
    }
  } catch (error) {
    if (isStorageError(error, 'not-found')) return undefined
    throw error
  }
}

/**
 * Writes an object in one call, unless there is one: StorageError `exists`. The store sees to it
 * (`If-None-Match: *`), also between instances. Where it cannot, the puts of this instance to one
 * key wait for each other; those of another instance at the same moment write the bytes of the same
 * upload.
 */
export async function putObject(
  context: S3Context,
  target: S3Object,
  body: ByteStream,
  options: PutOptions,
): Promise<void> {
  if (await context.trials.conditionalPut.find()) return putUnlessThere(context, target, body, options)
  return context.puts(target.key, () => putUnlessThere(context, target, body, options))
}

async function putUnlessThere(
  context: S3Context,
  target: S3Object,
  body: ByteStream,
  options: PutOptions,
): Promise<void> {
  const { connection } = context
  const { key, object } = target
  const exists = (): StorageError => new StorageError('exists', 'the key is taken', { backend: 's3', key })
  // Asked first: a store may refuse by resetting the connection in the middle of a long body, and a
  // stream cannot be sent again. The question also wakes up a pooled socket that a restarted store
  // has forgotten.
  if ((await statObject(context, target, { mayBeAbsent: true })) !== undefined) throw exists()
  const Sha256 = await context.sha256()
  await sendBody(body, { ...options, key, Sha256 }, (bytes, signal) =>
    connection.call({ operation: 'PutObject', key, object, signal, pace: 'body' }, (s3, callOptions, sdk) => {
      const input = {
        Bucket: connection.bucket,
        Key: object,
        Body: bytes,
        ContentLength: options.size,
        ContentType: 'application/octet-stream',
        // the trial was made above; a store that was not there for it is of the usual kind
        ...(context.trials.conditionalPut.known === false ? {} : { IfNoneMatch: '*' }),
      }
      return s3.send(
        withPayloadHash(new sdk.PutObjectCommand({ ...input, ...creationInput(context) }), options.sha256),
        callOptions,
      )
    }),
  )
}

export async function getObject(
  { connection }: S3Context,
  { key, object }: S3Object,
  { range, signal }: { readonly range?: ByteRange; readonly signal?: AbortSignal } = {},
): Promise<BlobContent> {
  if (range !== undefined && !isRange(range))
    throw new StorageError('invalid-range', `no range: ${range.start}-${range.end}`, { backend: 's3', key })
  const output = await connection.call({ operation: 'GetObject', key, object, signal }, (s3, options) =>
    s3.getObject(
      {
        Bucket: connection.bucket,
        Key: object,
        ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }),
      },
      options,
    ),
  )
  const length = output.ContentLength ?? 0
  const total = /\/(\d+)$/.exec(output.ContentRange ?? '')?.[1]
  const source = output.Body as Readable
  const chunks = readBody(source, { key, bucket: connection.bucket, length, signal })
  return {
    length,
    size: total === undefined ? length : Number(total),
    body: {
      [Symbol.asyncIterator]: () => ({
        next: () => chunks.next(),
        return: () => {
          // a generator that never began has no `finally` to come to
          source.destroy()
          return chunks.return()
        },
      }),
    },
  }
}

/**
 * Stores answer a range that is none with the whole object (RFC 9110 14.2), or with their own
 * error.
 */
function isRange({ start, end }: ByteRange): boolean {
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start
}

interface ReadOptions {
  readonly key: string
  readonly bucket: string
  readonly length: number
  readonly signal: AbortSignal | undefined
}

/**
 * The bytes of an answer; leaving the iteration early closes the connection. A body that ends early
 * is `unavailable`.
 */
async function* readBody(
  body: Readable,
  { key, bucket, length, signal }: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let seen = 0
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      seen += chunk.byteLength
      yield chunk
    }
  } catch (error) {
    if (signal?.aborted)
      throw new StorageError('aborted', 'reading was aborted', { backend: 's3', key, cause: signal.reason })
    throw storageErrorFrom(error, { operation: 'reading the body of GetObject', key, bucket })
  } finally {
    body.destroy()
  }
  if (seen !== length)
    throw new StorageError('unavailable', `the store sent ${seen} of ${length} bytes`, { backend: 's3', key })
}

export async function deleteObject({ connection }: S3Context, { key, object }: S3Object): Promise<void> {
  try {
    await connection.call({ operation: 'DeleteObject', key, object }, (s3, options) =>
      s3.deleteObject({ Bucket: connection.bucket, Key: object }, options),
    )
  } catch (error) {
    if (!isStorageError(error, 'not-found')) throw error
  }
}

/** Objects below a prefix of keys; those still at the staging key only when `staged`. */
export async function* listObjects(
  { connection, keys }: S3Context,
  { prefix, staged }: { readonly prefix: string; readonly staged: boolean },
): AsyncGenerator<S3Object & { readonly size: number; readonly modifiedAt: Date }, void, undefined> {
  const Prefix = keys.prefix(staged ? STAGING_PREFIX + prefix : prefix)
  let token: string | undefined
  do {
    const page = await connection.call({ operation: 'ListObjectsV2', object: Prefix }, (s3, options) =>
      s3.listObjectsV2(
        { Bucket: connection.bucket, Prefix, ...(token === undefined ? {} : { ContinuationToken: token }) },
        options,
      ),
    )
    for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
      const found = keys.parse(Key)
      if (found?.staged === staged) yield { key: found.key, object: Key, size: Size, modifiedAt: LastModified }
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}
