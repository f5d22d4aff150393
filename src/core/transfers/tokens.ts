/**
 * Transfer URLs: stateless HMAC tokens. Whoever holds one may move exactly these bytes until it
 * expires; any instance with the same secret can serve it.
 *
 * Form: `/transfers/<base64url JSON>.<base64url HMAC-SHA256>`.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Grant } from '../auth/policy.js'
import { LibraryError } from '../http/errors.js'

interface CapabilityBase {
  /** Storage key. */
  readonly key: string
  /** Bytes of the blob, or of the part. */
  readonly size: number
  /** Expiry in seconds since 1970. */
  readonly expires: number
  /** Who it is made for; absent for somebody anonymous. */
  readonly grant?: Grant
}

export type Capability =
  | (CapabilityBase & {
      readonly purpose: 'get'
      readonly sha256: string
      readonly imageId: string
      /** The image was hidden from strangers when the URL was made. */
      readonly hidden?: true
      readonly filename?: string
    })
  | (CapabilityBase & { readonly purpose: 'put'; readonly sha256: string; readonly uploadId: string })
  | (CapabilityBase & {
      readonly purpose: 'part'
      readonly sha256?: string
      readonly uploadId: string
      readonly partNumber: number
    })

export interface TransferTokens {
  /** The path below the mount, starting with `/`. */
  sign(capability: Capability): string
  /** Throws `expired-url` for an altered, foreign or expired one: the same words for all. */
  verify(token: string): Capability
}

/** The same words for an altered, a foreign, an expired and a revoked one. */
export const refused = (): LibraryError =>
  new LibraryError('expired-url', 'the transfer URL is not valid, or has expired: start again')

/** `secret` is asked once, on first use. */
export function createTransferTokens(options: {
  readonly secret: () => string
  readonly clock: () => number
}): TransferTokens {
  let key: string | undefined
  const macOf = (payload: string): string => {
    key ??= options.secret()
    return createHmac('sha256', key).update(`sif-library transfer v2\n${payload}`).digest('base64url')
  }
  return {
    sign: (capability) => {
      const payload = Buffer.from(JSON.stringify(capability)).toString('base64url')
      return `/transfers/${payload}.${macOf(payload)}`
    },
    verify: (token) => {
      const dot = token.indexOf('.')
      const payload = token.slice(0, Math.max(dot, 0))
      // as text: decoding forgives, and other texts would stand for the same MAC
      const mac = Buffer.from(token.slice(dot + 1))
      const expected = Buffer.from(macOf(payload))
      if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) throw refused()
      // the MAC proves that we wrote it
      const capability = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Capability
      if (capability.expires * 1000 <= options.clock()) throw refused()
      return capability
    },
  }
}
