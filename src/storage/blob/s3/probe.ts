import { randomUUID } from 'node:crypto'
import { StorageError } from '../errors.js'
import type { S3Context } from './context.js'
import { deleteObject } from './objects.js'

const RIGHT = 'sif-library probe: right bytes'
const WRONG = 'sif-library probe: other bytes'
const RIGHT_SHA256 = 'ac73d980c53d41581d9f9c8f7884590f3c461a8194262147d8cec6790642b8cc'

/**
 * Tries whether the store holds a presigned URL to the SHA-256 that it is signed for: one tiny PUT
 * with those bytes and one with others, each to a key of its own at the staging key, since a store
 * may allow few writes per key. MinIO, s3proxy: yes. versitygw, s3s: no, they refuse both. A store
 * that takes both checks nothing, which is a no as well, and so is a refusal for another reason
 * than the bytes. Throws `unavailable` when the store does not answer or has no time.
 */
export async function probeBinding(context: S3Context): Promise<boolean> {
  const right = await putProbe(context, RIGHT)
  if (right >= 300) return false
  // 400 XAmzContentSHA256Mismatch or BadDigest (AWS "Error responses"; seen on MinIO and s3proxy)
  return (await putProbe(context, WRONG)) === 400
}

/** Sends `body` to a URL that is signed for the right bytes, and returns the status. */
async function putProbe(context: S3Context, body: string): Promise<number> {
  const key = `probe-${randomUUID()}`
  const object = context.keys.staging(key)
  const headers = { 'content-length': String(Buffer.byteLength(RIGHT)), 'x-amz-content-sha256': RIGHT_SHA256 }
  const signUrl = await context.signer()
  const { url, canonical } = await signUrl({ method: 'PUT', object, headers, expiresSeconds: 300 })
  const status = await context.connection.sendSigned({ url, headers, body, object, canonical })
  if (status < 300) await deleteObject(context, { key, object })
  if (status >= 500 || status === 408 || status === 429)
    throw new StorageError('unavailable', `the store answered ${status} to a presigned PUT`, { backend: 's3' })
  return status
}
