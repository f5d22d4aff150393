/** SIF files that a number names: the harness keeps the number, not the bytes. */
import { createHash } from 'node:crypto'
import { makeSif, SIF_LAYOUT } from '../fixtures/sif.js'

export interface TestImage {
  readonly bytes: Buffer
  /** Lower-case hex SHA-256. */
  readonly digest: string
}

/** Image `number` of this many bytes; the same call makes the same bytes. */
export type ImageMaker = (number: number, size: number) => TestImage

export function makeImages(largest: number): ImageMaker {
  const base = makeSif({ size: largest, seed: 7 })
  return (number, size) => {
    const bytes = Buffer.from(base.subarray(0, size))
    bytes.writeBigUInt64LE(BigInt(number), SIF_LAYOUT.header.id)
    return { bytes, digest: createHash('sha256').update(bytes).digest('hex') }
  }
}
