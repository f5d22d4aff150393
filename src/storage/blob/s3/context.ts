import type { S3Connection } from './connection.js'
import type { S3Keys } from './keys.js'
import type { ResolvedS3Options } from './options.js'
import type { Sha256 } from './sha256.js'
import type { SignUrl } from './signer.js'
import type { S3Trials } from './trial.js'

/** What the parts of the S3 backend share. */
export interface S3Context {
  readonly options: ResolvedS3Options
  readonly connection: S3Connection
  readonly keys: S3Keys
  readonly sha256: () => Promise<Sha256>
  /** Signs for the endpoint that this server reaches. */
  readonly signer: () => Promise<SignUrl>
  /** Line in which hashing threads wait for each other. */
  readonly hashing: <T>(work: () => Promise<T>) => Promise<T>
  /** What the store can do. */
  readonly trials: S3Trials
  /** Puts to one key, one after the other. */
  readonly puts: <T>(key: string, work: () => Promise<T>) => Promise<T>
  /** Fires at `close`. */
  readonly closing: AbortSignal
}

/**
 * Bytes of one CopyObject, of one PutObject and of one part at the most (AWS "Amazon S3 multipart
 * upload limits").
 */
export const MAX_SINGLE_BYTES: number = 5 * 1024 ** 3

/** Name and place of an object: `key` is the registry's word for it, `object` the store's. */
export interface S3Object {
  readonly key: string
  readonly object: string
}

/** Headers of every object that this backend creates itself. */
export function creationInput({ options }: S3Context): {
  readonly StorageClass?: 'STANDARD'
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms'
  readonly SSEKMSKeyId?: string
} {
  const { storageClass, serverSideEncryption, kmsKeyId } = options
  return {
    // The SDK lists the classes of AWS; other stores have their own, so ours is any text.
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as 'STANDARD' }),
    ...(serverSideEncryption === undefined ? {} : { ServerSideEncryption: serverSideEncryption }),
    ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
  }
}

export function unquote(etag: string | undefined): string {
  return (etag ?? '').replace(/^(?:W\/)?"(.*)"$/, '$1')
}
