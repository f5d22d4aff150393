/** Copies inside the store. */
import { isStorageError, StorageError } from '../errors.js'
import { creationInput, MAX_SINGLE_BYTES, type S3Context, type S3Object, unquote } from './context.js'
import { MOVED_METADATA } from './objects.js'
import { createLimiter } from './once.js'

const MiB = 1024 ** 2

/** A store that copies by reading and writing does several parts at a time. */
const COPIES_AT_ONCE = 4

/**
 * What stores call a source that is too large for one copy: Ceph and Swift EntityTooLarge, AWS
 * InvalidRequest.
 */
const TOO_LARGE = new Set(['EntityTooLarge', 'InvalidRequest'])

/** Copies an object of `size` bytes and marks the copy as moved. Errors: `not-found`. */
export async function copyObject(context: S3Context, from: S3Object, to: S3Object, size: number): Promise<void> {
  if (size > MAX_SINGLE_BYTES) return copyInParts(context, from, to, size)
  const { connection, options } = context
  try {
    await connection.call(
      { operation: 'CopyObject', key: to.key, object: to.object, pace: 'finish' },
      (s3, callOptions) =>
        s3.copyObject(
          {
            Bucket: connection.bucket,
            Key: to.object,
            CopySource: sourceOf(context, from),
            ...(options.verify === 'store' ? { ChecksumAlgorithm: 'SHA256' } : {}),
            MetadataDirective: 'REPLACE',
            ...copyInput(context),
          },
          callOptions,
        ),
    )
  } catch (error) {
    const code = isStorageError(error) ? (error.cause as { readonly code?: string } | undefined)?.code : undefined
    // Cloudflare R2 takes a little less than AWS, and operators of Swift set the limit themselves
    if (code === undefined || !TOO_LARGE.has(code) || size < 10 * MiB) throw error
    await copyInParts(context, from, to, size)
  }
}

/** No URL was ever signed for the upload that this makes, so nobody else can write into it. */
async function copyInParts(context: S3Context, from: S3Object, to: S3Object, size: number): Promise<void> {
  const { connection, trials } = context
  const { key, object } = to
  const target = { Bucket: connection.bucket, Key: object }
  const { maxParts } = await trials.multipart.find()
  const partBytes = Math.max(Math.min(Math.ceil(size / 8), 1024 * MiB), 5 * MiB, Math.ceil(size / maxParts))
  const { UploadId } = await connection.call(
    { operation: 'CreateMultipartUpload', key, object, pace: 'prompt' },
    (s3, callOptions) => s3.createMultipartUpload({ ...target, ...copyInput(context) }, callOptions),
  )
  if (UploadId === undefined)
    throw new StorageError('internal', 'CreateMultipartUpload answered without an upload id', { backend: 's3', key })
  const upload = { ...target, UploadId }
  const line = createLimiter(COPIES_AT_ONCE)
  const copyPart = (PartNumber: number) => {
    const start = (PartNumber - 1) * partBytes
    const CopySourceRange = `bytes=${start}-${Math.min(start + partBytes, size) - 1}`
    return connection.call({ operation: 'UploadPartCopy', key, object, pace: 'finish' }, async (s3, callOptions) => {
      const { CopyPartResult } = await s3.uploadPartCopy(
        { ...upload, PartNumber, CopySource: sourceOf(context, from), CopySourceRange },
        callOptions,
      )
      return { PartNumber, ETag: unquote(CopyPartResult?.ETag) }
    })
  }
  try {
    const numbers = Array.from({ length: Math.ceil(size / partBytes) }, (_, index) => index + 1)
    const Parts = await Promise.all(numbers.map((number) => line(() => copyPart(number))))
    await connection.call({ operation: 'CompleteMultipartUpload', key, object, pace: 'finish' }, (s3, callOptions) =>
      s3.completeMultipartUpload({ ...upload, MultipartUpload: { Parts } }, callOptions),
    )
  } catch (error) {
    // what cannot be aborted now is the sweeper's
    await connection
      .call({ operation: 'AbortMultipartUpload', key, object }, (s3, callOptions) =>
        s3.abortMultipartUpload(upload, callOptions),
      )
      .catch(() => {})
    throw error
  }
}

const sourceOf = ({ connection }: S3Context, { object }: S3Object): string =>
  `${connection.bucket}/${encodeURIComponent(object)}`

/** The copy's own headers: those of the source may be hostile. */
const copyInput = (context: S3Context) => ({
  Metadata: MOVED_METADATA,
  ContentType: 'application/octet-stream',
  ...creationInput(context),
})
