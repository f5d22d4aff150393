import type { CompleteMultipartOptions, PartStat, StorageLimits, WritePartOptions } from './contract.js'
import { StorageError } from './errors.js'

export interface UploadShape {
  /** Name of the backend, for errors. */
  readonly backend: string
  readonly key: string
  /** Bytes of every part but the last. */
  readonly partSize: number
}

/**
 * Throws `invalid-part` for a part number that cannot be, or when the caller's part size is not the
 * upload's; `size-mismatch` for a part larger than that.
 */
export function assertPart(part: WritePartOptions, shape: UploadShape, limits: StorageLimits): void {
  if (!Number.isSafeInteger(part.partNumber) || part.partNumber < 1 || part.partNumber > limits.maxParts) {
    throw new StorageError('invalid-part', `part ${part.partNumber} is none of 1 to ${limits.maxParts}`, shape)
  }
  if (part.partSize !== shape.partSize)
    throw new StorageError('invalid-part', `the parts of this upload have ${shape.partSize} bytes`, shape)
  if (!Number.isSafeInteger(part.size) || part.size < 0 || part.size > shape.partSize) {
    throw new StorageError('size-mismatch', `a part of ${part.size} bytes where ${shape.partSize} are the most`, shape)
  }
}

/**
 * Holds what the client claims at `complete` against what arrived. Errors: `invalid-part` (a gap, a
 * part that never came, another etag, a short part that is not the last), `size-mismatch` (the sum
 * is another one).
 */
export function assertParts(
  claim: CompleteMultipartOptions,
  arrived: ReadonlyMap<number, PartStat>,
  shape: UploadShape,
): void {
  let sum = 0
  for (const [index, { partNumber, etag }] of claim.parts.entries()) {
    const part = arrived.get(partNumber)
    if (partNumber !== index + 1)
      throw new StorageError('invalid-part', `part ${partNumber} stands where part ${index + 1} belongs`, shape)
    if (part === undefined) throw new StorageError('invalid-part', `part ${partNumber} did not arrive`, shape)
    if (part.etag !== etag) throw new StorageError('invalid-part', `part ${partNumber} has another etag`, shape)
    if (part.size !== shape.partSize && partNumber !== claim.parts.length)
      throw new StorageError('invalid-part', `part ${partNumber} is short and not the last`, shape)
    sum += part.size
  }
  if (sum !== claim.size)
    throw new StorageError('size-mismatch', `the parts have ${sum} bytes instead of ${claim.size}`, shape)
}
