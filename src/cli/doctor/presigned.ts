/**
 * Checks of a storage that hands out presigned URLs: what clients do, from here, through the public
 * endpoint.
 */
import { randomBytes } from 'node:crypto'
import type { MultipartCapability, PresignCapability, StorageBackend } from 'sif-library/storage'
import type { S3Traits } from 'sif-library/storage/s3'
import { chunksOf, failed, makeProbe, type Probe } from './bytes.js'
import { explain } from './explanations.js'
import type { Finding, Findings } from './finding.js'
import { type ProbeAnswer, sendProbe } from './http-probe.js'
import { checkSignedInGet } from './signed-in-get.js'
import { findProfile } from './store-profile.js'

const MiB = 1024 ** 2
const expiresSeconds = 300

interface Site {
  readonly storage: StorageBackend
  readonly presign: PresignCapability
  readonly multipart: MultipartCapability
  /** PEM of the authority that the storage URL names. */
  readonly ca: string | Uint8Array | undefined
  /** Where clients reach the registry; undefined before the first start of `serve`. */
  readonly publicUrl: string | undefined
}

/** Scheme and host: the rest of a presigned URL is a secret. */
const hostOf = (url: string): string => new URL(url).origin

const answered = ({ status, code }: ProbeAnswer): string =>
  code === undefined ? `status ${status}` : `status ${status} ${code}`

/**
 * Runs the whole life of an upload in parts, or, where uploads by URL are blocked, a read. Nothing
 * where the storage signs no URLs for parts.
 */
export async function* checkPresigned(storage: StorageBackend, surroundings: Pick<Site, 'ca' | 'publicUrl'>): Findings {
  const { presign, multipart } = storage
  if (presign?.part === undefined || multipart === undefined) return
  if (presign.uploadsBlocked !== undefined) {
    yield* checkRead(storage, { presign, ca: surroundings.ca })
    return
  }
  const site = { storage, presign, multipart, ...surroundings }
  const probe = makeProbe()
  const check = 'multipart upload: start'
  let uploadId: string
  try {
    uploadId = (await multipart.create(probe.key, { size: probe.size, partSize: 5 * MiB })).uploadId
    yield { check, state: 'ok', found: 'done' }
  } catch (error) {
    yield failed(check, error)
    return
  }
  let finished: string | undefined
  try {
    const etag = yield* sendParts(site, { probe, uploadId })
    if (etag === undefined) return
    finished = yield* complete(site, { probe, uploadId, etag })
    if (finished !== undefined) yield* readBack(site, { probe, key: finished })
  } finally {
    await (finished === undefined ? multipart.abort({ key: probe.key, uploadId }) : storage.delete(finished)).catch(
      () => {},
    )
  }
  yield* abort(site)
}

/**
 * Reads a blob as clients do; what the store says to a URL shows a wrong endpoint, key or clock.
 */
async function* checkRead(storage: StorageBackend, { presign, ca }: Pick<Site, 'presign' | 'ca'>): Findings {
  const { key, bytes, size, sha256 } = makeProbe()
  let check = 'presigned GET'
  try {
    await storage.put(key, chunksOf(bytes), { size, sha256 })
    try {
      const { url } = await presign.get(key, { expiresSeconds })
      const host = hostOf(url)
      check = `presigned GET at ${host}`
      const answer = await sendProbe(url, { method: 'GET', ca })
      const apart = secondsApart(answer)
      const reason = apart !== undefined && apart >= WARN_SECONDS ? 'RequestTimeTooSkewed' : answer.code
      if (answer.status === 200) yield { check, state: 'ok', found: 'the same bucket' }
      else yield { check, state: 'failed', found: answered(answer), ...explain(reason) }
      yield* checkClock(answer, host)
    } finally {
      await storage.delete(key)
    }
  } catch (error) {
    yield failed(check, error)
  }
}

interface Upload {
  readonly probe: Probe
  readonly uploadId: string
}

/**
 * Other bytes, another length, then the right ones; ends with the ETag of the part when it lies
 * there.
 */
