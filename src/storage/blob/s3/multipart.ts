import { createHash } from 'node:crypto'
import type { CompleteMultipartOptions, FinishedBlob, MultipartCapability, PartStat } from '../contract.js'
import { isStorageError, StorageError } from '../errors.js'
import { mismatch, sendBody } from './body.js'
import { creationInput, MAX_SINGLE_BYTES, type S3Context, unquote } from './context.js'
import { statObject } from './objects.js'
import { withPayloadHash } from './payload-hash.js'
import { checkSize, publishInPlace, publishStaged } from './publish.js'
import { locateUpload, type S3Upload, uploadRef } from './upload-id.js'
import type { UploadSigning } from './upload-signing.js'

interface ListedPart extends PartStat {
  /** Milliseconds; stores round to seconds. */
  readonly sentAt: number
}

export function createMultipart(context: S3Context, uploads: UploadSigning): MultipartCapability {
  const { connection, keys, options } = context
  const Bucket = connection.bucket

  /**
   * All that the store lists: SeaweedFS lists a part number once for each time that it was sent.
   */
  const listEntries = async ({ key, object, storeId }: S3Upload): Promise<ListedPart[]> => {
    const parts: ListedPart[] = []
    let marker: string | undefined
    do {
      const page = await connection.call(
        { operation: 'ListParts', key, object, namesUpload: true },
        (s3, callOptions) =>
          s3.listParts(
            { Bucket, Key: object, UploadId: storeId, ...(marker === undefined ? {} : { PartNumberMarker: marker }) },
            callOptions,
          ),
      )
      for (const { PartNumber = 0, Size = 0, ETag, LastModified } of page.Parts ?? [])
        parts.push({ partNumber: PartNumber, size: Size, etag: unquote(ETag), sentAt: LastModified?.getTime() ?? 0 })
      marker = page.IsTruncated === true && page.NextPartNumberMarker !== marker ? page.NextPartNumberMarker : undefined
    } while (marker !== undefined)
    return parts
  }

  return {
    async create(key, { size, sha256 }) {
      const { takesLateParts } = await context.trials.multipart.find()
      const isBound = sha256 !== undefined && !takesLateParts && (await uploads.find()).bound
      // What the store is to prove by a copy comes in at the staging key, so that the copy is the
      // publishing move; and so does what a late part would damage.
      const staged = takesLateParts || (!isBound && options.verify === 'store' && size <= MAX_SINGLE_BYTES)
      const object = staged ? keys.staging(key) : keys.object(key)
      const { UploadId } = await connection.call(
        { operation: 'CreateMultipartUpload', key, object, pace: 'prompt' },
        (s3, callOptions) =>
          s3.createMultipartUpload(
            { Bucket, Key: object, ContentType: 'application/octet-stream', ...creationInput(context) },
            callOptions,
          ),
      )
      if (UploadId === undefined)
        throw new StorageError('internal', 'CreateMultipartUpload answered without an upload id', {
          backend: 's3',
          key,
        })
      return {
        uploadId: uploadRef({ key, staged, sha256: isBound ? sha256 : undefined, storeId: UploadId }).uploadId,
      }
    },

    async writePart(body, { partNumber, size, sha256, signal, ...ref }) {
      const upload = locateUpload(keys, ref)
      const { key, object, storeId } = upload
      if (upload.sha256 !== undefined && upload.sha256 !== sha256)
        throw mismatch('digest-mismatch', 'the upload is bound to other bytes', key)
      const Sha256 = await context.sha256()
      const expected = {
        size,
        key,
        Sha256,
        sha256,
        signal,
      }
      const output = await sendBody(body, expected, (bytes, sendSignal) =>
        connection.call(
          { operation: 'UploadPart', key, object, namesUpload: true, signal: sendSignal, pace: 'body' },
          (s3, callOptions, sdk) => {
            const input = {
              Bucket,
              Key: object,
              UploadId: storeId,
              PartNumber: partNumber,
              Body: bytes,
              ContentLength: size,
            }
            return s3.send(withPayloadHash(new sdk.UploadPartCommand(input), sha256), callOptions)
          },
        ),
      ).catch(async (error: unknown) => {
        // A store that refuses before it has read the body closes the connection, and its answer is
        // lost: ask whether the upload is gone.
        if (isStorageError(error, 'unavailable')) await listEntries(upload)
        throw error
      })
      return { partNumber, size, etag: unquote(output.ETag) }
    },

    listParts: async (upload) => newestOfEach(await listEntries(locateUpload(keys, upload))),

    async complete(claim) {
      const upload = locateUpload(keys, claim)
      const { key, object, storeId } = upload
      if (upload.sha256 !== undefined && (upload.sha256 !== claim.sha256 || claim.parts.length !== 1))
        throw mismatch('digest-mismatch', 'the upload is bound to other bytes', key)
      try {
        const arrived = await listEntries(upload)
        // s3proxy lists no parts where others answer NoSuchUpload
        if (arrived.length === 0)
          throw new StorageError('upload-not-found', 'the upload has no parts', { backend: 's3', key })
        checkClaim(claim, arrived)
        await connection.call(
          {
            operation: 'CompleteMultipartUpload',
            key,
            object,
            namesUpload: true,
            pace: 'finish',
            signal: claim.signal,
          },
          (s3, callOptions) =>
            s3.completeMultipartUpload(
              {
                Bucket,
                Key: object,
                UploadId: storeId,
                MultipartUpload: {
                  Parts: claim.parts.map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: etag })),
                },
              },
              callOptions,
            ),
        )
      } catch (error) {
        // The upload is gone: aborted, or completed by a call whose answer was lost (MinIO answers
        // 404 to the second one), or by another one at this moment (Ceph answers 500 to one of
        // two).
        if (!isStorageError(error, 'upload-not-found') && !isStorageError(error, 'unavailable')) throw error
        const place = await findCompleted(context, upload, claim)
        if (place === undefined) throw error
        if (place === 'published') return publishInPlace(context, { key, object: keys.object(key) }, claim)
      }
      return publish(context, upload, claim)
    },

    async abort(upload) {
      try {
        const { key, object, storeId } = locateUpload(keys, upload)
        await connection.call(
          { operation: 'AbortMultipartUpload', key, object, namesUpload: true },
          (s3, callOptions) => s3.abortMultipartUpload({ Bucket, Key: object, UploadId: storeId }, callOptions),
        )
      } catch (error) {
        // 204 and 404 both mean that it is gone
        if (!isStorageError(error, 'upload-not-found')) throw error
      }
    },

    /**
     * Best effort: MinIO knows only what began since its last start. No `Prefix`, which MinIO takes
     * for a whole key.
     */
    async *listUploads() {
      let at: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}
      while (at !== undefined) {
        const marker: { KeyMarker?: string; UploadIdMarker?: string } = at
        const page = await connection.call({ operation: 'ListMultipartUploads' }, (s3, callOptions) =>
          s3.listMultipartUploads({ Bucket, ...marker }, callOptions),
        )
        for (const { Key = '', UploadId = '', Initiated = new Date(0) } of page.Uploads ?? []) {
          const found = keys.parse(Key)
          if (found !== undefined) yield { ...uploadRef({ ...found, storeId: UploadId }), createdAt: Initiated }
        }
        const { NextKeyMarker, NextUploadIdMarker } = page
        at =
          page.IsTruncated === true &&
          NextKeyMarker !== undefined &&
          (NextKeyMarker !== marker.KeyMarker || NextUploadIdMarker !== marker.UploadIdMarker)
            ? {
                KeyMarker: NextKeyMarker,
                ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
              }
            : undefined
      }
    },
  }
}

