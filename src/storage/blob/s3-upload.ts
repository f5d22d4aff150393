import type { MultipartRef } from './contract.js'
import type { S3Object } from './s3-context.js'
import type { S3Keys } from './s3-keys.js'

/** Begins the upload id of an upload at the entrance, so that its object is found again whatever `verify` says by then. No store's id starts with it. */
const INCOMING_MARK = '~'

export interface S3Upload extends S3Object {
  readonly incoming: boolean
  /** The store's own upload id. */
  readonly storeId: string
}

export function uploadRef({ key, incoming, storeId }: { readonly key: string; readonly incoming: boolean; readonly storeId: string }): MultipartRef {
  return { key, uploadId: incoming ? INCOMING_MARK + storeId : storeId }
}

export function locateUpload(keys: S3Keys, { key, uploadId }: MultipartRef): S3Upload {
  const incoming = uploadId.startsWith(INCOMING_MARK)
  return { key, incoming, object: incoming ? keys.incoming(key) : keys.object(key), storeId: incoming ? uploadId.slice(1) : uploadId }
}
