/**
 * Our own transfer URLs: bytes in and out, by capability alone. An Authorization header is ignored:
 * some clients send their token to any redirect target (protocol 5.7).
 */

import { createHash } from 'node:crypto'
import type { ByteRange } from '../../storage/blob/contract.js'
import { isStorageError } from '../../storage/blob/errors.js'
import type { UploadRecord } from '../../storage/metadata/contract.js'
import { stillHolds } from '../auth/grants.js'
import { imageResource } from '../auth/resources.js'
import { dropBlob } from '../blobs/why-kept.js'
import { LibraryError } from '../http/errors.js'
import { readByteStream } from '../http/json-body.js'
import type { LibraryResponse } from '../http/messages.js'
import { readHeader } from '../http/messages.js'
import { parseRange } from '../http/range.js'
import { emptyResponse, errorResponse } from '../http/responses.js'
import { isVisible } from '../model/objects.js'
import type { RouteContext } from '../route.js'
import type { Services } from '../services.js'
import { withHeartbeat } from '../uploads/heartbeat.js'
import { assertOpen } from '../uploads/open-upload.js'
import { type Capability, refused } from './tokens.js'

type GetCapability = Extract<Capability, { purpose: 'get' }>
type WriteCapability = Exclude<Capability, { purpose: 'get' }>

function verify<P extends Capability['purpose']>(
  { services, params }: RouteContext<unknown, unknown>,
  purposes: readonly P[],
): Extract<Capability, { purpose: P }> {
  const capability = services.transfers.transferTokens.verify(params.capability ?? '')
  if (!(purposes as readonly string[]).includes(capability.purpose))
    throw new LibraryError('expired-url', 'the transfer URL is made for something else')
  return capability as Extract<Capability, { purpose: P }>
}

const hexEtag = (digest: string): string => `"sha256:${digest}"`

/**
 * A blob never changes, and who knows the URL may have it: so a cache may keep it under this URL,
 * until the URL expires. Compression may not touch it: lengths and ranges are those of the file.
 *
 * Never `private` or `no-store`: nginx with `proxy_cache` takes the Range off a request, and gives
 * it back to an answer only while that one may be kept. Clients check no status, and would write
 * the whole blob at the place of each part. Varnish takes `Surrogate-Control`: it would cut what is
 * larger than its memory.
 */
function cacheHeaders({ expires }: GetCapability, now: number): Record<string, string> {
  const seconds = Math.max(0, expires - Math.ceil(now / 1000))
  return { 'cache-control': `max-age=${seconds}, immutable, no-transform`, 'surrogate-control': 'no-store' }
}

function entityHeaders(capability: GetCapability, now: number): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: hexEtag(capability.sha256),
    ...cacheHeaders(capability, now),
    'x-content-type-options': 'nosniff',
    ...(capability.filename === undefined
      ? {}
      : { 'content-disposition': `attachment; filename="${capability.filename}"` }),
  }
}

function isFresh(header: string | undefined, etag: string): boolean {
  return (
    header !== undefined &&
    (header.trim() === '*' || header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag))
  )
}

/** `GET transfers/{capability}`: the blob, or a single range of it (RFC 9110 14). */
export async function sendBlob(context: RouteContext<unknown, unknown>): Promise<LibraryResponse> {
  const capability = verify(context, ['get'])
  await assertReadable(context, capability)
  const { request, services } = context
  const now = services.settings.clock()
  const headers = entityHeaders(capability, now)
  const etag = hexEtag(capability.sha256)
  if (isFresh(readHeader(request, 'if-none-match'), etag))
    return { status: 304, headers: { etag, ...cacheHeaders(capability, now) }, body: null }
  if (request.method === 'HEAD') return headBlob(context, { capability, headers })
  const ifRange = readHeader(request, 'if-range')
  const wanted = ifRange === undefined || ifRange.trim() === etag ? readHeader(request, 'range') : undefined
  const range = parseRange(wanted, capability.size)
  if (range === 'unsatisfiable')
    return errorResponse(416, 'the range starts past the end of the blob', {
      'content-range': `bytes */${capability.size}`,
    })
  return readBlob(context, { capability, headers, range })
}

/** One answer for all that ends a URL: who may not see a thing must not learn what became of it. */
const deleted = (cause?: unknown): LibraryError =>
  new LibraryError('gone', 'the image was deleted, or is not for you any more', { cause })

/** Whether the image still has these bytes, and whoever got the URL may still read them. */
async function assertReadable(
  { services, request }: RouteContext<unknown, unknown>,
  { imageId, key, grant, hidden }: GetCapability,
): Promise<void> {
  const { auth, metadata } = services
  const found = await metadata.images.find(imageId)
  if (found === undefined || !isVisible(found.image) || found.image.blobKey !== key) throw deleted()
  const resource = imageResource(found.container)
  const holds = await stillHolds({ auth, request }, grant, { action: 'pull', resource })
  // where nobody can be asked, what became private since ends the URL
  if (holds === false || (holds === 'unknown' && resource.private && hidden !== true)) throw deleted()
}

function rangeHeaders(range: ByteRange | undefined, size: number): Record<string, string> {
  if (range === undefined) return { 'content-length': String(size) }
  return {
    'content-length': String(range.end - range.start + 1),
    'content-range': `bytes ${range.start}-${range.end}/${size}`,
  }
}

/** A Range has a meaning for GET only (RFC 9110 14.2). */
async function headBlob(
  { services }: RouteContext<unknown, unknown>,
  { capability, headers }: { readonly capability: GetCapability; readonly headers: Record<string, string> },
): Promise<LibraryResponse> {
  if ((await services.storage.stat(capability.key)) === undefined) throw deleted()
  // a cache that takes it for the answer to a GET would keep an empty image
  const kept = { 'cache-control': 'no-store, no-transform' }
  return { status: 200, headers: { ...headers, ...rangeHeaders(undefined, capability.size), ...kept }, body: null }
}

