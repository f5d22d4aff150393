import type { MultipartRef } from '../contract.js'
import { StorageError } from '../errors.js'
import type { S3Object } from './context.js'
import type { S3Keys } from './keys.js'

/** Begins the upload id of an upload at the entrance, so that its object is found again whatever `verify` says by then. No store's id starts with it. */
const INCOMING_MARK = '~'

export interface S3Upload extends S3Object {
  readonly incoming: boolean
  /** The store's own upload id. */
  readonly storeId: string
}

export function uploadRef({
  key,
  incoming,
  storeId,
}: {
  readonly key: string
  readonly incoming: boolean
  readonly storeId: string
}): MultipartRef {
  return { key, uploadId: incoming ? INCOMING_MARK + storeId : storeId }
}

/** Throws `upload-not-found` for an id that no store gave out: versitygw takes it for a path. */
export function locateUpload(keys: S3Keys, { key, uploadId }: MultipartRef): S3Upload {
  const incoming = uploadId.startsWith(INCOMING_MARK)
  const storeId = incoming ? uploadId.slice(1) : uploadId
  if (!/^[\x21-\x7e]{1,1024}$/.test(storeId) || storeId.split('/').some((segment) => /^\.{0,2}$/.test(segment)))
    throw new StorageError('upload-not-found', 'no store gives out such an upload id', { backend: 's3', key })
  return { key, incoming, object: incoming ? keys.incoming(key) : keys.object(key), storeId }
}