async function* sendParts(
  { storage, presign, ca }: Site,
  { probe, uploadId }: Upload,
): AsyncGenerator<Finding, string | undefined, undefined> {
  const { key, bytes, size, sha256 } = probe
  let check = 'presigned part'
  try {
    const { url, headers } = (await presign.part?.({ key, uploadId, partNumber: 1, size, sha256, expiresSeconds })) ?? {
      url: '',
      headers: {},
    }
    const host = hostOf(url)
    const put = (body: Uint8Array): Promise<ProbeAnswer> =>
      sendProbe(url, { method: 'PUT', headers: { ...headers, 'content-length': String(body.length) }, body, ca })

    check = `presigned part at ${host}: the right bytes`
    const right = await put(bytes)
    if (right.status !== 200) {
      // a URL of another hour is refused as AccessDenied or as not yet valid; the store's own clock
      // tells which
      const apart = secondsApart(right)
      const reason = apart !== undefined && apart >= WARN_SECONDS ? 'RequestTimeTooSkewed' : right.code
      yield { check, state: 'failed', found: answered(right), ...explain(reason) }
      yield* checkClock(right, host)
      return undefined
    }
    yield { check, state: 'ok', found: 'accepted' }
    yield* checkClock(right, host)
    if (url.startsWith('https:') && ca !== undefined) yield* checkTrust(url)

    check = `presigned part at ${host}: another length`
    yield refusal({
      check,
      answer: await put(bytes.subarray(1)).catch(hungUp),
      unrefused: 'the store does not hold a URL to the length that was signed',
    })
    check = `presigned part at ${host}: other bytes`
    const other = { check, answer: await put(randomBytes(size)).catch(hungUp) }
    if (presign.bindsPayload)
      yield refusal({ ...other, unrefused: 'the store does not hold a URL to the SHA-256 that was signed' })
    else
      yield {
        check,
        state: 'warning',
        found: 'this store does not hold a URL to the SHA-256 of its bytes',
        cause: 'it lacks that part of S3; what was pushed is read back and proven instead',
      }

    yield await findProfile({
      ...('traits' in storage ? (storage.traits as S3Traits) : {}),
      server: right.headers.server?.toString(),
      host: new URL(url).hostname,
      bindsPayload: presign.bindsPayload,
      authorization: await tryAuthorization(presign, { key, ca }),
    })

    // whatever the refused ones left behind is replaced
    const last = await put(bytes)
    if (last.status === 200) return last.headers.etag ?? ''
    check = `presigned part at ${host}: the right bytes again`
    yield { check, state: 'failed', found: answered(last), ...explain(last.code) }
    return undefined
  } catch (error) {
    yield failed(check, error)
    return undefined
  }
}

/**
 * What the store says to a presigned URL that comes with a token, which old clients carry along a
 * redirect. The key is not there yet.
 */
async function tryAuthorization(
  presign: PresignCapability,
  { key, ca }: { readonly key: string; readonly ca: Site['ca'] },
): Promise<string | undefined> {
  const { url, headers } = await presign.get(key, { expiresSeconds })
  const answer = await sendProbe(url, { method: 'GET', headers: { ...headers, authorization: 'Bearer probe' }, ca })
  if (answer.status === 200 || answer.status === 404) return 'ignored'
  return answer.code === undefined ? undefined : `${answer.status} ${answer.code}`
}

/** A store may hang up on bytes that it refuses, before its answer is read. */
function hungUp(error: unknown): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'ECONNRESET' && code !== 'EPIPE') throw error
  return undefined
}

function refusal({
  check,
  answer,
  unrefused,
}: {
  readonly check: string
  readonly answer: ProbeAnswer | undefined
  readonly unrefused: string
}): Finding {
  if (answer === undefined) return { check, state: 'ok', found: 'refused (hung up)' }
  if (answer.status >= 400 && answer.status < 500) return { check, state: 'ok', found: `refused (${answered(answer)})` }
  return {
    check,
    state: 'failed',
    found: answered(answer),
    cause: unrefused,
    fix: 'storage URL: bindPayload=false, so that everything is proven by reading it back',
  }
}

