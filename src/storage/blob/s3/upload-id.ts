import type { MultipartRef } from '../contract.js'
import { StorageError } from '../errors.js'
import type { S3Object } from './context.js'
import type { S3Keys } from './keys.js'

/**
 * Begins the upload id of an upload at the staging key, so that its object is found again whatever
 * `verify` says by then.
 */
const STAGING_MARK = '~'

/**
 * Begins the upload id of an upload whose bytes the store itself holds to a SHA-256: `=`, the
 * digest, `:`. Every URL for it is bound to these bytes, whatever the backend finds out about the
 * store later. No store's id starts with a mark.
 */
const BOUND = /^=([0-9a-f]{64}):/

export interface S3Upload extends S3Object {
  readonly staged: boolean
  /** Lower-case hex SHA-256 of the one part, and so of the whole, that the store takes. */
  readonly sha256: string | undefined
  /** The store's own upload id. */
  readonly storeId: string
}

export function uploadRef({
  key,
  staged,
  sha256,
  storeId,
}: {
  readonly key: string
  readonly staged: boolean
  readonly sha256?: string | undefined
  readonly storeId: string
}): MultipartRef {
  const mark = staged ? STAGING_MARK : sha256 === undefined ? '' : `=${sha256}:`
  return { key, uploadId: mark + storeId }
}

/** Throws `upload-not-found` for an id that no store gave out: versitygw takes it for a path. */
export function locateUpload(keys: S3Keys, { key, uploadId }: MultipartRef): S3Upload {
  const staged = uploadId.startsWith(STAGING_MARK)
  const [mark = '', sha256] = BOUND.exec(uploadId) ?? (staged ? [STAGING_MARK] : [])
  const storeId = uploadId.slice(mark.length)
  if (!/^[\x21-\x7e]{1,1024}$/.test(storeId) || storeId.split('/').some((segment) => /^\.{0,2}$/.test(segment)))
    throw new StorageError('upload-not-found', 'no store gives out such an upload id', { backend: 's3', key })
  return { key, staged, sha256, object: staged ? keys.staging(key) : keys.object(key), storeId }
}
