import type { KeyObject } from 'node:crypto'
import type { Hash, HashConstructor, SourceData } from '@smithy/types'

/**
 * A SHA-256, or with a secret an HMAC-SHA-256, in the shape that `@smithy/signature-v4` asks for.
 */
export type Sha256 = HashConstructor

/** `node:crypto` in that shape: 20 times as fast on image bytes as one in JavaScript. */
export async function loadSha256(): Promise<Sha256> {
  return nativeSha256(await import('node:crypto'))
}

function nativeSha256(
  crypto: Pick<typeof import('node:crypto'), 'createHash' | 'createHmac' | 'createSecretKey'>,
): Sha256 {
  // The signer hands over the same signing key (bytes) until midnight and the same secret (a
  // string) for ever. A KeyObject is made once for each: on Node 24, createHmac with plain bytes
  // costs 7 times as much as with a KeyObject.
  const keys = new WeakMap<object, KeyObject>()
  let last: { readonly secret: string; readonly key: KeyObject } | undefined
  const keyOf = (secret: SourceData): KeyObject => {
    if (typeof secret === 'string') {
      if (last?.secret !== secret) last = { secret, key: crypto.createSecretKey(Buffer.from(secret, 'utf8')) }
      return last.key
    }
    const known = keys.get(secret)
    if (known !== undefined) return known
    const key = crypto.createSecretKey(bytesOf(secret))
    keys.set(secret, key)
    return key
  }
  return class implements Hash {
    readonly #hash: ReturnType<typeof crypto.createHash> | ReturnType<typeof crypto.createHmac>

    constructor(secret?: SourceData) {
      this.#hash = secret === undefined ? crypto.createHash('sha256') : crypto.createHmac('sha256', keyOf(secret))
    }

    update(data: SourceData): void {
      this.#hash.update(typeof data === 'string' ? data : bytesOf(data))
    }

    digest(): Promise<Uint8Array> {
      return Promise.resolve(this.#hash.digest())
    }
  }
}

function bytesOf(data: Exclude<SourceData, string>): Uint8Array {
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
