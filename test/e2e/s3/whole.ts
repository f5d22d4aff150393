import type { FinishedBlob, MultipartRef, PresignedUrl } from '../../../src/storage/blob/contract.js'
import type { S3Storage } from '../../../src/storage/blob/s3/index.js'
import type { TestBytes } from './servers.js'

export interface Whole {
  readonly ref: MultipartRef
  readonly signed: PresignedUrl
  /** Completes with whatever part lies there. */
  readonly complete: () => Promise<FinishedBlob>
}

/** A file in one PUT: the one part of an upload, and its URL. `withHash: false` is a client that knows no SHA-256. */
export async function startWhole(
  storage: S3Storage,
  key: string,
  { size, sha256 }: Pick<TestBytes, 'size' | 'sha256'>,
  { withHash = true, expiresSeconds = 300 } = {},
): Promise<Whole> {
  const hash = withHash ? { sha256 } : {}
  const ref = { key, ...(await storage.multipart.create(key, { size, partSize: size, ...hash })) }
  const signed = await storage.presign.part?.({ ...ref, partNumber: 1, size, expiresSeconds, ...hash })
  if (signed === undefined) throw new Error('the storage signs no parts')
  return {
    ref,
    signed,
    complete: async () =>
      storage.multipart.complete({ ...ref, size, sha256, parts: await storage.multipart.listParts(ref) }),
  }
}
