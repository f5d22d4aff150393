import type { PresignCapability, PresignedUrl } from '../contract.js'
import { StorageError } from '../errors.js'
import type { S3Context } from './context.js'
import type { SignOptions, SignUrl } from './signer.js'
import { locateUpload } from './upload-id.js'
import type { UploadSigning } from './upload-signing.js'

export interface PresignDependencies {
  /** Signs reads for the public endpoint. */
  readonly signer: () => Promise<SignUrl>
  /** Signs uploads for the public endpoint. */
  readonly uploads: UploadSigning
  /**
   * Whether the store takes URLs that are bound to the SHA-256 of their bytes; tried once, then
   * remembered.
   */
  readonly binding: { readonly known: boolean | undefined; find(): Promise<boolean> }
}

export function createPresign(
  context: S3Context,
  { signer, uploads, binding }: PresignDependencies,
): PresignCapability {
  const { keys, connection, options } = context

  const sign = async (
    { operation, by }: { readonly operation: string; readonly by: () => Promise<SignUrl> },
    request: SignOptions,
  ): Promise<PresignedUrl> => {
    const started = performance.now()
    const signUrl = await by()
    const { url, expiresAt, signed, canonical } = await signUrl(request)
    options.log({
      operation,
      bucket: connection.bucket,
      object: request.object,
      signed,
      ms: performance.now() - started,
      // only the client sees a refusal, so it is here before there is one; a getter, since most
      // logs drop this level unread
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
    get uploadsBlocked() {
      return uploads.known?.blocked
    },

    get: async (key, { expiresSeconds, filename }) =>
      sign(
        { operation: 'presign GET', by: signer },
        {
          method: 'GET',
          object: keys.object(key),
          expiresSeconds,
          ...(filename === undefined ? {} : { query: { 'response-content-disposition': attachment(filename) } }),
        },
      ),

    async part({ partNumber, size, sha256, expiresSeconds, ...ref }) {
      const { key, object, storeId, sha256: only } = locateUpload(keys, ref)
      const { blocked } = await uploads.find()
      if (blocked !== undefined) throw new StorageError('unsupported', blocked, { backend: 's3', key })
      if (only !== undefined && only !== sha256)
        throw new StorageError('invalid-part', 'the upload is bound to other bytes', { backend: 's3', key })
      // every URL of an upload that counts as bound is
      const bound = sha256 !== undefined && (only !== undefined || (await binds()))
      // an unbound part is harmless: after the upload is completed or aborted its URL leads nowhere
      return sign(
        { operation: 'presign PUT part', by: uploads.signer },
        {
          method: 'PUT',
          object,
          query: { partNumber: String(partNumber), uploadId: storeId },
          headers: uploadHeaders(size, bound ? sha256 : undefined),
          expiresSeconds,
        },
      )
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