async function publish(context: S3Context, upload: S3Upload, claim: CompleteMultipartOptions): Promise<FinishedBlob> {
  const { key, staged, sha256 } = upload
  try {
    if (staged) return await publishStaged(context, key, claim)
    if (sha256 === undefined) return await publishInPlace(context, upload, claim)
    // the store has refused every part with another SHA-256, and the whole is one part
    checkSize(upload, await statObject(context, upload), claim.size)
    return { key, proof: 'proven' }
  } catch (cause) {
    // versitygw says yes to the second of two completes at once, before the first has put anything
    // there
    if (!isStorageError(cause, 'not-found')) throw cause
    throw new StorageError('upload-not-found', 'the upload is gone, and its object is not there (yet)', {
      backend: 's3',
      key,
      cause,
    })
  }
}

/** Of a part that is listed more than once the one that was sent last. */
function newestOfEach(listed: readonly ListedPart[]): PartStat[] {
  const newest = new Map<number, ListedPart>()
  for (const part of listed)
    if (part.sentAt >= (newest.get(part.partNumber)?.sentAt ?? 0)) newest.set(part.partNumber, part)
  return [...newest.values()].map(({ sentAt: _, ...part }) => part).sort((a, b) => a.partNumber - b.partNumber)
}

/** Compares what the client claims with what the store has, before anything is joined. */
function checkClaim(claim: CompleteMultipartOptions, arrived: readonly ListedPart[]): void {
  const named = (partNumber: number, etag: string): string => `${partNumber} ${etag}`
  const numbers = new Set(arrived.map(({ partNumber }) => partNumber))
  const byName = new Map(arrived.map((part) => [named(part.partNumber, part.etag), part]))
  let size = 0
  for (const { partNumber, etag } of claim.parts) {
    if (!numbers.has(partNumber)) throw invalidPart(claim.key, `part ${partNumber} did not arrive`)
    const part = byName.get(named(partNumber, unquote(etag)))
    if (part === undefined) throw invalidPart(claim.key, `part ${partNumber} has another ETag than the client says`)
    size += part.size
  }
  if (size !== claim.size)
    throw mismatch('size-mismatch', `the parts have ${size} bytes instead of ${claim.size}`, claim.key)
}

/** Where the bytes of a vanished upload lie, if it was completed with the claimed parts. */
async function findCompleted(
  context: S3Context,
  upload: S3Upload,
  claim: CompleteMultipartOptions,
): Promise<'joined' | 'published' | undefined> {
  const joined = await statObject(context, upload)
  if (joined !== undefined) return joined.size === claim.size && couldBe(joined.etag, claim) ? 'joined' : undefined
  const published = upload.staged
    ? await statObject(context, { key: upload.key, object: context.keys.object(upload.key) })
    : undefined
  return published?.size === claim.size ? 'published' : undefined
}

/**
 * The ETag of joined parts is the MD5 of their MD5s, `-`, their count. Under KMS encryption it is
 * something else and says nothing.
 */
function couldBe(etag: string, { parts }: CompleteMultipartOptions): boolean {
  const md5s = parts.map((part) => unquote(part.etag))
  if (!/^[0-9a-f]{32}-\d+$/.test(etag) || md5s.some((md5) => !/^[0-9a-f]{32}$/.test(md5))) return true
  return (
    etag ===
    `${createHash('md5')
      .update(Buffer.from(md5s.join(''), 'hex'))
      .digest('hex')}-${parts.length}`
  )
}

function invalidPart(key: string, message: string): StorageError {
  return new StorageError('invalid-part', message, { backend: 's3', key })
}
