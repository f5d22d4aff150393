import type { PresignCapability, PresignedUrl } from '../contract.js'
import { StorageError } from '../errors.js'
import { MAX_SINGLE_BYTES, type S3Context } from './context.js'
import { statObject } from './objects.js'
import { checkSize, publishIncoming, publishInPlace } from './publish.js'
import type { SignOptions, SignUrl } from './signer.js'
import { locateUpload } from './upload-id.js'

export interface PresignDependencies {
  /** Signs for the public endpoint. */
  readonly signer: () => Promise<SignUrl>
  /** Whether the store takes URLs that are bound to the SHA-256 of their bytes; tried once, then remembered. */
  readonly binding: { readonly known: boolean | undefined; find(): Promise<boolean> }
}

export function createPresign(context: S3Context, { signer, binding }: PresignDependencies): PresignCapability {
  const { keys, connection, options } = context

  const sign = async (operation: string, request: SignOptions): Promise<PresignedUrl> => {
    const started = performance.now()
    const signUrl = await signer()
    const { url, expiresAt, signed, canonical } = await signUrl(request)
    options.log({
      operation,
      bucket: connection.bucket,
      object: request.object,
      signed,
      ms: performance.now() - started,
      // only the client sees a refusal, so it is here before there is one; a getter, since most logs drop this level unread
      get canonicalRequest() {
        return canonical()
      },
    })
    return { url, headers: request.headers ?? {}, expiresAt }
  }
  const binds = async (): Promise<boolean> => binding.known ?? binding.find()

  return {
    get bindsPayload() {
      return binding.known ?? false
    },

    get: async (key, { expiresSeconds, filename }) =>
      sign('presign GET', {
        method: 'GET',
        object: keys.object(key),
        expiresSeconds,
        ...(filename === undefined ? {} : { query: { 'response-content-disposition': attachment(filename) } }),
      }),

    async put(key, { size, sha256, expiresSeconds, clientSendsNoHash }) {
      if (size > MAX_SINGLE_BYTES)
        throw new StorageError('unsupported', `one PUT takes at most ${MAX_SINGLE_BYTES} bytes`, { backend: 's3', key })
      const bound = clientSendsNoHash !== true && (await binds())
      // An unbound URL could change its object as long as it is valid, so it leads to the entrance, from where `finish` copies.
      const object = bound ? keys.object(key) : keys.incoming(key)
      return sign('presign PUT', {
        method: 'PUT',
        object,
        headers: uploadHeaders(size, bound ? sha256 : undefined),
        expiresSeconds,
      })
    },

    async part({ partNumber, size, sha256, expiresSeconds, ...ref }) {
      const { object, storeId } = locateUpload(keys, ref)
      const headers = uploadHeaders(size, sha256 !== undefined && (await binds()) ? sha256 : undefined)
      // an unbound part is harmless: after the upload is completed or aborted its URL leads nowhere
      return sign('presign PUT part', {
        method: 'PUT',
        object,
        query: { partNumber: String(partNumber), uploadId: storeId },
        headers,
        expiresSeconds,
      })
    },

    async arrived(key) {
      const places = [keys.object(key), keys.incoming(key)]
      for (const object of places)
        if ((await statObject(context, { key, object }, { mayBeAbsent: true })) !== undefined) return true
      return false
    },

    async finish(key, expected) {
      // a bound URL leaves nothing at the entrance
      if ((await statObject(context, { key, object: keys.incoming(key) }, { mayBeAbsent: true })) !== undefined)
        return publishIncoming(context, key, expected)
      const target = { key, object: keys.object(key) }
      const found = await statObject(context, target)
      // An earlier `finish` moved it here and may not have lived to see its proof.
      if (found?.moved === true) return publishInPlace(context, target, expected)
      checkSize(target, found, expected.size)
      // Only a URL that is bound to this SHA-256 was ever signed for this key, and the store refused everything else.
      return { key, proof: 'proven' }
    },
  }
}

function uploadHeaders(size: number, sha256: string | undefined): Record<string, string> {
  return { 'content-length': String(size), ...(sha256 === undefined ? {} : { 'x-amz-content-sha256': sha256 }) }
}

/** RFC 6266: a plain name for old browsers, and the exact one. */
function attachment(filename: string): string {
  const plain = filename.replace(/[^\x20-\x7e]|["\\]/g, '_')
  const exact = encodeURIComponent(filename.replace(/\p{Surrogate}/gu, '_')).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`
}
