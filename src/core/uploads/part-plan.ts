/** Which parts an upload has, and which it was completed with. */
import { createHash } from 'node:crypto'
import type { StorageLimits } from '../../storage/blob/contract.js'
import type { UploadRecord } from '../../storage/metadata/contract.js'
import { LibraryError } from '../http/errors.js'

const MiB = 1024 * 1024

/** A part as the client names it at the complete; the ETag without its quotes. */
export interface CompletedPart {
  readonly partNumber: number
  readonly etag: string
}

/**
 * SHA-256 over the parts in their order: the same list again is a repeated complete, another one is
 * not.
 */
export function digestParts(parts: readonly CompletedPart[]): string {
  return createHash('sha256')
    .update(JSON.stringify(parts.map(({ partNumber, etag }) => [partNumber, etag])))
    .digest('hex')
}

/**
 * Part size and number of parts of a file. The number is exactly ceil(size / partSize): one more
 * makes the client send an empty part, one less cuts the file off (protocol 5.11, Q14). No client
 * knows the limit of 10,000 parts, so the size grows with the file.
 */
export function planParts(
  size: number,
  options: { readonly partBytes: number; readonly limits: StorageLimits },
): { readonly partSize: number; readonly totalParts: number } {
  const { limits } = options
  const needed = size <= options.partBytes * limits.maxParts ? 0 : Math.ceil(size / limits.maxParts / MiB) * MiB
  const partSize = Math.min(Math.max(options.partBytes, limits.minPartSize, needed), limits.maxPartSize)
  const totalParts = Math.ceil(size / partSize)
  if (totalParts > limits.maxParts)
    throw new LibraryError(
      'too-large',
      `the image has ${size} bytes, more than the storage takes in ${limits.maxParts} parts`,
    )
  return { partSize, totalParts }
}

/** Size in bytes of part `partNumber`; throws where the plan has no such part. */
export function plannedPartSize(upload: UploadRecord, partNumber: number): number {
  if (partNumber < 1 || partNumber > upload.totalParts) {
    throw new LibraryError('invalid-request', `partNumber: ${partNumber} is not between 1 and ${upload.totalParts}`)
  }
  return partNumber < upload.totalParts ? upload.partSize : upload.size - (upload.totalParts - 1) * upload.partSize
}
