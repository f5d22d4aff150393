/**
 * What a store can do, found by trying it with a few bytes: no name or version of a store is asked
 * for.
 */
import { randomUUID } from 'node:crypto'
import { isStorageError } from '../errors.js'
import { type S3Context, unquote } from './context.js'
import { deleteObject } from './objects.js'
import { createTrial, type MultipartTraits, type S3Trials } from './trial.js'

/** AWS "Amazon S3 multipart upload limits"; MinIO, Ceph, R2, SeaweedFS and versitygw keep to it. */
const USUAL: MultipartTraits = { maxParts: 10_000, takesLateParts: false }

/** Smaller numbers are tried where the usual one is refused; 1,000 is the default of Swift. */
const PART_NUMBERS = [USUAL.maxParts, 1000, 100]

export function createTrials(context: () => S3Context): S3Trials {
  return {
    conditionalPut: createTrial(() => tryConditionalPut(context()), true),
    multipart: createTrial(() => tryMultipart(context()), USUAL),
  }
}

const probeObject = ({ keys }: S3Context): { readonly key: string; readonly object: string } => {
  const key = `probe-${randomUUID()}`
  return { key, object: keys.staging(key) }
}

/**
 * undefined for a refusal that says nothing about what was tried; throws where the store does not
 * answer.
 */
const unlessRefused = (error: unknown): undefined => {
  if (!isStorageError(error) || error.code === 'unavailable' || error.code === 'aborted') throw error
  return undefined
}

async function tryConditionalPut(context: S3Context): Promise<boolean | undefined> {
  const { connection } = context
  const target = probeObject(context)
  const put = () =>
    connection.call({ operation: 'PutObject', object: target.object, pace: 'prompt' }, (s3, options) =>
      s3.putObject(
        { Bucket: connection.bucket, Key: target.object, Body: 'probe', ContentLength: 5, IfNoneMatch: '*' },
        options,
      ),
    )
  try {
    await put()
  } catch (error) {
    return isStorageError(error, 'unsupported') ? false : unlessRefused(error)
  }
  try {
    await put()
    return false
  } catch (error) {
    // what else keeps it from writing twice (Google allows one write per second) leaves the object
    // alone as well
    return isStorageError(error) ? true : unlessRefused(error)
  } finally {
    await deleteObject(context, target).catch(() => {})
  }
}

/**
 * Plays the life of one tiny upload: its part has the highest number, and is sent again after the
 * upload was completed.
 */
async function tryMultipart(context: S3Context): Promise<MultipartTraits | undefined> {
  const { connection } = context
  const { object, key } = probeObject(context)
  const target = { Bucket: connection.bucket, Key: object }
  const call = <T>(operation: string, send: Parameters<typeof connection.call<T>>[1]): Promise<T> =>
    connection.call({ operation, object, pace: 'prompt' }, send)
  const create = call('CreateMultipartUpload', (s3, options) => s3.createMultipartUpload(target, options))
  const { UploadId } = (await create.catch(unlessRefused)) ?? {}
  if (UploadId === undefined) return undefined
  const upload = { ...target, UploadId }
  const sendPart = (PartNumber: number) =>
    call('UploadPart', (s3, options) =>
      s3.uploadPart({ ...upload, PartNumber, Body: 'probe', ContentLength: 5 }, options),
    ).catch(unlessRefused)
  const complete = (Parts: { readonly PartNumber: number; readonly ETag: string }[]) =>
    call('CompleteMultipartUpload', (s3, options) =>
      s3.completeMultipartUpload({ ...upload, MultipartUpload: { Parts } }, options),
    ).catch(unlessRefused)
  const play = async (): Promise<MultipartTraits | undefined> => {
    for (const number of PART_NUMBERS) {
      const sent = await sendPart(number)
      if (sent === undefined) continue
      if ((await complete([{ PartNumber: number, ETag: unquote(sent.ETag) }])) === undefined) return undefined
      // the same bytes: they take the place of themselves, and go with the object
      return { maxParts: number, takesLateParts: (await sendPart(number)) !== undefined }
    }
    return undefined
  }
  // where the store falls silent on the way, what lies there is the sweeper's
  const found = await play()
  await deleteObject(context, { key, object }).catch(() => {})
  await call('AbortMultipartUpload', (s3, options) => s3.abortMultipartUpload(upload, options)).catch(() => {})
  return found
}
