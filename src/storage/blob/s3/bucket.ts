import { isStorageError, StorageError } from '../errors.js'
import type { S3Connection } from './connection.js'
import type { S3Context } from './context.js'

/** AWS and Ceph. */
const REGION_REFUSED = new Set(['InvalidLocationConstraint', 'IllegalLocationConstraintException'])

/**
 * Makes sure that there is a bucket. Safe on many instances at once. Without the right to look at
 * the bucket, the first use tells.
 */
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

/**
 * Asked by HEAD. A HEAD that fails without saying why (a store that is starting, a proxy in front
 * of it) is followed by a list of one key, whose answer carries a code. A list of no keys proves
 * nothing: MinIO answers it with 200 where there is no bucket.
 */
export async function bucketExists(connection: S3Connection): Promise<boolean> {
  try {
    await connection.call({ operation: 'HeadBucket' }, (s3, callOptions) =>
      s3.headBucket({ Bucket: connection.bucket }, callOptions),
    )
    return true
  } catch (error) {
    if (isMissing(error)) return false
  }
  try {
    await connection.call({ operation: 'ListObjectsV2' }, (s3, callOptions) =>
      s3.listObjectsV2({ Bucket: connection.bucket, MaxKeys: 1 }, callOptions),
    )
    return true
  } catch (error) {
    if (isMissing(error)) return false
    // a policy may forbid looking at the bucket as a whole and allow its objects
    if (causeCode(error) === 'AccessDenied') return true
    throw error
  }
}

const isMissing = (error: unknown): boolean => isStorageError(error, 'not-found') || causeCode(error) === 'NoSuchBucket'

function causeCode(error: unknown): string | undefined {
  return isStorageError(error) ? (error.cause as { code?: string } | undefined)?.code : undefined
}
