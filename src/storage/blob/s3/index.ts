/**
 * `sif-library/storage/s3`: bytes in any store that speaks S3, straight between client and store by
 * presigned URLs.
 * @module
 */
import type { MultipartCapability, PresignCapability, StorageBackend, StorageLimits } from '../contract.js'
import { isStorageError } from '../errors.js'
import { bucketExists, prepareBucket } from './bucket.js'
import { connectS3 } from './connection.js'
import { MAX_SINGLE_BYTES, type S3Context } from './context.js'
import { createS3Keys } from './keys.js'
import { createMultipart } from './multipart.js'
import { deleteObject, getObject, listObjects, putObject, statObject } from './objects.js'
import { createLimiter, createNamedQueues, once } from './once.js'
import { resolveS3Options, type S3Credentials, type S3StorageOptions } from './options.js'
import { createPresign } from './presign.js'
import { probeBinding } from './probe.js'
import type { S3Traits } from './profiles.js'
import { proveObject } from './proof.js'
import { probeReach, type Reach } from './reach-probe.js'
import { loadSha256 } from './sha256.js'
import { createSigner, type SignUrl } from './signer.js'
import { createTrials } from './trials.js'
import { createUploadSigning, type UploadVerdict } from './upload-signing.js'

export type { S3LogEntry } from './call-log.js'
export type { S3Credentials, S3StorageOptions, S3Timeouts, S3Verify } from './options.js'
export {
  fitS3Profile,
  type S3Fact,
  type S3Fit,
  type S3Profile,
  type S3Sighting,
  type S3Traits,
  s3Profiles,
} from './profiles.js'
export type { Reach } from './reach-probe.js'
export type { UploadSigner, UploadVerdict } from './upload-signing.js'
export { s3OptionsFromUrl } from './url.js'

/** A StorageBackend over S3 with presigned URLs and multipart uploads. */
export interface S3Storage extends StorageBackend {
  readonly multipart: MultipartCapability
  readonly presign: PresignCapability
  /**
   * What a holder of an upload URL could do with it, tried through the public endpoint; for
   * `doctor`. `reach`: what its signer may do beyond uploads, undefined where it signs with our own
   * credentials.
   */
  examineUploads(): Promise<{ readonly verdict: UploadVerdict; readonly reach: readonly Reach[] | undefined }>
  /** What was found by trying what the store can do, at `ready` or later. */
  readonly traits: S3Traits
}

/** AWS "Amazon S3 multipart upload limits"; MinIO, Ceph, R2 and versitygw keep to them. */
const LIMITS: StorageLimits = {
  minPartSize: 5 * 1024 ** 2,
  maxPartSize: MAX_SINGLE_BYTES,
  maxParts: 10_000,
  maxPutSize: MAX_SINGLE_BYTES,
}

/**
 * A path in the public endpoint is that of a proxy, which takes it off: the store checks the
 * signature of what then arrives, which is the path that `endpoint` itself has, most often none.
 */
function asTheStoreSees(publicEndpoint: string | undefined, endpoint: string | undefined): string | undefined {
  if (publicEndpoint === undefined) return undefined
  const seen = new URL(publicEndpoint)
  seen.pathname = endpoint === undefined ? '/' : new URL(endpoint).pathname
  return seen.href
}

/** Each holds a core and about 10 MiB; more at once would only share the same network. */
const HASHING_THREADS = 4

/**
 * Stores blobs in an S3 bucket. Needs the optional peers `@aws-sdk/client-s3`,
 * `@smithy/signature-v4` and `@smithy/protocol-http`, which are imported on first use; where one is
 * missing, that use fails with StorageError `unsupported`, naming it. Throws `unsupported` for
 * options that contradict.
 */
