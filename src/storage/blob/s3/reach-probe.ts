import { randomUUID } from 'node:crypto'
import type { S3Context } from './context.js'
import { deleteObject } from './objects.js'
import { sendPlain } from './request.js'
import type { SignOptions, SignUrl } from './signer.js'

/** What the credentials that sign uploads can do beyond uploads. */
export type Reach = 'read blobs' | 'list the bucket' | 'write records' | 'write outside of the prefix'

const BODY = 'sif-library probe'
const IDLE_MS = 10_000

/**
 * Tries each of them with a presigned URL, and undoes what succeeds. Rejects with the error of the
 * network.
 */
export async function probeReach(context: S3Context, signUrl: SignUrl): Promise<readonly Reach[]> {
  const { connection, keys, options } = context
  const own = { key: 'probe', object: keys.staging(`probe-${randomUUID()}`) }
  await connection.call({ operation: 'PutObject', ...own, pace: 'prompt' }, (s3, callOptions) =>
    s3.putObject({ Bucket: connection.bucket, Key: own.object, Body: BODY, ContentLength: BODY.length }, callOptions),
  )
  const succeeds = async (request: Pick<SignOptions, 'method' | 'object' | 'query'>): Promise<boolean> => {
    const isPut = request.method === 'PUT'
    const headers: Readonly<Record<string, string>> = isPut ? { 'content-length': String(BODY.length) } : {}
    const { url } = await signUrl({ ...request, headers, expiresSeconds: 300 })
    const body = isPut ? { body: BODY } : {}
    const { status } = await sendPlain(url, {
      method: request.method,
      headers,
      ...body,
      ca: options.ca,
      idleMs: IDLE_MS,
    })
    if (status < 300 && isPut) await deleteObject(context, { key: 'probe', object: request.object }).catch(() => {})
    return status < 300
  }
  try {
    const found: Reach[] = []
    if (await succeeds({ method: 'GET', object: own.object })) found.push('read blobs')
    if (await succeeds({ method: 'GET', object: '', query: { 'list-type': '2', 'max-keys': '1' } }))
      found.push('list the bucket')
    if (await succeeds({ method: 'PUT', object: keys.prefix(`records/probe-${randomUUID()}`) }))
      found.push('write records')
    if (keys.prefix('') !== '' && (await succeeds({ method: 'PUT', object: `sif-library-probe-${randomUUID()}` })))
      found.push('write outside of the prefix')
    return found
  } finally {
    await deleteObject(context, own).catch(() => {})
  }
}
