import { isStorageError, StorageError } from '../errors.js'
import type { S3Connection } from './connection.js'
import type { S3Context } from './context.js'
import { storageErrorFrom } from './errors.js'

/** AWS and Ceph. */
const REGION_REFUSED = new Set(['InvalidLocationConstraint', 'IllegalLocationConstraintException'])

/** Makes sure that there is a bucket. Safe on many instances at once. Without the right to look at the bucket, the first use tells. */
export async function prepareBucket({ connection, options }: S3Context): Promise<void> {
  const { bucket } = connection
  if (await bucketExists(connection)) return
  const missing = (cause?: unknown): StorageError =>
    new StorageError(
      'unavailable',
      `the bucket ${bucket} does not exist${cause === undefined ? '' : ' and could not be created'}; create it, or correct the bucket or the region`,
      {
        backend: 's3',
        retryable: false,
        // the code that explains it is this one, but for a region that the store makes no bucket in
        cause: Object.assign(new Error('NoSuchBucket'), {
          code: REGION_REFUSED.has(causeCode(cause) ?? '') ? causeCode(cause) : 'NoSuchBucket',
          creation: isStorageError(cause) ? cause.message : undefined,
        }),
      },
    )
  if (!options.createBucket) throw missing()
  const region = await connection.region()
  try {
    await connection.call({ operation: 'CreateBucket' }, (s3, callOptions) =>
      // us-east-1 is the one region that must not be named (AWS CreateBucket)
      s3.createBucket(
        {
          Bucket: bucket,
          ...(region === 'us-east-1'
            ? {}
            : { CreateBucketConfiguration: { LocationConstraint: region as 'eu-west-1' } }),
        },
        callOptions,
      ),
    )
  } catch (error) {
    // another instance was faster
    if (await bucketExists(connection)) return
    throw isStorageError(error, 'unavailable') && error.retryable ? error : missing(error)
  }
}

/** Asked by HEAD, to which every store says 404 where there is none; MinIO answers a list of no keys (`MaxKeys: 0`) with 200 all the same. */
export async function bucketExists(connection: S3Connection): Promise<boolean> {
  try {
    await connection.call({ operation: 'HeadBucket' }, (s3, callOptions) =>
      s3.headBucket({ Bucket: connection.bucket }, callOptions),
    )
    return true
  } catch (error) {
    if (isStorageError(error, 'not-found') || causeCode(error) === 'NoSuchBucket') return false
    // a HEAD carries no code: ask again where the store can say what is wrong
    await connection
      .call({ operation: 'ListObjectsV2' }, (s3, callOptions) =>
        s3.listObjectsV2({ Bucket: connection.bucket, MaxKeys: 0 }, callOptions),
      )
      .catch((reason) => {
        const told = storageErrorFrom(reason, { operation: 'ListObjectsV2', bucket: connection.bucket })
        // a policy may forbid looking at the bucket as a whole and allow its objects
        if (causeCode(told) !== 'AccessDenied') throw told
      })
    return true
  }
}

function causeCode(error: unknown): string | undefined {
  return isStorageError(error) ? (error.cause as { code?: string } | undefined)?.code : undefined
}
