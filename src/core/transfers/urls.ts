/**
 * Where bytes go: a URL of the object store where the storage can sign one, otherwise a transfer
 * URL of our own. Handlers cannot tell which.
 */
import type { PresignCapability, PresignedUrl, StorageBackend } from '../../storage/blob/contract.js'
import type { UploadRecord } from '../../storage/metadata/contract.js'
import { grantOf } from '../auth/grants.js'
import type { Grant, Principal } from '../auth/policy.js'
import type { LibraryRequest } from '../http/messages.js'
import type { Settings } from '../settings.js'
import { tokenArrives, tokenReach } from './redirects.js'
import type { TransferTokens } from './tokens.js'

/** One part that is about to be sent. */
export interface PartOfUpload {
  readonly partNumber: number
  readonly size: number
  /** undefined where the client sent none. */
  readonly sha256: string | undefined
  readonly principal: Principal | null
}

export interface Transfers {
  /**
   * URL to GET the blob of an image from; single ranges work, and it outlives a slow pull. One of
   * ours where the client would send its token to the store.
   */
  pullUrl(
    request: LibraryRequest,
    blob: {
      readonly key: string
      readonly size: number
      readonly sha256: string
      readonly filename: string
      readonly imageId: string
      readonly isHidden: boolean
    },
    principal: Principal | null,
  ): Promise<string>
  /**
   * URL for the one PUT of a `single` upload; `clientSendsNoHash`: its URL must not ask for the
   * header of the hash.
   */
  putUrl(
    request: LibraryRequest,
    upload: UploadRecord,
    options: { readonly clientSendsNoHash: boolean; readonly principal: Principal | null },
  ): Promise<string>
  /** URL for the PUT of one part. */
  partUrl(request: LibraryRequest, upload: UploadRecord, part: PartOfUpload): Promise<string>
  /**
   * The same with what must be sent along, and until when it is good. `viaServer`: not past this
   * server.
   */
  partTarget(
    request: LibraryRequest,
    upload: UploadRecord,
    part: PartOfUpload & { readonly viaServer?: boolean },
  ): Promise<PresignedUrl>
  /** Whether parts can be sent through this server. */
  readonly takesParts: boolean
  /** Whether the store, or this server, takes parts at all. */
  readonly offersMultipart: boolean
  /** Whether a part's hash is wanted; otherwise the client is told to send none (protocol 5.11). */
  bindsParts(): boolean
  /**
   * Whether uploads go to the store past us. Then one PUT is the one part of an upload in parts.
   */
  readonly presignsUploads: boolean
  /** Checks a transfer URL of ours. */
  readonly transferTokens: TransferTokens
}

/** Bytes per second of a pull that its URL still outlives. */
const slowestPull = 256 * 1024

export function createTransfers(options: {
  readonly settings: Settings
  readonly storage: StorageBackend
  readonly transferTokens: TransferTokens
}): Transfers {
  const { settings, storage, transferTokens } = options
  const presign = settings.transfer === 'proxy' ? undefined : storage.presign
  /** Asked anew for each URL: what keeps uploads from the store may end, or begin. */
  const uploadsTo = (): { readonly part: NonNullable<PresignCapability['part']> } | undefined => {
    const part = presign?.part?.bind(presign)
    if (part === undefined || storage.multipart === undefined || presign?.uploadsBlocked !== undefined) return undefined
    return { part }
  }
  const expiresSeconds = settings.limits.presignSeconds
  const expires = (seconds = expiresSeconds): number => Math.floor(settings.clock() / 1000) + seconds
  let isWarned = false
  const warnOfSharedHost = (url: string): void => {
    if (isWarned) return
    isWarned = true
    settings.logger.warn(
      { store: new URL(url).origin },
      'store and registry share a host and port: the pulls of signed-in clients pass through this server',
    )
  }
  /** Long enough for a reader of 256 KiB per second. */
  const pullSeconds = (size: number): number =>
    Math.min(expiresSeconds, settings.limits.pullSeconds + Math.ceil(size / slowestPull))
  const heldBy = (principal: Principal | null): { readonly grant?: Grant } => {
    const grant = grantOf(principal)
    return grant === undefined ? {} : { grant }
  }
  const ownUrl = (request: LibraryRequest, path: string): string => settings.publicUrl(request) + path

  const partTarget: Transfers['partTarget'] = async (
    request,
    upload,
    { partNumber, size, sha256, principal, viaServer = false },
  ) => {
    const { key } = upload
    const hash = sha256 === undefined ? {} : { sha256 }
    const store = uploadsTo()
    // Client libraries 0.5.0-0.5.6 send the header of the hash although they were told not to
    // (protocol 5.11), and a store that cannot check it refuses it.
    const isRefused =
      upload.kind === 'multipart' &&
      sha256 !== undefined &&
      presign?.bindsPayload === false &&
      storage.multipart?.writePart !== undefined
    if (store !== undefined && !isRefused && !viaServer) {
      const uploadId = upload.backendUploadId ?? ''
      return store.part({ key, uploadId, partNumber, size, expiresSeconds, ...hash })
    }
    const until = expires()
    const url = ownUrl(
      request,
      transferTokens.sign({
        purpose: 'part',
        key,
        size,
        ...hash,
        uploadId: upload.id,
        partNumber,
        expires: until,
        ...heldBy(principal),
      }),
    )
    return { url, headers: {}, expiresAt: new Date(until * 1000) }
  }
  const partUrl: Transfers['partUrl'] = async (request, upload, part) => (await partTarget(request, upload, part)).url

  return {
    transferTokens,
    get presignsUploads() {
      return uploadsTo() !== undefined
    },
    offersMultipart:
      settings.multipart &&
      storage.multipart !== undefined &&
      (presign?.part !== undefined || storage.multipart.writePart !== undefined),
    bindsParts: () => uploadsTo() === undefined || presign?.bindsPayload === true,
    pullUrl: async (request, { key, size, sha256, filename, imageId, isHidden }, principal) => {
      const seconds = pullSeconds(size)
      const reach = tokenReach(request, principal !== null)
      if (presign !== undefined && reach !== 'anywhere') {
        const { url } = await presign.get(key, { expiresSeconds: seconds, filename })
        if (reach === 'nowhere') return url
        const redirect = { request, publicUrl: settings.publicUrl(request), target: url }
        if (!tokenArrives(reach, redirect)) return url
        if (tokenArrives('authority', redirect)) warnOfSharedHost(url)
      }
      const blob = { key, size, sha256, filename, imageId, ...(isHidden ? { hidden: true as const } : {}) }
      return ownUrl(
        request,
        transferTokens.sign({ purpose: 'get', ...blob, expires: expires(seconds), ...heldBy(principal) }),
      )
    },
    putUrl: async (request, upload, { clientSendsNoHash, principal }) => {
      const { key, size, digest: sha256, backendUploadId } = upload
      if (backendUploadId !== null) {
        const isForStore = uploadsTo() !== undefined
        // through this server the bytes are held to the hash without any header
        const hash = isForStore && clientSendsNoHash ? undefined : sha256
        return partUrl(request, upload, { partNumber: 1, size, sha256: hash, principal })
      }
      return ownUrl(
        request,
        transferTokens.sign({
          purpose: 'put',
          key,
          size,
          sha256,
          uploadId: upload.id,
          expires: expires(),
          ...heldBy(principal),
        }),
      )
    },
    partUrl,
    partTarget,
    takesParts: storage.multipart?.writePart !== undefined,
  }
}
