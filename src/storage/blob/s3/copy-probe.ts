import { randomUUID } from 'node:crypto'
import { isStorageError } from '../errors.js'
import { type S3Context, type S3Object, unquote } from './context.js'
import { factsOf } from './errors.js'
import { deleteObject, getObject } from './objects.js'
import { sendPlain } from './request.js'
import type { SignUrl } from './signer.js'

/** Of one length: Ceph copies only where the signed length is that of the source. */
const RIGHT = 'sif-library probe: right bytes'
const OTHER = 'sif-library probe: other bytes'
const RIGHT_SHA256 = 'ac73d980c53d41581d9f9c8f7884590f3c461a8194262147d8cec6790642b8cc'
const EXPIRES_SECONDS = 300
/** A public endpoint that this server cannot reach must not hold up its start. */
const IDLE_MS = 10_000
/**
 * For an answer to a part whose body does not come: Ceph copies without waiting for it, others
 * wait. One that takes longer is asked with the body next, and what it says to that is no refusal
 * either.
 */
const WITHHELD_MS = 500

/** No to what was asked for, whatever is in the source. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 405, 501])

/**
 * What becomes of a part whose sender adds `x-amz-copy-source`, which no signature covers.
 *
 * - `refused`: the store says no, and keeps nothing.
 * - `ignored`: the header is dropped on the way, and the part is what its sender signed and sent.
 * - `copied`: the part is a copy of another object, or the store began one and failed for a reason of its own (400, 404).
 * - `unclear`: no answer, or one that says nothing (5xx, 429).
 * - `unusable`: these URLs take no part at all, so nothing can be said.
 */
export type CopyOutcome = 'refused' | 'ignored' | 'copied' | 'unclear' | 'unusable'

export interface CopyProbe {
  readonly copying: CopyOutcome
  /** The answer that decided it, such as `403 AccessDenied`. */
  readonly answer: string
  /** Other bytes than those that were signed were refused. Always false without `bound`. */
  readonly holdsBytes: boolean
}

/**
 * Does to the store what an attacker would do with a part URL: sends other bytes, then the right
 * ones, then has it copy another object, whole and by range. `signUrl` decides with which
 * credentials and through which endpoint. What it leaves after a crash lies where a sweep looks.
 */
export async function probeCopying(
  context: S3Context,
  { signUrl, bound }: { readonly signUrl: SignUrl; readonly bound: boolean },
): Promise<CopyProbe> {
  const source: S3Object = at(context.keys.staging(`probe-${randomUUID()}`))
  await context.connection.call({ operation: 'PutObject', ...source, pace: 'prompt' }, (s3, callOptions) =>
    s3.putObject(
      { Bucket: context.connection.bucket, Key: source.object, Body: OTHER, ContentLength: OTHER.length },
      callOptions,
    ),
  )
  try {
    // apart: a store may refuse a range for its own reasons
    const tries = [undefined, `bytes=0-${OTHER.length - 1}`].map((range) =>
      tryPart(context, { signUrl, bound, copy: copyHeaders(context, source, range) }),
    )
    // the source stays until both have ended
    await Promise.allSettled(tries)
    const found = await Promise.all(tries)
    const telling = ({ copying }: CopyProbe): boolean => copying !== 'refused' && copying !== 'ignored'
    const worst = found.find(telling) ?? found.find(({ copying }) => copying === 'ignored') ?? found[0]
    if (worst === undefined) return { copying: 'unclear', answer: 'nothing was tried', holdsBytes: false }
    return { ...worst, holdsBytes: found.every(({ holdsBytes }) => holdsBytes) }
  } finally {
    await deleteObject(context, source).catch(() => {})
  }
}

const at = (object: string): S3Object => ({ key: object, object })

function copyHeaders({ connection }: S3Context, { object }: S3Object, range: string | undefined) {
  return {
    'x-amz-copy-source': `/${connection.bucket}/${encodeURIComponent(object).replaceAll('%2F', '/')}`,
    ...(range === undefined ? {} : { 'x-amz-copy-source-range': range }),
  }
}

interface Attempt {
  readonly signUrl: SignUrl
  readonly bound: boolean
  readonly copy: Readonly<Record<string, string>>
}