export function s3Storage(given: S3StorageOptions): S3Storage {
  const options = resolveS3Options(given)
  const connection = connectS3(options, bucketExists)
  const keys = createS3Keys(options.prefix)
  const sha256 = once(loadSha256)
  const signerFor = async (
    endpoint: string | undefined,
    credentials: (seconds: number) => Promise<S3Credentials> = connection.credentials,
  ): Promise<SignUrl> => {
    const [region, bucketUrl, publicUrl] = await Promise.all([
      connection.region(),
      connection.bucketUrl(asTheStoreSees(endpoint, options.endpoint)),
      connection.bucketUrl(endpoint),
    ])
    return createSigner({
      region,
      bucketUrl,
      publicPath: publicUrl.pathname,
      sha256: await sha256(),
      credentials,
      clock: options.clock,
    })
  }
  const closing = new AbortController()
  const shared = {
    options,
    connection,
    keys,
    sha256,
    signer: once(() => signerFor(options.endpoint)),
    hashing: createLimiter(HASHING_THREADS),
    puts: createNamedQueues(),
    closing: closing.signal,
  }
  // the trials use what is shared, and are shared themselves
  const context: S3Context = { ...shared, trials: createTrials(() => context) }
  const { trials } = context
  const at = (key: string) => ({ key, object: keys.object(key) })

  let known = options.bindPayload === 'probe' ? undefined : options.bindPayload
  const find = once(async () => {
    known = await probeBinding(context)
    return known
  })
  const uploads = createUploadSigning(context, {
    signerFor,
    binds: async () => known ?? find(),
    ...(options.uploadCredentials === undefined ? {} : { uploadCredentials: connection.uploadCredentials }),
  })

  return {
    name: 's3',
    get limits() {
      return { ...LIMITS, maxParts: trials.multipart.known?.maxParts ?? LIMITS.maxParts }
    },
    get traits() {
      return { bindsPayload: known, conditionalPut: trials.conditionalPut.known, ...trials.multipart.known }
    },
    ready: once(async () => {
      await prepareBucket(context)
      // what is not found out now is tried again when it is needed: from a store that takes no
      // writes one can still read
      const later = () => {}
      await Promise.all([
        known ?? find(),
        trials.conditionalPut.find().catch(later),
        trials.multipart.find().catch(later),
      ])
      await uploads.find()
    }),
    put: async (key, body, putOptions) => putObject(context, at(key), body, putOptions),
    get: async (key, getOptions) => getObject(context, at(key), getOptions),
    stat: async (key) => {
      const found = await statObject(context, at(key), { mayBeAbsent: true })
      return found && { size: found.size, modifiedAt: found.modifiedAt }
    },
    delete: async (key) => deleteObject(context, at(key)),
    async *list(prefix) {
      for await (const { key, size, modifiedAt } of listObjects(context, { prefix, staged: false }))
        yield { key, size, modifiedAt }
    },
    multipart: createMultipart(context, uploads),
    presign: createPresign(context, {
      signer: options.publicEndpoint === undefined ? context.signer : once(() => signerFor(options.publicEndpoint)),
      uploads,
      binding: {
        get known() {
          return known
        },
        find,
      },
    }),
    examineUploads: async () => {
      const verdict = await uploads.find()
      const isOwn = verdict.signedBy === 'credentials'
      return { verdict, reach: isOwn ? undefined : await probeReach(context, await uploads.signer()) }
    },
    prove: async (key, expected) => proveObject(context, at(key), expected),

    async sweepTemporary(olderThan, { isInUse } = {}) {
      let swept = 0
      let failed: { readonly error: unknown } | undefined
      for await (const found of listObjects(context, { prefix: '', staged: true })) {
        if (found.modifiedAt >= olderThan) continue
        try {
          // AWS dates an object that came in parts by the start of its upload ("Working with object
          // metadata"), however lately they were joined
          if ((await isInUse?.(found.key)) === true) continue
          await deleteObject(context, found)
          swept += 1
        } catch (error) {
          // the others need not wait for what keeps this one
          failed ??= { error }
        }
      }
      if (failed !== undefined) throw failed.error
      return swept
    },

    async check({ signal } = {}) {
      const call = { operation: 'ListObjectsV2', pace: 'prompt', signal } as const
      try {
        await connection.call(call, (s3, callOptions) =>
          s3.listObjectsV2({ Bucket: connection.bucket, Prefix: keys.prefix(''), MaxKeys: 1 }, callOptions),
        )
        return { ok: true, message: `bucket ${connection.bucket} answers` }
      } catch (error) {
        return { ok: false, message: isStorageError(error) ? error.message : 's3: unknown error' }
      }
    },

    async close() {
      closing.abort(new Error('the storage was closed'))
      connection.close()
    },
  }
}