/** Between the clock of this machine and the `Date` of an answer. */
function secondsApart({ headers }: ProbeAnswer): number | undefined {
  const date = Date.parse(headers.date ?? '')
  return Number.isNaN(date) ? undefined : Math.round(Math.abs(date - Date.now()) / 1000)
}

const WARN_SECONDS = 60
/** AWS refuses signatures that are off by 15 minutes. */
const FAIL_SECONDS = 900

async function* checkClock(answer: ProbeAnswer, host: string): Findings {
  const seconds = secondsApart(answer)
  if (seconds === undefined) return
  const check = `clock of this machine against ${host}`
  if (seconds < WARN_SECONDS) yield { check, state: 'ok', found: `${seconds} s apart` }
  else
    yield {
      check,
      state: seconds < FAIL_SECONDS ? 'warning' : 'failed',
      found: `${seconds} s apart`,
      ...explain('RequestTimeTooSkewed'),
    }
}

/** Clients know nothing of our `ca=FILE`. */
async function* checkTrust(url: string): Findings {
  const check = `certificate of ${hostOf(url)} as clients see it`
  try {
    await sendProbe(url, { method: 'GET' })
    yield { check, state: 'ok', found: 'trusted by this machine' }
  } catch (error) {
    yield { ...failed(check, error), state: 'warning' }
  }
}

/** Ends with the key of the finished blob. */
async function* complete(
  { multipart }: Site,
  { probe, uploadId, etag }: Upload & { readonly etag: string },
): AsyncGenerator<Finding, string | undefined, undefined> {
  const { key, size, sha256 } = probe
  const check = 'multipart upload: list its parts and complete it'
  try {
    const parts = await multipart.listParts({ key, uploadId })
    if (parts.length !== 1 || parts[0]?.size !== size) {
      yield {
        check,
        state: 'failed',
        found: `${parts.length} parts are listed where 1 was sent`,
        ...explain('NoSuchKey'),
      }
      return undefined
    }
    // as clients do: what the store answered to the last PUT, not what it lists
    const claimed = [{ partNumber: 1, etag: etag.replace(/^"|"$/g, '') || parts[0].etag }]
    const { key: finished, proof } = await multipart.complete({ key, uploadId, parts: claimed, size, sha256 })
    yield { check, state: 'ok', found: proof === 'proven' ? 'done, and its SHA-256 is proven' : 'done' }
    return finished
  } catch (error) {
    yield failed(check, error)
    return undefined
  }
}

async function* readBack(
  { presign, ca, publicUrl }: Site,
  { probe, key }: { readonly probe: Probe; readonly key: string },
): Findings {
  const { url, headers } = await presign.get(key, { expiresSeconds })
  const check = `presigned ranged GET at ${hostOf(url)}`
  try {
    const answer = await sendProbe(url, { method: 'GET', headers: { ...headers, range: 'bytes=100-199' }, ca })
    const good = answer.status === 206 && answer.body.equals(probe.bytes.subarray(100, 200))
    if (good) {
      yield { check, state: 'ok', found: 'the same bucket, the right bytes' }
      yield* checkSignedInGet({ url, headers, ca, publicUrl, bytes: probe.bytes })
    } else if (answer.status === 200)
      yield {
        check,
        state: 'failed',
        found: 'status 200 where 206 is due: clients would write the whole image at the place of each part',
        cause: 'a cache in front of the store takes the Range off the request',
        fix: 'let it pass the store by (nginx: proxy_cache off)',
      }
    else
      yield {
        check,
        state: 'failed',
        found: answer.status === 206 ? 'other bytes' : answered(answer),
        ...explain(answer.code ?? 'NoSuchKey'),
      }
  } catch (error) {
    yield failed(check, error)
  }
}

async function* abort({ multipart }: Site): Findings {
  const check = 'multipart upload: abort'
  const { key, size } = makeProbe()
  try {
    const { uploadId } = await multipart.create(key, { size, partSize: 5 * MiB })
    await multipart.abort({ key, uploadId })
    const left = await multipart.listParts({ key, uploadId }).then(
      () => true,
      () => false,
    )
    yield left ? { check, state: 'failed', found: 'the upload is still there' } : { check, state: 'ok', found: 'gone' }
  } catch (error) {
    yield failed(check, error)
  }
}
