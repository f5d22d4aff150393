import { StorageError } from '../errors.js'
import type { S3LogEntry } from './call-log.js'

/** Keys of one identity. `sessionToken` comes with temporary credentials (STS, instance roles). */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** When these stop working. A provider is asked again a few minutes before. */
  readonly expiration?: Date
}

/** Limits of one call to the store, in seconds. */
export interface S3Timeouts {
  /** Until the TCP or TLS connection stands. Default 5. */
  readonly connectSeconds?: number
  /**
   * Of a call for which a client waits, such as the start of an upload, with all its tries. Default
   * 8.
   */
  readonly answerSeconds?: number
  /**
   * Of a small call that nobody waits for, and until the answer to a read begins, with all its
   * tries. Default 60.
   */
  readonly requestSeconds?: number
  /** Without a byte moving, while a body is sent or read. Default 300. */
  readonly idleSeconds?: number
  /**
   * Joining parts and copying inside the store, which some stores do at 8 s per GiB and silently.
   * Default 3600.
   */
  readonly finishSeconds?: number
}

/**
 * How the SHA-256 of a whole that came in parts is proven before it is published.
 *
 * - `read`: it is read back once and hashed. Works everywhere, trusts nobody.
 * - `store`: the store copies it to its final key and computes the SHA-256 of the copy (AWS "Checking object integrity", full object checksum). Nothing is
 *   read back. Falls back to `read` where the store computes none, and above 5 GiB, the largest copy of one call.
 * - `background`: `complete` does not wait: it returns `unproven`, and the registry calls `prove` later.
 */
export type S3Verify = 'read' | 'store' | 'background'

export interface S3StorageOptions {
  readonly bucket: string
  /** Put before every key, `/` between. Default none. */
  readonly prefix?: string
  /** Default `us-east-1` with an `endpoint`; without one the AWS chain (`AWS_REGION`, profile). */
  readonly region?: string
  /** Where this server reaches the store, for example `http://minio:9000`. Default AWS itself. */
  readonly endpoint?: string
  /**
   * Where clients reach the same store: presigned URLs are signed for its host. It may have a path,
   * of a proxy that takes it off before the store and leaves the Host as it came. Default
   * `endpoint`.
   */
  readonly publicEndpoint?: string
  /**
   * `https://host/bucket/key` (true) or `https://bucket.host/key` (false). Default true with an
   * `endpoint`, else false.
   */
  readonly pathStyle?: boolean
  /**
   * Default: the AWS chain (environment, profile, web identity, instance role). A function is asked
   * again before its answer expires.
   */
  readonly credentials?: S3Credentials | (() => S3Credentials | Promise<S3Credentials>)
  /**
   * Sign upload URLs in place of `credentials`, and do nothing else: a key that may `s3:PutObject`
   * below `blobs/` (and, with `verify: 'store'`, `.incoming/blobs/`) of the prefix alone. For
   * stores that take unsigned headers which copy other objects, and open no session that could do
   * as much. Default a session that may only write, where the store opens one (MinIO does); else
   * `credentials`.
   */
  readonly uploadCredentials?: S3Credentials | (() => S3Credentials | Promise<S3Credentials>)
  /**
   * Own CA for `endpoint`, PEM. Clients must trust the CA of `publicEndpoint` themselves. Default
   * the CAs of Node.
   */
  readonly ca?: string | Uint8Array
  /** For example `STANDARD_IA`. Default the bucket's. */
  readonly storageClass?: string
  /** Default the bucket's default encryption. */
  readonly serverSideEncryption?: 'AES256' | 'aws:kms'
  /** Key of `aws:kms`. Default the account's own key. */
  readonly kmsKeyId?: string
  readonly timeouts?: S3Timeouts
  /**
   * Tries of one call, the first included; at least 2, since a store that restarted breaks the
   * first call on a pooled socket. Default 3.
   */
  readonly maxAttempts?: number
  /** Open connections to the store at the most. Default 50. */
  readonly connections?: number
  /**
   * Whether presigned URLs are bound to the SHA-256 of their bytes by a signed
   * `x-amz-content-sha256` header. Stores differ (MinIO takes it, versitygw refuses it), so `probe`
   * tries it once, at `ready` or at the first presigned URL. Default `probe`.
   */
  readonly bindPayload?: 'probe' | boolean
  /** Default `read`. */
  readonly verify?: S3Verify
  /** Creates the bucket at `ready` when it is missing and the credentials may. Default true. */
  readonly createBucket?: boolean
  /**
   * Told of every call to the store and every presigned URL; never sees a signature or a secret.
   * Must not throw. Default none.
   */
  readonly log?: (entry: S3LogEntry) => void
  /** Signs presigned URLs at this time. Default the system clock. */
  readonly clock?: () => Date
}

