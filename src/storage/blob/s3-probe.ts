import { randomUUID } from 'node:crypto'
import { StorageError } from './errors.js'
import type { S3Context } from './s3-context.js'
import { deleteObject } from './s3-objects.js'

const RIGHT = 'sif-library probe: right bytes'
const WRONG = 'sif-library probe: other bytes'
const RIGHT_SHA256 = 'ac73d980c53d41581d9f9c8f7884590f3c461a8194262147d8cec6790642b8cc'

/**
 * Tries whether the store holds a presigned URL to the SHA-256 that it is signed for: one tiny PUT with those bytes and one with others, to a key of its
 * own at the entrance. MinIO, s3proxy: yes. versitygw, s3s: no, they refuse both. A store that takes both checks nothing, which is a no as well.
 * Throws `unavailable` when the store does not answer.
 */
export async function probeBinding(context: S3Context): Promise<boolean> {
  const key = `probe-${randomUUID()}`
  const object = context.keys.incoming(key)
  const headers = { 'content-length': String(Buffer.byteLength(RIGHT)), 'x-amz-content-sha256': RIGHT_SHA256 }
  const signUrl = await context.signer()
  const { url, canonical } = await signUrl({ method: 'PUT', object, headers, expiresSeconds: 300 })
  const right = await context.connection.sendSigned({ url, headers, body: RIGHT, object, canonical })
  if (right >= 500) throw new StorageError('unavailable', `the store answered ${right} to a presigned PUT`, { backend: 's3' })
  if (right >= 300) return false
  const wrong = await context.connection.sendSigned({ url, headers, body: WRONG, object, canonical })
  await deleteObject(context, { key, object })
  if (wrong >= 500) throw new StorageError('unavailable', `the store answered ${wrong} to a presigned PUT`, { backend: 's3' })
  return wrong >= 400
}
