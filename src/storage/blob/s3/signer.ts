import type { HttpRequest } from '@smithy/types'
import { canonicalRequest, encodeRfc3986 } from './canonical-request.js'
import type { S3Credentials } from './options.js'
import { MAX_EXPIRES_SECONDS } from './options.js'
import { importPeer } from './peers.js'
import { loadSha256, type Sha256 } from './sha256.js'

export interface SignerOptions {
  /** Asked for every URL, with the seconds that it should live: a cached provider. */
  readonly credentials: (seconds: number) => Promise<S3Credentials>
  readonly region: string
  /**
   * Of the bucket as the store sees it, `https://host/bucket` or `https://bucket.host`: what is
   * signed.
   */
  readonly bucketUrl: URL
  /**
   * Path of the bucket as the client calls it, where a proxy takes off its beginning. Default that
   * of `bucketUrl`.
   */
  readonly publicPath?: string
  readonly clock: () => Date
  readonly sha256?: Sha256
}

export interface SignOptions {
  readonly method: 'GET' | 'PUT'
  readonly object: string
  readonly query?: Readonly<Record<string, string>>
  /** Headers that the client must send exactly so, lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  /** Seconds, cut to a week (SigV4). */
  readonly expiresSeconds: number
}

export interface SignedUrl {
  readonly url: string
  /**
   * The URL's own end, or that of the temporary credentials that signed it, whichever is earlier.
   */
  readonly expiresAt: Date
  /** Names that the signature covers. */
  readonly signed: string
  /** The canonical request, for a log: no signature, no key, no token. Made only when asked for. */
  readonly canonical: () => string | undefined
}

export type SignUrl = (options: SignOptions) => Promise<SignedUrl>

const CONTENT_SHA256 = 'x-amz-content-sha256'

/**
 * Any body that is not bytes makes the signer use `UNSIGNED-PAYLOAD` as the payload hash, which is
 * AWS's rule for presigned URLs ("Authenticating Requests: Using Query Parameters"); without it, it
 * would sign the hash of an empty body, and every store refuses that.
 */
const UNSIGNED_BODY = Object.freeze({})

/**
 * Signs URLs by AWS Signature Version 4 in the query. A header `x-amz-content-sha256` stays a
 * *header* and is the payload hash too, which binds the URL to its bytes; moved into the query, as
 * the SDK's own presigner does, it would bind nothing.
 */
export async function createSigner(options: SignerOptions): Promise<SignUrl> {
  const [{ SignatureV4 }, { HttpRequest: Request }, sha256] = await Promise.all([
    importPeer('@smithy/signature-v4', () => import('@smithy/signature-v4')),
    importPeer('@smithy/protocol-http', () => import('@smithy/protocol-http')),
    options.sha256 ?? loadSha256(),
  ])
  // applyChecksum false: the header is ours to set. uriEscapePath false: S3 signs the path as it is
  // sent, encoded once.
  const signerOf = (credentials: S3Credentials) =>
    new SignatureV4({
      credentials,
      region: options.region,
      service: 's3',
      sha256,
      uriEscapePath: false,
      applyChecksum: false,
    })
  // one for as long as the credentials stay the same, so that a URL ends when the credentials end
  // that did sign it
  let last: { readonly credentials: S3Credentials; readonly signer: ReturnType<typeof signerOf> } | undefined
  const { protocol, host, origin } = options.bucketUrl
  const base = options.bucketUrl.pathname.replace(/\/$/, '')
  const publicBase = options.publicPath?.replace(/\/$/, '') ?? base

  return async ({ method, object, query, headers, expiresSeconds }) => {
    const signingDate = options.clock()
    const wanted = Math.max(1, Math.min(Math.floor(expiresSeconds), MAX_EXPIRES_SECONDS))
    const credentials = await options.credentials(wanted)
    if (last?.credentials !== credentials) last = { credentials, signer: signerOf(credentials) }
    const { expiration } = credentials
    const left = expiration === undefined ? wanted : Math.floor((expiration.getTime() - signingDate.getTime()) / 1000)
    const expiresIn = Math.max(1, Math.min(wanted, left))
    const request = new Request({
      method,
      protocol,
      path: `${base}/${encodePath(object)}`,
      query: { ...query },
      headers: { ...headers, host },
      body: UNSIGNED_BODY,
    })
    // a fresh Set for each call: the signer changes the sets it gets
    const signed = await last.signer.presign(request, {
      expiresIn,
      signingDate,
      unhoistableHeaders: new Set([CONTENT_SHA256]),
    })
    const ends = signingDate.getTime() + expiresIn * 1000
    return {
      url: `${origin}${publicBase}${signed.path.slice(base.length)}?${queryOf(signed)}`,
      expiresAt: new Date(expiration === undefined ? ends : Math.min(ends, expiration.getTime())),
      signed: `${host} ${['host', ...Object.keys(headers ?? {})].join(';')}`,
      canonical: () =>
        canonicalRequest({ method, path: signed.path, query: signed.query ?? {}, headers: { ...headers, host } }),
    }
  }
}

function queryOf(request: HttpRequest): string {
  return Object.entries(request.query ?? {})
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(String(value))}`)
    .join('&')
}

function encodePath(object: string): string {
  return encodeRfc3986(object).replaceAll('%2F', '/')
}
