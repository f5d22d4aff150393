/** What a store can do, found by trying it with a few bytes: no name or version of a store is asked for. */
import { randomUUID } from 'node:crypto'
import { isStorageError } from '../errors.js'
import { type S3Context, unquote } from './context.js'
import { deleteObject } from './objects.js'

/** Something that is tried once and remembered. */
export interface Trial<T> {
  /** undefined until a trial has told. */
  readonly known: T | undefined
  /** Tries it where it is not known. A store that refuses for another reason (a policy, a quota) is taken for one of the usual kind, and asked again. Throws `unavailable`. */
  find(): Promise<T>
}

export interface MultipartTraits {
  /** Parts of one upload at the most. */
  readonly maxParts: number
  /** A part URL still writes after its upload was completed. On Swift such a part takes the place of the joined one, and the object cannot be read any more. */
  readonly takesLateParts: boolean
}

export interface S3Trials {
  /** Whether a PUT with `If-None-Match: *` leaves an object alone that is there. Swift answers 501. */
  readonly conditionalPut: Trial<boolean>
  readonly multipart: Trial<MultipartTraits>
}

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

/** `attempt` resolves with undefined where the answer says nothing about the question. */
function createTrial<T>(attempt: () => Promise<T | undefined>, usual: T): Trial<T> {
  let known: T | undefined
  let running: Promise<T> | undefined
  return {
    get known() {
      return known
    },
    find: async () => {
      if (known !== undefined) return known
      running ??= attempt()
        .then((found) => {
          known = found
          return found ?? usual
        })
        .finally(() => {
          running = undefined
        })
      return running
    },
  }
}

const probeObject = ({ keys }: S3Context): { readonly key: string; readonly object: string } => {
  const key = `probe-${randomUUID()}`
  return { key, object: keys.incoming(key) }
}

/** undefined for a refusal that says nothing about what was tried; throws where the store does not answer. */
const unlessRefused = (error: unknown): undefined => {
  if (!isStorageError(error) || error.code === 'unavailable' || error.code === 'aborted') throw error
  return undefined
}

async function tryConditionalPut(context: S3Context): Promise<boolean | undefined> {
  const { connection } = context
  const target = probeObject(context)
  const put = () =>
    connection.call({ operation: 'PutObject', object: target.object }, (s3, options) =>
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
    // what else keeps it from writing twice (Google allows one write per second) leaves the object alone as well
    return isStorageError(error) ? true : unlessRefused(error)
  } finally {
    await deleteObject(context, target).catch(() => {})
  }
}

/** Plays the life of one tiny upload: its part has the highest number, and is sent again after the upload was completed. */
async function tryMultipart(context: S3Context): Promise<MultipartTraits | undefined> {
  const { connection } = context
  const { object, key } = probeObject(context)
  const target = { Bucket: connection.bucket, Key: object }
  let UploadId: string | undefined
  try {
    const created = await connection.call(
      { operation: 'CreateMultipartUpload', object, pace: 'prompt' },
      (s3, options) => s3.createMultipartUpload(target, options),
    )
    if (created.UploadId === undefined) return undefined
    const upload = { ...target, UploadId: created.UploadId }
    UploadId = created.UploadId
    const sendPart = (PartNumber: number) =>
      connection.call({ operation: 'UploadPart', object }, (s3, options) =>
        s3.uploadPart({ ...upload, PartNumber, Body: 'probe', ContentLength: 5 }, options),
      )
    for (const number of PART_NUMBERS) {
      const sent = await sendPart(number).catch(unlessRefused)
      if (sent === undefined) continue
      await connection.call({ operation: 'CompleteMultipartUpload', object }, (s3, options) =>
        s3.completeMultipartUpload(
          { ...upload, MultipartUpload: { Parts: [{ PartNumber: number, ETag: unquote(sent.ETag) }] } },
          options,
        ),
      )
      // the same bytes: they take the place of themselves, and go with the object
      const late = await sendPart(number).catch(unlessRefused)
      return { maxParts: number, takesLateParts: late !== undefined }
    }
    return undefined
  } catch (error) {
    return unlessRefused(error)
  } finally {
    await deleteObject(context, { key, object }).catch(() => {})
    if (UploadId !== undefined)
      await connection
        .call({ operation: 'AbortMultipartUpload', object }, (s3, options) =>
          s3.abortMultipartUpload({ ...target, UploadId }, options),
        )
        .catch(() => {})
  }
}
