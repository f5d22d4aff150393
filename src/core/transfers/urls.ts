/** Where bytes go: a URL of the object store where the storage can sign one, otherwise a transfer URL of our own. Handlers cannot tell which. */
import type { PresignCapability, StorageBackend } from '../../storage/blob/contract.js'
import type { UploadRecord } from '../../storage/metadata/contract.js'
import type { LibraryRequest } from '../http/messages.js'
import type { Settings } from '../options.js'
import { sendsTokenToRedirects } from './client-generations.js'
import type { Capabilities } from './tokens.js'

export interface Transfers {
  /** URL to GET a blob from; single ranges work, and it outlives a slow pull. */
  pullUrl(
    request: LibraryRequest,
    blob: { readonly key: string; readonly size: number; readonly sha256: string; readonly filename: string },
  ): Promise<string>
  /** URL for the one PUT of a `single` upload; `clientSendsNoHash`: its URL must not ask for the header of the hash. */
  putUrl(
    request: LibraryRequest,
    upload: UploadRecord,
    options: { readonly clientSendsNoHash: boolean },
  ): Promise<string>
  /** URL for the PUT of one part; `sha256` is undefined where the client sent none. */
  partUrl(
    request: LibraryRequest,
    upload: UploadRecord,
    part: { readonly partNumber: number; readonly size: number; readonly sha256: string | undefined },
  ): Promise<string>
  /** Whether the store, or this server, takes parts at all. */
  readonly offersMultipart: boolean
  /** Whether a part's hash is wanted; otherwise the client is told to send none (protocol 5.11). */
  bindsParts(): boolean
  /** Whether uploads go to the store past us. Then one PUT is the one part of an upload in parts. */
  readonly presignsUploads: boolean
  /** Checks a transfer URL of ours. */
  readonly capabilities: Capabilities
}

export function createTransfers(options: {
  readonly settings: Settings
  readonly storage: StorageBackend
  readonly capabilities: Capabilities
}): Transfers {
  const { settings, storage, capabilities } = options
  const presign = settings.transfer === 'proxy' ? undefined : storage.presign
  /** Asked anew for each URL: what keeps uploads from the store may end, or begin. */
  const uploadsTo = (): { readonly part: NonNullable<PresignCapability['part']> } | undefined => {
    const part = presign?.part?.bind(presign)
    if (part === undefined || storage.multipart === undefined || presign?.uploadsBlocked !== undefined) return undefined
    return { part }
  }
  const expiresSeconds = settings.limits.presignSeconds
  const expires = (): number => Math.floor(settings.clock() / 1000) + expiresSeconds
  const ownUrl = (request: LibraryRequest, path: string): string => settings.publicUrl(request) + path

  const partUrl: Transfers['partUrl'] = async (request, upload, { partNumber, size, sha256 }) => {
    const { key } = upload
    const hash = sha256 === undefined ? {} : { sha256 }
    const store = uploadsTo()
    // Client libraries 0.5.0-0.5.6 send the header of the hash although they were told not to (protocol 5.11), and a store that cannot check it refuses it.
    const isRefused =
      upload.kind === 'multipart' &&
      sha256 !== undefined &&
      presign?.bindsPayload === false &&
      storage.multipart?.writePart !== undefined
    if (store !== undefined && !isRefused) {
      const uploadId = upload.backendUploadId ?? ''
      return (await store.part({ key, uploadId, partNumber, size, expiresSeconds, ...hash })).url
    }
    return ownUrl(
      request,
      capabilities.sign({ purpose: 'part', key, size, ...hash, uploadId: upload.id, partNumber, expires: expires() }),
    )
  }

  return {
    capabilities,
    get presignsUploads() {
      return uploadsTo() !== undefined
    },
    offersMultipart:
      settings.multipart &&
      storage.multipart !== undefined &&
      (presign?.part !== undefined || storage.multipart.writePart !== undefined),
    bindsParts: () => uploadsTo() === undefined || presign?.bindsPayload === true,
    pullUrl: async (request, { key, size, sha256, filename }) => {
      if (presign !== undefined && !sendsTokenToRedirects(request))
        return (await presign.get(key, { expiresSeconds, filename })).url
      return ownUrl(request, capabilities.sign({ purpose: 'get', key, size, sha256, filename, expires: expires() }))
    },
    putUrl: async (request, upload, { clientSendsNoHash }) => {
      const { key, size, digest: sha256, backendUploadId } = upload
      if (backendUploadId !== null) {
        const isForStore = uploadsTo() !== undefined
        // through this server the bytes are held to the hash without any header
        const hash = isForStore && clientSendsNoHash ? undefined : sha256
        return partUrl(request, upload, { partNumber: 1, size, sha256: hash })
      }
      return ownUrl(
        request,
        capabilities.sign({ purpose: 'put', key, size, sha256, uploadId: upload.id, expires: expires() }),
      )
    },
    partUrl,
  }
}