/** One upload of one part, into which a copy is tried. Nothing of it stays. */
async function tryPart(context: S3Context, { signUrl, bound, copy }: Attempt): Promise<CopyProbe> {
  const { connection, keys } = context
  const target = at(keys.object(`blobs/sha256/${RIGHT_SHA256.slice(0, 2)}/${RIGHT_SHA256}/probe-${randomUUID()}`))
  const Bucket = connection.bucket
  const part = { Bucket, Key: target.object }
  const { UploadId } = await connection.call(
    { operation: 'CreateMultipartUpload', ...target, pace: 'prompt' },
    (s3, callOptions) => s3.createMultipartUpload(part, callOptions),
  )
  const upload = { ...part, UploadId }
  const signed = {
    'content-length': String(RIGHT.length),
    ...(bound ? { 'x-amz-content-sha256': RIGHT_SHA256 } : {}),
  }
  const { url, canonical } = await signUrl({
    method: 'PUT',
    object: target.object,
    query: { partNumber: '1', uploadId: UploadId ?? '' },
    headers: signed,
    expiresSeconds: EXPIRES_SECONDS,
  })
  const send = (body: string | undefined, more: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    sendPart(context, { url, canonical, object: target.object, headers: { ...signed, ...more }, body })
  let joined = false
  try {
    const wrong = bound ? await send(OTHER) : undefined
    const holdsBytes = wrong?.status === 400
    const right = await send(RIGHT)
    if (right.status >= 300)
      return { copying: saysNothing(right) ? 'unclear' : 'unusable', answer: right.answer, holdsBytes }
    // Ceph copies where no body comes, and says 400 where one does
    const bare = await send(undefined, copy)
    const { status, answer } = bare.status > 0 && bare.status < 300 ? bare : await send(RIGHT, copy)
    if (status >= 300 || status === 0) {
      if (saysNothing({ status })) return { copying: 'unclear', answer, holdsBytes }
      return { copying: REFUSALS.has(status) ? 'refused' : 'copied', answer, holdsBytes }
    }
    // a 200 may still carry an error, or mean that the header was dropped: the bytes tell
    const { Parts = [] } = await connection.call(
      { operation: 'ListParts', ...target, pace: 'prompt' },
      (s3, callOptions) => s3.listParts(upload, callOptions),
    )
    if (Parts.length === 0) return { copying: 'refused', answer, holdsBytes }
    await connection.call({ operation: 'CompleteMultipartUpload', ...target, pace: 'prompt' }, (s3, callOptions) =>
      s3.completeMultipartUpload(
        { ...upload, MultipartUpload: { Parts: Parts.map(({ ETag }) => ({ PartNumber: 1, ETag: unquote(ETag) })) } },
        callOptions,
      ),
    )
    joined = true
    const { body } = await getObject(context, target)
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    return { copying: Buffer.concat(chunks).toString() === RIGHT ? 'ignored' : 'copied', answer, holdsBytes }
  } finally {
    if (joined) await deleteObject(context, target)
    else await abort(context, { target, upload })
  }
}

async function abort(
  { connection }: S3Context,
  {
    target,
    upload,
  }: { readonly target: S3Object; readonly upload: { Bucket: string; Key: string; UploadId: string | undefined } },
): Promise<void> {
  await connection
    .call({ operation: 'AbortMultipartUpload', ...target, pace: 'prompt' }, (s3, callOptions) =>
      s3.abortMultipartUpload(upload, callOptions),
    )
    .catch((error: unknown) => {
      if (!isStorageError(error, 'upload-not-found') && !isStorageError(error, 'not-found')) throw error
    })
}

interface Answer {
  /** 0: no answer. */
  readonly status: number
  readonly answer: string
}

async function sendPart(
  { options, connection }: S3Context,
  put: {
    readonly url: string
    readonly canonical: () => string | undefined
    readonly object: string
    readonly headers: Readonly<Record<string, string>>
    /** undefined: it is announced and never sent. */
    readonly body: string | undefined
  },
): Promise<Answer> {
  const started = performance.now()
  const entry = { operation: 'presigned PUT part', bucket: connection.bucket, object: put.object }
  try {
    const { status, code } = await sendPlain(put.url, {
      method: 'PUT',
      headers: put.headers,
      ...(put.body === undefined ? { withhold: true } : { body: put.body }),
      ca: options.ca,
      idleMs: put.body === undefined ? WITHHELD_MS : Math.min(IDLE_MS, options.timeouts.requestSeconds * 1000),
    })
    const facts = code === undefined ? {} : { error: code }
    const refused = code === 'SignatureDoesNotMatch' ? { canonicalRequest: put.canonical() } : {}
    options.log({ ...entry, ms: performance.now() - started, status, ...facts, ...refused })
    return { status, answer: code === undefined ? String(status) : `${status} ${code}` }
  } catch (error) {
    const { code } = factsOf(error)
    options.log({ ...entry, ms: performance.now() - started, error: code })
    return { status: 0, answer: code }
  }
}

/** No answer about the request, but one about the store's own state. 501 is a lasting no. */
function saysNothing({ status }: { readonly status: number }): boolean {
  return status === 0 || status === 408 || status === 429 || (status >= 500 && status !== 501)
}