async function readBlob(
  { services, request }: RouteContext<unknown, unknown>,
  asked: {
    readonly capability: GetCapability
    readonly headers: Record<string, string>
    readonly range: ByteRange | undefined
  },
): Promise<LibraryResponse> {
  const { capability, headers, range } = asked
  try {
    const content = await services.storage.get(capability.key, {
      range,
      signal: request.signal,
    })
    return {
      status: range === undefined ? 200 : 206,
      headers: { ...headers, ...rangeHeaders(range, capability.size) },
      body: content.body,
    }
  } catch (error) {
    if (isStorageError(error, 'not-found')) throw deleted(error)
    throw error
  }
}

/**
 * Reads to the end without keeping: 200 is only for the same bytes, and only after the last of them
 * (protocol 5.12).
 */
async function compare(
  stream: AsyncIterable<Uint8Array>,
  expected: { readonly size: number; readonly sha256: string },
): Promise<void> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > expected.size) break
    hash.update(chunk)
  }
  if (size !== expected.size) throw new LibraryError('size-mismatch')
  if (hash.digest('hex') !== expected.sha256) throw new LibraryError('digest-mismatch')
}

/**
 * `PUT transfers/{capability}`: the bytes of a single upload, or of one part; the upload must be
 * open. 200 only after the whole body was read and proven.
 */
export async function receiveBytes(context: RouteContext<unknown, unknown>): Promise<LibraryResponse> {
  const capability = verify(context, ['put', 'part'])
  const { services, request } = context
  const { settings, metadata } = services
  const upload = await metadata.uploads.find(capability.uploadId)
  if (upload === undefined) throw new LibraryError('gone', 'the upload is gone: push again')
  assertOpen(upload, settings.clock())
  await assertWritable(context, capability, upload)
  const { stream, length } = readByteStream(request, settings.limits.idleSeconds)
  if (length !== undefined && length !== capability.size)
    throw new LibraryError('size-mismatch', `${length} bytes announced where ${capability.size} are due`)
  const { uploadId } = capability
  const partNumber = capability.purpose === 'part' ? capability.partNumber : undefined
  const etag = await services.receiving.run({ uploadId, partNumber }, () =>
    withHeartbeat(services, upload, () =>
      capability.purpose === 'put'
        ? receiveSingle(context, capability, stream)
        : receivePart(context, { capability, stream, ref: upload }),
    ),
  )
  await assertNotEnded(services, upload)
  const now = settings.clock()
  await metadata.uploads.touch(upload.id, { state: 'open', now, expiresAt: now + settings.limits.uploadSeconds * 1000 })
  return emptyResponse(200, { etag })
}

/**
 * Whether whoever got the URL may still push: a revoked token, and a user who was removed, may not.
 */
async function assertWritable(
  { services, request }: RouteContext<unknown, unknown>,
  { grant }: WriteCapability,
  { imageId }: UploadRecord,
): Promise<void> {
  const { auth, metadata } = services
  if (grant === undefined || auth.recall === undefined) return
  const found = await metadata.images.find(imageId)
  if (found === undefined) throw new LibraryError('gone', 'the image of the upload was deleted: push again')
  const wanted = { action: 'push', resource: imageResource(found.container) } as const
  if ((await stillHolds({ auth, request }, grant, wanted)) === false) throw refused()
}

/** An upload that ended while its bytes came takes none: its quota was given back. */
async function assertNotEnded(services: Services, { id, key, kind }: UploadRecord): Promise<void> {
  const state = (await services.metadata.uploads.find(id))?.state
  if (state === 'open' || state === 'completing' || state === 'completed') return
  if (kind === 'single') await dropBlob(services, key)
  throw new LibraryError('gone', `the upload is ${state ?? 'gone'}: push again`)
}

const signalOf = ({ request }: RouteContext<unknown, unknown>): { signal?: AbortSignal } =>
  request.signal === undefined ? {} : { signal: request.signal }

async function receiveSingle(
  context: RouteContext<unknown, unknown>,
  capability: Extract<WriteCapability, { purpose: 'put' }>,
  stream: AsyncIterable<Uint8Array>,
): Promise<string> {
  const { storage } = context.services
  const { key, size, sha256 } = capability
  const etag = hexEtag(sha256)
  if ((await storage.stat(key)) !== undefined) {
    // sent again after a lost answer: the key is bound to these very bytes
    await compare(stream, { size, sha256 })
    return etag
  }
  try {
    await storage.put(key, stream, { size, sha256, ...signalOf(context) })
  } catch (error) {
    if (!isStorageError(error, 'exists')) throw error
  }
  return etag
}

async function receivePart(
  context: RouteContext<unknown, unknown>,
  part: {
    readonly capability: Extract<WriteCapability, { purpose: 'part' }>
    readonly stream: AsyncIterable<Uint8Array>
    readonly ref: { readonly key: string; readonly backendUploadId: string | null; readonly partSize: number }
  },
): Promise<string> {
  const { capability, stream, ref } = part
  const { multipart } = context.services.storage
  if (multipart?.writePart === undefined || ref.backendUploadId === null)
    throw new LibraryError('gone', 'this server takes no parts any more: push again')
  const { partNumber, size, sha256 } = capability
  const stat = await multipart.writePart(stream, {
    key: ref.key,
    uploadId: ref.backendUploadId,
    partNumber,
    size,
    partSize: ref.partSize,
    sha256,
    ...signalOf(context),
  })
  return `"${stat.etag}"`
}