type Defaulted =
  | 'timeouts'
  | 'maxAttempts'
  | 'connections'
  | 'bindPayload'
  | 'verify'
  | 'createBucket'
  | 'prefix'
  | 'pathStyle'
  | 'clock'
  | 'log'

export type ResolvedS3Options = Omit<S3StorageOptions, Defaulted> &
  Required<Pick<S3StorageOptions, Exclude<Defaulted, 'timeouts'>>> & { readonly timeouts: Required<S3Timeouts> }

const WEEK_SECONDS = 7 * 24 * 3600
/**
 * SigV4: a presigned URL lives for a week at the most (AWS "Authenticating Requests: Using Query
 * Parameters").
 */
export const MAX_EXPIRES_SECONDS: number = WEEK_SECONDS

export function resolveS3Options(options: S3StorageOptions): ResolvedS3Options {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(options.bucket))
    throw wrong(`bucket name ${JSON.stringify(options.bucket)} is not one S3 allows`)
  checkEndpoint('endpoint', options.endpoint)
  checkEndpoint('publicEndpoint', options.publicEndpoint)
  const maxAttempts = options.maxAttempts ?? 3
  if (!Number.isInteger(maxAttempts) || maxAttempts < 2)
    throw wrong(`maxAttempts must be a whole number of at least 2, not ${maxAttempts}`)
  if (options.kmsKeyId !== undefined && options.serverSideEncryption !== 'aws:kms')
    throw wrong("kmsKeyId needs serverSideEncryption: 'aws:kms'")
  const region = options.region ?? (options.endpoint === undefined ? undefined : 'us-east-1')
  return {
    ...options,
    ...(region === undefined ? {} : { region }),
    prefix: checkPrefix(options.prefix ?? ''),
    pathStyle: options.pathStyle ?? options.endpoint !== undefined,
    maxAttempts,
    connections: options.connections ?? 50,
    bindPayload: options.bindPayload ?? 'probe',
    verify: options.verify ?? 'read',
    createBucket: options.createBucket ?? true,
    log: options.log ?? (() => {}),
    clock: options.clock ?? (() => new Date()),
    timeouts: {
      connectSeconds: 5,
      answerSeconds: 8,
      requestSeconds: 60,
      idleSeconds: 300,
      finishSeconds: 3600,
      ...options.timeouts,
    },
  }
}

function checkEndpoint(name: string, value: string | undefined): void {
  if (value === undefined) return
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw wrong(`${name} must be an http or https URL such as https://s3.example.org`)
  if (url.username !== '' || url.password !== '') throw wrong(`${name} must not carry credentials`)
  if (url.search !== '' || url.hash !== '') throw wrong(`${name} must not carry a query or a fragment`)
}

function checkPrefix(prefix: string): string {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '')
  // MinIO refuses such segments, and versitygw stores them under another name
  if (trimmed !== '' && trimmed.split('/').some((segment) => segment === '' || segment === '.' || segment === '..'))
    throw wrong(`prefix ${JSON.stringify(prefix)} has an empty, . or .. segment`)
  return trimmed
}

function wrong(message: string): StorageError {
  return new StorageError('unsupported', message, { backend: 's3' })
}
